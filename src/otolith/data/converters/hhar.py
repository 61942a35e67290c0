"""HHAR: eight phones and four watches worn at once, each at its own pace, six activities (Stisen et al. 2015)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.tables import find_folder
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import merge_streams
from otolith.types import DataError

_FILES = {"Phones": "smartphone", "Watch": "smartwatch"}
_SENSORS = ("accelerometer", "gyroscope")
_USERS = tuple("abcdefghi")
_MODELS = {"smartphone": ("nexus4", "s3", "s3mini", "samsungold"), "smartwatch": ("gear", "lgwatch")}
_NULL = "null"

_WORD = pa.dictionary(pa.int32(), pa.string())
_KINDS = {
    "Index": pa.int64(),
    "Arrival_Time": pa.int64(),
    "Creation_Time": pa.int64(),
    **dict.fromkeys("xyz", pa.float32()),
    "User": _WORD,
    "Model": _WORD,
    "Device": _WORD,
    "gt": _WORD,
}
_USED = [name for name in _KINDS if name not in ("Index", "Model")]
_BLOCK_BYTES = 1 << 20
_LARGEST = 1e6
"""Of a value, in m/s^2 or rad/s; such devices give less than 100."""
_MAX_ROWS = 4_000_000
"""Of one file, in memory; a person has about 1.5 million."""

_SPLIT_SECONDS = 2.0
"""Longer gaps end a recording."""
_SHORTEST_SECONDS = 2.0
_BRIDGE_SAMPLES = 3
"""Gaps of up to this many samples of the grid are filled in linearly; longer ones become NaN."""
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
    device: NDArray[np.int8]
    activity: NDArray[np.int8]

    def of(self, which: slice | NDArray[np.bool_] | NDArray[np.int64]) -> _Rows:
        return _Rows(
            self.arrival[which], self.creation[which], self.values[which], self.device[which], self.activity[which]
        )


class _Stream(NamedTuple):
    """One sensor of one device: seconds [T] that never go back, values [T, 3], activity [T]."""

    times: NDArray[np.float64]
    values: NDArray[np.float32]
    activity: NDArray[np.int8]


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """Phones and watches, each person by person; the files are read once, side by side, and never held whole.

    A file holds the rows of a person together, and within them those of a device; device by device in order of time.

    Raises:
        DataError: A file is missing or damaged, or its people come in quite another order than in its twin.
    """
    bases = (".", "Activity recognition exp", "Activity recognition exp/Activity recognition exp")
    folders = [f"{name}/{base}" for name in (".", card.name) for base in bases]
    folder = find_folder(raw_dir, folders, "*_accelerometer.csv", card.name)
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
    for line, batch in _batches(path):
        users = _codes(path, line, batch, "User", _USERS)
        rows = _rows(path, line, batch, devices, card)
        for start, stop in pairwise([0, *(np.flatnonzero(np.diff(users)) + 1).tolist(), len(users)]):
            if users[start] != current and pieces:
                yield _USERS[current], _joined(pieces)
                count = 0
            current = int(users[start])
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


def _batches(path: Path) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Some thousand rows at a time, and the line of the first."""
    try:
        file = path.open("rb")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise DataError(f"{path} is missing: unpack the whole archive again") from error
    with file:
        header = file.readline(1000).decode("utf-8", "replace").strip().split(",")
        if header != list(_KINDS):
            raise DataError(f"{path}, line 1: the columns are not {', '.join(_KINDS)}; unpack the archive again")
        line = 2
        try:
            reader = csv.open_csv(
                file,
                read_options=csv.ReadOptions(column_names=list(_KINDS), block_size=_BLOCK_BYTES, use_threads=False),
                convert_options=csv.ConvertOptions(column_types=_KINDS, null_values=[], include_columns=_USED),
            )
            for batch in reader:
                if batch.num_rows:
                    yield line, batch
                line += batch.num_rows
        except pa.ArrowInvalid as error:
            raise _explain(path, str(error)) from error


def _explain(path: Path, said: str) -> DataError:
    """The parser's message as one sentence; it counts rows from the one below the header."""
    row = re.search(r"Row #(\d+)", said)
    where = f"{path}, line {int(row[1]) + 1}: " if row else f"{path} "
    if columns := re.search(r"Expected 10 columns, got (\d+)", said):
        return DataError(f"{where}{columns[1]} columns instead of 10")
    if value := re.search(r"column #(\d+): .*invalid value '(.*)'", said, re.DOTALL):
        return DataError(f"{where}{list(_KINDS)[int(value[1])]} {value[2][:40]!r} is not a number")
    if "Empty CSV" in said:
        return DataError(f"{path} is empty: unpack the archive again")
    return DataError(f"{where}cannot be read as a table of 10 columns: unpack the archive again")


def _rows(path: Path, line: int, batch: pa.RecordBatch, devices: Sequence[str], card: DatasetCard) -> _Rows:
    values = np.column_stack([batch.column(axis).to_numpy() for axis in "xyz"])
    possible = (np.abs(values) < _LARGEST).all(axis=1)
    if not possible.all():
        raise DataError(f"{path}, line {line + int(np.argmin(possible))}: x, y or z is not a number of such a device")
    return _Rows(  # copies: a view would hold the memory of the whole block
        batch.column("Arrival_Time").to_numpy().copy(),
        batch.column("Creation_Time").to_numpy().copy(),
        values,
        _codes(path, line, batch, "Device", devices),
        _codes(path, line, batch, "gt", (*card.activities, _NULL)),
    )


def _codes(path: Path, line: int, batch: pa.RecordBatch, name: str, known: Sequence[str]) -> NDArray[np.int8]:
    """For each row the position of its word in `known`."""
    column = batch.column(name)
    words = column.dictionary.to_pylist()
    places = np.array([known.index(word) if word in known else -1 for word in words], np.int8)
    codes: NDArray[np.int8] = places[column.indices.to_numpy()]
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        word = str(column[row].as_py())[:40]
        raise DataError(f"{path}, line {line + row}: {name} {word!r} is not one of {', '.join(known)}")
    return codes


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
    for start, end in _covered([stream.times for stream in streams]):
        pieces = [_between(stream, start, end) for stream in streams]
        if all(_has_a_pace(piece.times) for piece in pieces):
            # Android's units, m/s^2 and rad/s: |acc| of the first rows is 10.1 (nexus4_1) and 9.6 (gear_1).
            timed = [(piece.times, piece.values) for piece in pieces]
            signal, first = merge_streams(timed, card.rate, (_BRIDGE_SAMPLES + 0.5) / card.rate)
            yield signal.astype(np.float32), _annotations(pieces[0], first, len(signal) / card.rate, card)


def _covered(clocks: Sequence[NDArray[np.float64]]) -> list[tuple[float, float]]:
    """From when to when all streams run without a long gap."""
    shared = [(-np.inf, np.inf)]
    for times in clocks:
        cuts = np.flatnonzero(np.diff(times) > _SPLIT_SECONDS)
        own = list(zip(times[[0, *(cuts + 1)]].tolist(), times[[*cuts, -1]].tolist(), strict=True))
        both, i, k = [], 0, 0
        while i < len(shared) and k < len(own):
            start, end = max(shared[i][0], own[k][0]), min(shared[i][1], own[k][1])
            if end - start >= _SHORTEST_SECONDS:
                both.append((start, end))
            i, k = (i + 1, k) if shared[i][1] < own[k][1] else (i, k + 1)
        shared = both
    return shared


def _between(stream: _Stream, start: float, end: float) -> _Stream:
    """What is needed to know the signal from `start` to `end`: to the last sample before and the first one after."""
    first = max(0, int(np.searchsorted(stream.times, start, side="right")) - 1)
    last = int(np.searchsorted(stream.times, end)) + 1
    return _Stream(stream.times[first:last], stream.values[first:last], stream.activity[first:last])


def _has_a_pace(times: NDArray[np.float64]) -> bool:
    """Whether samples come about as fast as such devices give them; else their stamps are of no use."""
    steps = np.diff(times)
    steps = steps[steps > 0]
    return len(steps) >= _PACES[0] * (times[-1] - times[0]) and bool(np.median(steps) >= 1 / _PACES[1])


def _annotations(stream: _Stream, first: float, duration: float, card: DatasetCard) -> tuple[Annotation, ...]:
    """What is labelled from `first` on, in seconds from there; an activity lasts until another one is noted."""
    names = list(card.activities.values())
    cuts = [0, *(np.flatnonzero(np.diff(stream.activity)) + 1).tolist()]
    edges = np.clip([*(stream.times[cuts] - first), duration], 0, duration).tolist()
    return tuple(
        Annotation(start, end, names[code])
        for (start, end), code in zip(pairwise(edges), stream.activity[cuts].tolist(), strict=True)
        if start < end and code < len(names)
    )
