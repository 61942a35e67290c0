"""WISDM 2019: a phone in the pocket and a watch on the wrist, eighteen activities (Weiss et al. 2019)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.tables import find_folder, read_columns
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import merge_streams
from otolith.types import DataError

_KINDS = {
    "subject": pa.int64(),
    "activity": pa.string(),
    "nanoseconds": pa.int64(),
    **dict.fromkeys("xyz", pa.float64()),
}
_FILE = re.compile(r"data_(\d+)_(?:accel|gyro)_(?:phone|watch)\.txt")
_DEVICES = {"phone": "smartphone", "watch": "smartwatch"}
_SENSORS = ("accel", "gyro")

_BRIDGE_SAMPLES = 3
"""Gaps of up to this many sampling intervals are filled in linearly; longer ones become NaN."""
_SPLIT_SECONDS = 2.0
"""Longer gaps end a recording."""
_SHORTEST_SECONDS = 1.0


class _Stream(NamedTuple):
    """One sensor during one activity: seconds [T] in order, and values [T, 3]."""

    times: NDArray[np.float64]
    values: NDArray[np.float64]


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each subject, device and activity, over the time that both of the device's sensors cover.

    A file holds the activities in alphabetical order, not in that of the day: each is a stretch of its own.

    Raises:
        DataError: A file is missing or damaged, or the two sensors of a device share no time.
    """
    bases = (".", "wisdm-dataset", card.name, f"{card.name}/wisdm-dataset")
    folder = find_folder(raw_dir, [f"{base}/raw" for base in bases], "*/*/data_*.txt", card.name)
    for device in _DEVICES:
        for subject in _subjects(folder / device):
            paths = [folder / device / sensor / f"data_{subject}_{sensor}_{device}.txt" for sensor in _SENSORS]
            yield partial(_read, paths, device, subject, card)


def _read(paths: list[Path], device: str, subject: int, card: DatasetCard) -> Iterator[Recording]:
    channels = tuple(channel for channel in card.channels if channel.device == _DEVICES[device])
    acc, gyro = (_streams(path, subject, card) for path in paths)
    shared = False
    for code, activity in card.activities.items():
        for number, signal in enumerate(_stretches(acc.get(code), gyro.get(code), card.rate), start=1):
            shared = True
            name = f"{subject}_{device}_{activity.replace(' ', '_')}" + (f"_{number}" if number > 1 else "")
            whole = Annotation(0.0, len(signal) / card.rate, activity)
            yield Recording(signal, card.rate, channels, str(subject), name, (whole,))
    if not shared:
        raise DataError(f"{paths[0]} and {paths[1]} share no time: one of them belongs to another recording")


def _subjects(folder: Path) -> list[int]:
    found = (_FILE.fullmatch(path.name) for path in folder.glob("*/data_*.txt"))
    return sorted({int(match[1]) for match in found if match})


def _streams(path: Path, subject: int, card: DatasetCard) -> dict[str, _Stream]:
    """The activities in a file, by their code."""
    columns = read_columns(path, _KINDS, ending=";")
    strange = np.flatnonzero(columns["subject"] != subject)
    if strange.size:
        raise DataError(
            f"{path}, line {strange[0] + 1}: subject {columns['subject'][strange[0]]} in the file of subject {subject}"
        )
    streams = {}
    codes = columns["activity"].tolist()
    numbers = {code: number for number, code in enumerate(dict.fromkeys(codes))}
    numbered = np.array([numbers[code] for code in codes])  # text is compared slowly, and with all threads waiting
    for code, number in numbers.items():
        rows = np.flatnonzero(numbered == number)
        if code not in card.activities:
            raise DataError(f"{path}, line {rows[0] + 1}: activity '{code}' is not one of {', '.join(card.activities)}")
        # The clock counts from when the device was switched on. If that happened within an activity, time goes back;
        # in the order of time both halves are whole, and the gap between them parts them.
        rows = rows[np.argsort(columns["nanoseconds"][rows], kind="stable")]
        times = columns["nanoseconds"][rows].astype(np.float64) / 1e9
        streams[code] = _Stream(times, np.column_stack([columns[axis][rows] for axis in "xyz"]))
    return streams


def _stretches(acc: _Stream | None, gyro: _Stream | None, rate: float) -> Iterator[NDArray[np.float32]]:
    """Signals [T, 6] in SI of each stretch of time that both sensors cover without a long gap."""
    if acc is None or gyro is None:
        return
    for one in _split(acc):
        for other in _split(gyro):
            if min(one.times[-1], other.times[-1]) - max(one.times[0], other.times[0]) < _SHORTEST_SECONDS:
                continue
            # Android's units, m/s^2 and rad/s, which the numbers bear out: |acc| at rest has a median of 9.8, values
            # are cut off at 19.6 and 34.9, which are 2 g and 2000 deg/s, and in calm activities gravity turns as the
            # gyroscope says, without a lag (correlation up to 0.96).
            signal, _ = merge_streams([one, other], rate, (_BRIDGE_SAMPLES + 0.5) / rate)
            yield signal.astype(np.float32)


def _split(stream: _Stream) -> list[_Stream]:
    """The stream without its long gaps."""
    cuts = np.flatnonzero(np.diff(stream.times) > _SPLIT_SECONDS) + 1
    parts = zip(np.split(stream.times, cuts), np.split(stream.values, cuts), strict=True)
    return [_Stream(times, values) for times, values in parts if times[-1] - times[0] >= _SHORTEST_SECONDS]
