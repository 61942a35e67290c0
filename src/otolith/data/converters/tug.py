"""TUG: the Timed Up and Go test with a phone in the pocket and a watch on the wrist (Matey-Sanz et al. 2023)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.layout import Layout
from otolith.data.converters.tables import check_order, find_folder, read_columns
from otolith.data.recording import Annotation, Recording, annotate
from otolith.data.signal import resample
from otolith.types import DataError

_SIGNALS = [f"{axis}_{sensor}" for sensor in ("acc", "gyro") for axis in "xyz"]
_NUMBERS = {**dict.fromkeys(_SIGNALS, np.float64), "timestamp": np.int64}
_FILE = re.compile(r"(s\d+)_(\d+)_(sp|sw)\.csv")
_DEVICES = {"sp": "smartphone", "sw": "smartwatch"}
_NATIVE_RATES = (90.0, 115.0)
_STRAY_SECONDS = 0.25


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each execution and device; the clocks of the two devices agree only to tens of milliseconds.

    Raises:
        DataError: A file is missing or damaged, a label is unknown, or samples are missing.
    """
    folder = find_folder(raw_dir, ("DATA", ".", "sp_sw_har/DATA", "sp_sw_har"), "s*/s*_*_s[pw].csv", card.name)
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
    columns = read_columns(path, Layout({**_NUMBERS, "label": tuple(card.activities)}, header=True))
    rate = _native_rate(path, columns["timestamp"].astype(np.float64) / 1000)
    values = np.column_stack([columns[name] for name in _SIGNALS])
    # Android's units, m/s^2 and rad/s: before the start |acc| has a median of 9.9.
    signal = resample(values, rate, card.rate)
    duration = min(len(values) / rate, len(signal) / card.rate)
    labels = columns["label"]
    notes = annotate(labels, np.arange(len(labels)) / rate, duration, list(card.activities.values()))
    return signal.astype(np.float32), notes


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
    check_order(path, "time", seconds, line=2)
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
