"""HHAR: eight phones and four watches worn at once, each at its own pace, six activities (Stisen et al. 2015)."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.layout import Layout
from otolith.data.converters.tables import find_folder, read_blocks
from otolith.data.recording import Annotation, Recording, annotate, runs
from otolith.data.signal import covered, merge_streams, short_gap
from otolith.types import DataError

_FILES = {"Phones": "smartphone", "Watch": "smartwatch"}
_SENSORS = ("accelerometer", "gyroscope")
_USERS = tuple("abcdefghi")
_MODELS = {"smartphone": ("nexus4", "s3", "s3mini", "samsungold"), "smartwatch": ("gear", "lgwatch")}
_NULL = "null"

_MAX_ROWS = 4_000_000
"""Of one file, in memory; a person has about 1.5 million."""

_SPLIT_SECONDS = 2.0
"""Longer gaps end a recording."""
_SHORTEST_SECONDS = 2.0
_PACES = (25.0, 500.0)
"""Samples per second that a stretch may have; the devices give 50 to 200."""
_LATEST_SECONDS = 5.0
_NEIGHBOURS = 1001
"""Samples on either side among which one has arrived without delay: 5 s at 200 Hz."""


class _Rows(NamedTuple):
    """Rows of one file: arrival [T] in ms, creation [T] in ns, values [T, 3], device and activity [T] as numbers."""

    arrival: NDArray[np.int64]
    creation: NDArray[np.int64]
    values: NDArray[np.float32]
    device: NDArray[np.int16]
    activity: NDArray[np.int16]

    def of(self, which: slice | NDArray[np.bool_] | NDArray[np.int64]) -> _Rows:
        return _Rows._make(column[which] for column in self)


class _Stream(NamedTuple):
    """One sensor of one device: seconds [T] that never go back, values [T, 3], activity [T]."""

    times: NDArray[np.float64]
    values: NDArray[np.float32]
    activity: NDArray[np.int16]


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """Phones and watches, each person by person; the files are read once, side by side, and never held whole.

    A file holds the rows of a person together, and within them those of a device; device by device in order of time.

    Raises:
        DataError: A file is missing or damaged, or its people come in quite another order than in its twin.
    """
    inner = (".", "Activity recognition exp", "Activity recognition exp/Activity recognition exp")
    folder = find_folder(raw_dir, inner, "*_accelerometer.csv", card.name)
    for prefix, device in _FILES.items():
        acc, gyro = (folder / f"{prefix}_{sensor}.csv" for sensor in _SENSORS)
        yield partial(_read, acc, gyro, device, card)


def _read(acc_path: Path, gyro_path: Path, kind: str, card: DatasetCard) -> Iterator[Recording]:
    devices = [f"{model}_{number}" for model in _MODELS[kind] for number in (1, 2)]
    channels = tuple(channel for channel in card.channels if channel.device == kind)
    gyro = _Twin(gyro_path, devices, card)
    numbers: Counter[str] = Counter()
    for user, acc in _people(acc_path, devices, card):
        turns = gyro.of(user)
        for code in np.unique(acc.device).tolist():
            origin = int(acc.arrival[acc.device == code].min())
            both = [rows.of(rows.device == code) for rows in (acc, turns) if rows is not None]
            streams = [_on_clock(rows, origin) for rows in both if len(rows.arrival)]
            name = f"{user}_{devices[code]}"
            for signal, notes in _stretches(streams, card):
                numbers[name] += 1
                used = channels[: signal.shape[1]]  # one of the phones' models has no gyroscope
                yield Recording(signal, card.rate, used, user, f"{name}_{numbers[name]:03d}", notes)
        del acc, turns  # before those of the next person are read
    if not numbers:
        raise DataError(
            f"{acc_path} and {gyro_path} share no {_SHORTEST_SECONDS:g} s of any device: one of them is cut short or "
            "belongs to another recording"
        )


class _Twin:
    """The gyroscope's file, read as far as the accelerometer's has been."""

    def __init__(self, path: Path, devices: Sequence[str], card: DatasetCard) -> None:
        self._path = path
        self._people = _people(path, devices, card)
        self._waiting: defaultdict[str, deque[_Rows]] = defaultdict(deque)

    def of(self, user: str) -> _Rows | None:
        """The next rows of a person; None if there are no more. Those of others are kept until they are asked for."""
        while not self._waiting[user]:
            other, rows = next(self._people, (None, None))
            if other is None or rows is None:
                return None
            self._waiting[other].append(rows)
            if sum(len(r.arrival) for kept in self._waiting.values() for r in kept) > _MAX_ROWS:
                raise DataError(f"{self._path} has its people in another order than the accelerometer's file")
        return self._waiting[user].popleft()


def _people(path: Path, devices: Sequence[str], card: DatasetCard) -> Iterator[tuple[str, _Rows]]:
    """Each person's rows; again, if they are not together."""
    current, count = -1, 0
    pieces: list[_Rows] = []
    layout = Layout(
        {
            "Index": None,
            "Arrival_Time": np.int64,
            "Creation_Time": np.int64,
            **dict.fromkeys("xyz", np.float32),
            "User": _USERS,
            "Model": None,
            "Device": devices,
            "gt": (*card.activities, _NULL),
        },
        header=True,
    )
    for line, block in read_blocks(path, layout):
        values = np.column_stack([block[axis] for axis in "xyz"])
        rows = _Rows(block["Arrival_Time"], block["Creation_Time"], values, block["Device"], block["gt"])
        for start, stop in runs(block["User"]):
            if block["User"][start] != current and pieces:
                yield _USERS[current], _joined(pieces)
                count = 0
            current = int(block["User"][start])
            pieces.append(rows.of(slice(start, stop)))
            count += stop - start
            if count > _MAX_ROWS:
                raise DataError(
                    f"{path}, line {line + stop}: person '{_USERS[current]}' has more than {_MAX_ROWS} rows"
                )
    if pieces:
        yield _USERS[current], _joined(pieces)


def _joined(pieces: list[_Rows]) -> _Rows:
    """The pieces one below the other; the list is emptied, so that they are not in memory twice for long."""
    whole = _Rows(*map(np.concatenate, zip(*pieces, strict=True)))
    pieces.clear()
    return whole


def _on_clock(rows: _Rows, origin: int) -> _Stream:
    """When each sample was taken, in seconds after `origin` (ms).

    A device stamps a sample twice. `Creation_Time` is even, but it begins anywhere, for each sensor maybe elsewhere,
    stands still while the device sleeps (s3, s3mini) and has been seen to jump by 2^17 s (nexus4_1 of person a).
    `Arrival_Time` is the time of day in ms, but some samples come late, many at once. So a sample was taken when it
    arrived, less its delay: by how much its two stamps lie further apart than those of the promptest of its neighbours,
    before it or after it. Both sides are asked so that a clock that stood still does not look like a delay.
    """
    rows = rows.of(np.argsort(rows.arrival, kind="stable"))
    arrival = (rows.arrival.astype(np.float64) - origin) / 1e3
    apart = arrival - rows.creation.astype(np.float64) / 1e9
    before, after = (
        minimum_filter1d(apart, _NEIGHBOURS, origin=s * (_NEIGHBOURS // 2), mode="nearest") for s in (1, -1)
    )
    delay = apart - np.maximum(before, after)
    delay[delay > _LATEST_SECONDS] = 0.0  # that is a clock that jumped
    return _Stream(np.maximum.accumulate(arrival - delay), rows.values, rows.activity)


def _stretches(
    streams: Sequence[_Stream], card: DatasetCard
) -> Iterator[tuple[NDArray[np.float32], tuple[Annotation, ...]]]:
    """Signal [T, 3 or 6] in SI, and what was done, of each stretch that all sensors of a device cover."""
    for rows in covered([stream.times for stream in streams], _SPLIT_SECONDS, _SHORTEST_SECONDS):
        # Android's units, m/s^2 and rad/s: |acc| of the first rows is 10.1 (nexus4_1) and 9.6 (gear_1).
        timed = [(stream.times[used], stream.values[used]) for stream, used in zip(streams, rows, strict=True)]
        if all(_has_a_pace(times) for times, _ in timed):
            signal, first = merge_streams(timed, card.rate, short_gap(card.rate))
            # An activity lasts until another one is noted.
            seconds, done = timed[0][0] - first, streams[0].activity[rows[0]]
            notes = annotate(done, seconds, len(signal) / card.rate, (*card.activities.values(), ""))
            yield signal.astype(np.float32), notes


def _has_a_pace(times: NDArray[np.float64]) -> bool:
    """Whether samples come about as fast as such devices give them; else their stamps are of no use."""
    steps = np.diff(times)
    steps = steps[steps > 0]
    return len(steps) >= _PACES[0] * (times[-1] - times[0]) and bool(np.median(steps) >= 1 / _PACES[1])
