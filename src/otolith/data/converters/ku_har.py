"""KU-HAR: a phone at the waist, eighteen activities (Sikder and Nahid 2021)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.tables import find_folder, read_numbers
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import merge_streams, short_gap
from otolith.types import DataError

_COLUMNS = [f"{sensor}_{axis}" for sensor in ("acc", "gyro") for axis in ("time", "x", "y", "z")]
_RAW = "1.Raw_time_domian_data"  # the authors' spelling
_FOLDER = re.compile(r"(\d+)\.(.+)")
_FILE = re.compile(r"(\d+)_[A-Z]_(\w+)\.csv")
_ALIASES = {"Walk-backward": "Walk-backwards"}
"""Names in the authors' README that differ from those of the folders."""

_NATIVE_RATES = (50.0, 200.0)


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """The files of each subject: one recording for each, annotated as a whole.

    Raises:
        DataError: A file is damaged, or an activity is unknown.
    """
    folder = find_folder(raw_dir, (_RAW, f"{_RAW}/{_RAW}", "."), "*.*/*_*_*.csv", card.name)
    files: dict[str, list[tuple[Path, str, str]]] = {}
    for path in sorted(folder.glob("*.*/*_*_*.csv"), key=_place):
        label, match = _label(path, card), _FILE.fullmatch(path.name)
        if match is None:
            raise DataError(f"{path} is not of '{card.name}': its files are named as 1002_A_6.csv")
        files.setdefault(match[1], []).append((path, label, f"{match[1]}_{label.lower()}_{match[2]}"))
    for subject, recorded in sorted(files.items()):
        yield partial(_read, recorded, subject, card)


def _place(path: Path) -> tuple[int, str]:
    number = _FOLDER.fullmatch(path.parent.name)
    return int(number[1]) if number else -1, path.name


def _label(path: Path, card: DatasetCard) -> str:
    match = _FOLDER.fullmatch(path.parent.name)
    label = _ALIASES.get(match[2], match[2]) if match else ""
    if label not in card.activities:
        raise DataError(
            f"{path.parent}: '{path.parent.name}' is no activity of '{card.name}'; "
            f"expected a number, a dot and one of {', '.join(card.activities)}"
        )
    return label


def _read(files: list[tuple[Path, str, str]], subject: str, card: DatasetCard) -> Iterator[Recording]:
    for path, label, name in files:
        signal = _signal(path, card.rate)
        whole = Annotation(0.0, len(signal) / card.rate, card.activities[label])
        yield Recording(signal, card.rate, card.channels, subject, name, (whole,))


def _signal(path: Path, rate: float) -> NDArray[np.float32]:
    """Both sensors of a file [T, 6] over the time that they share."""
    rows = read_numbers(path, _COLUMNS)
    # The README states m/s^2 and rad/s, and no gravity: Android's linear acceleration, a specific force. In plots by
    # others standing swings by 0.05, sitting down by 3 and running by some tens; turning by up to 3.
    streams = [(_seconds(path, rows[:, first]), rows[:, first + 1 : first + 4]) for first in (0, 4)]
    try:
        signal, _ = merge_streams(streams, rate, short_gap(rate))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return signal.astype(np.float32)


def _seconds(path: Path, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The times of a sensor's samples in seconds.

    Raises:
        DataError: Time goes back, or the samples are not about 100 a second.
    """
    steps = np.diff(times)
    if (steps < 0).any():
        raise DataError(
            f"{path}, line {int(np.argmax(steps < 0)) + 2}: time goes back; take the files of {_RAW}, unpacked again"
        )
    distinct = np.diff(np.unique(times))
    if not distinct.size:
        raise DataError(f"{path}: all samples have the same time; unpack the archive again")
    # The README says ms, but the authors' own script (Interpolation_100hz.m) takes the numbers for seconds, and so they
    # last as long as the README says that the activities do. A step of ten can only be milliseconds.
    unit = 1e-3 if np.median(distinct) > 1 else 1.0
    rates = [len(steps) / (float(times[-1] - times[0]) * unit), 1 / (float(np.median(distinct)) * unit)]
    for rate in rates:
        if not _NATIVE_RATES[0] <= rate <= _NATIVE_RATES[1]:
            raise DataError(
                f"{path}: the times give {rate:.3g} samples a second where about 100 are expected, so samples are "
                "missing or the file is none of the archive; unpack it again"
            )
    return times * unit
