"""TUG: the Timed Up and Go test with a phone in the pocket and a watch on the wrist (Matey-Sanz et al. 2023)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.tables import find_folder, read_columns
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import resample
from otolith.types import DataError

_SIGNALS = [f"{axis}_{sensor}" for sensor in ("acc", "gyro") for axis in "xyz"]
_KINDS = {**dict.fromkeys(_SIGNALS, pa.float64()), "timestamp": pa.int64(), "label": pa.string()}
_FILE = re.compile(r"(s\d+)_(\d+)_(sp|sw)\.csv")
_DEVICES = {"sp": "smartphone", "sw": "smartwatch"}
_NATIVE_RATES = (90.0, 115.0)
_STRAY_SECONDS = 0.25


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each execution and device; the clocks of the two devices agree only to tens of milliseconds.

    Raises:
        DataError: A file is missing or damaged, a label is unknown, or samples are missing.
    """
    bases = (".", card.name, "sp_sw_har")
    folder = find_folder(raw_dir, [f"{b}/{n}" for b in bases for n in ("DATA", ".")], "s*/s*_*_s[pw].csv", card.name)
    matches = [_FILE.fullmatch(path.name) for path in folder.glob("s*/s*_*_s[pw].csv")]
    executions = sorted({(match[1], match[2]) for match in matches if match})
    for subject, execution in executions:
        for code, words in _DEVICES.items():
            yield partial(_read, folder / subject / f"{subject}_{execution}_{code}.csv", subject, words, card)


def _read(path: Path, subject: str, device: str, card: DatasetCard) -> list[Recording]:
    channels = tuple(channel for channel in card.channels if channel.device == device)
    signal, annotations = _signal(path, card)
    return [Recording(signal, card.rate, channels, subject, path.stem, annotations)]


def _signal(path: Path, card: DatasetCard) -> tuple[NDArray[np.float32], tuple[Annotation, ...]]:
    columns = read_columns(path, _KINDS, header=True)
    labels = columns["label"]
    unknown = [label for label in dict.fromkeys(labels.tolist()) if label not in card.activities]
    if unknown:
        line = int(np.argmax(labels == unknown[0])) + 2
        raise DataError(f"{path}, line {line}: label '{unknown[0]}' is not one of {', '.join(card.activities)}")
    rate = _native_rate(path, columns["timestamp"].astype(np.float64) / 1000)
    values = np.column_stack([columns[name] for name in _SIGNALS])
    # Android's units, m/s^2 and rad/s: before the start |acc| has a median of 9.9.
    signal = resample(values, rate, card.rate)
    end = len(signal) / card.rate
    cuts = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    notes = (
        Annotation(start / rate, min(stop / rate, end), card.activities[labels[start]])
        for start, stop in pairwise(cuts)
    )
    return signal.astype(np.float32), tuple(note for note in notes if note.start < note.end)


def _native_rate(path: Path, seconds: NDArray[np.float64]) -> float:
    """Samples per second of the sensor, whose clock runs evenly although the timestamps do not.

    The timestamps say when a batch of samples was handed over: some repeat, some follow after up to 0.19 s. Nothing is
    lost there. In each of the 223 executions a line through the timestamps gives 102.4 to 102.5 Hz for the phone and
    104.3 Hz for the watch, however many gaps the file has (a lost 0.19 s would lower the rate by 1.6 %), and the
    gyroscope changes no more across the gaps than elsewhere (0.20 against 0.24 rad/s).

    Raises:
        DataError: Time goes back, or the timestamps do stray from a line.
    """
    if len(seconds) < 2:
        raise DataError(f"{path}, line 2: one sample makes no signal; unpack the archive again")
    steps = np.diff(seconds)
    if (steps < 0).any():
        raise DataError(f"{path}, line {int(np.argmax(steps < 0)) + 3}: time goes back; unpack the archive again")
    index = np.arange(len(seconds))
    relative = seconds - seconds[0]
    slope, start = np.polyfit(index, relative, 1)
    rate = 1 / slope if slope > 0 else 0.0
    if not _NATIVE_RATES[0] <= rate <= _NATIVE_RATES[1]:
        raise DataError(
            f"{path}: the timestamps give {rate:.1f} Hz where about 103 Hz is expected, so samples are missing, or the "
            "times are not in ms; unpack the archive again"
        )
    stray = np.abs(relative - (start + slope * index))
    if stray.max() > _STRAY_SECONDS:
        raise DataError(
            f"{path}, line {int(np.argmax(stray)) + 2}: the timestamp strays {stray.max():.2f} s from an even clock, "
            "so samples are missing; unpack the archive again"
        )
    return float(rate)
