"""WISDM 2019: a phone in the pocket and a watch on the wrist, eighteen activities (Weiss et al. 2019)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.layout import Layout
from otolith.data.converters.tables import find_folder, read_columns
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import covered, merge_streams, short_gap
from otolith.types import DataError

_FILE = re.compile(r"data_(\d+)_(?:accel|gyro)_(?:phone|watch)\.txt")
_DEVICES = {"phone": "smartphone", "watch": "smartwatch"}
_SENSORS = ("accel", "gyro")

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
    folder = find_folder(raw_dir, ("raw", "wisdm-dataset/raw"), "*/*/data_*.txt", card.name)
    for device in _DEVICES:
        for subject in _subjects(folder / device):
            paths = [folder / device / sensor / f"data_{subject}_{sensor}_{device}.txt" for sensor in _SENSORS]
            yield partial(_read, paths, device, subject, card)


def _read(paths: list[Path], device: str, subject: int, card: DatasetCard) -> Iterator[Recording]:
    channels = tuple(channel for channel in card.channels if channel.device == _DEVICES[device])
    acc, gyro = (_streams(path, subject, card) for path in paths)
    shared = False
    for code, activity in enumerate(card.activities.values()):
        both = [streams[code] for streams in (acc, gyro) if code in streams]
        for number, signal in enumerate(_stretches(both, card.rate) if len(both) == 2 else (), start=1):
            shared = True
            name = f"{subject}_{device}_{activity.replace(' ', '_')}" + (f"_{number}" if number > 1 else "")
            whole = Annotation(0.0, len(signal) / card.rate, activity)
            yield Recording(signal, card.rate, channels, str(subject), name, (whole,))
    if not shared:
        raise DataError(f"{paths[0]} and {paths[1]} share no time: one of them belongs to another recording")


def _subjects(folder: Path) -> list[int]:
    found = (_FILE.fullmatch(path.name) for path in folder.glob("*/data_*.txt"))
    return sorted({int(match[1]) for match in found if match})


def _streams(path: Path, subject: int, card: DatasetCard) -> dict[int, _Stream]:
    """The activities in a file, by their place in the card's."""
    words = {"subject": (str(subject),), "activity": tuple(card.activities)}
    columns = read_columns(
        path, Layout({**words, "nanoseconds": np.int64, **dict.fromkeys("xyz", np.float64)}, ending=";")
    )
    streams = {}
    for code in range(len(card.activities)):
        rows = np.flatnonzero(columns["activity"] == code)
        # The clock counts from when the device was switched on. If that happened within an activity, time goes back;
        # in the order of time both halves are whole, and the gap between them parts them.
        rows = rows[np.argsort(columns["nanoseconds"][rows], kind="stable")]
        if rows.size:
            times = columns["nanoseconds"][rows].astype(np.float64) / 1e9
            streams[code] = _Stream(times, np.column_stack([columns[axis][rows] for axis in "xyz"]))
    return streams


def _stretches(streams: list[_Stream], rate: float) -> Iterator[NDArray[np.float32]]:
    """Signals [T, 6] in SI of each stretch of time that both sensors cover without a long gap."""
    for rows in covered([stream.times for stream in streams], _SPLIT_SECONDS, _SHORTEST_SECONDS):
        pieces = [(stream.times[used], stream.values[used]) for stream, used in zip(streams, rows, strict=True)]
        # Android's units, m/s^2 and rad/s, which the numbers bear out: |acc| at rest has a median of 9.8, values are
        # cut off at 19.6 and 34.9, which are 2 g and 2000 deg/s, and in calm activities gravity turns as the gyroscope
        # says, without a lag (correlation up to 0.96).
        signal, _ = merge_streams(pieces, rate, short_gap(rate))
        yield signal.astype(np.float32)
