"""MM-Fit: workouts with watches, phones, an earbud and a skeleton, each on its own clock (Strömbäck et al. 2020)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.channels import Channel
from otolith.data.converters import Part
from otolith.data.converters.layout import Layout
from otolith.data.converters.npy import read_doubles, read_first_pair
from otolith.data.converters.tables import find_folder, read_columns
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import LARGEST, merge_streams
from otolith.types import DataError

_DEVICES = {
    "sw_l": "left_watch",
    "sw_r": "right_watch",
    "sp_l": "left_phone",
    "sp_r": "right_phone",
    "eb_l": "left_earbud",
}
_SENSORS = {"acc": "acc", "gyr": "gyro", "mag": "mag"}
# Some phone files end in a number (w03_sp_l_acc_0.npy).
_FILE = re.compile(rf"w\d\d_({'|'.join(_DEVICES)})_(acc|gyr|mag|hr)(?:_(\d+))?\.npy")
_REST = "non_activity"

_PARTICIPANTS = (2, 0, 1, 0, 1, 2, 0, 1, 0, 1, 0, 1, 3, 4, 0, 1, 5, 6, 7, 8, 9)
"""Who did workouts w00 to w20, as the authors' notebook says."""

_JOINTS = 17
_MAX_BYTES = 256 << 20  # an hour at 500 Hz has 72 MB

_BRIDGE_SECONDS = 0.1
_BRIDGE_HEART_SECONDS = 2.5  # now and then a beat per minute is left out
"""Gaps of up to this length are filled in linearly; longer ones become NaN."""
_EPOCH_SECONDS = (1.5e9, 1.7e9)  # 2017 to 2023; the workouts are of 2019 and 2020
_LONGEST_SECONDS = 2 * 3600.0  # the longest is of an hour
_DISORDER_SECONDS = 1.0
_FASTEST, _FASTEST_CAMERA = 1100.0, 60.0


class _Stream(NamedTuple):
    """What one sensor felt: frames of the camera [T], seconds of the session [T] in order, and values [T, C]."""

    frames: NDArray[np.float64]
    times: NDArray[np.float64]
    values: NDArray[np.float64]


class _Clock(NamedTuple):
    """When the camera's frames were: distinct frames [F], and the seconds of the session [F]."""

    frames: NDArray[np.float64]
    times: NDArray[np.float64]


class _Set(NamedTuple):
    """An exercise from one frame up to another."""

    start: int
    end: int
    activity: str


class _Workout(NamedTuple):
    """What all recordings of a session share; `zero` is its beginning in seconds since 1970."""

    folder: Path
    name: str
    zero: float
    sets: list[_Set]
    card: DatasetCard


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One session for each workout: a recording for each device, one for each heart rate, and the skeleton.

    Raises:
        DataError: A file is missing or damaged, a label is unknown, or times make no sense.
    """
    folder = find_folder(raw_dir, ("mm-fit", "."), "w*/w*_labels.csv", card.name)
    for path in sorted(folder.glob("w*/w*_labels.csv")):
        name = path.parent.name
        if path.name != f"{name}_labels.csv" or name not in {f"w{k:02d}" for k in range(len(_PARTICIPANTS))}:
            raise DataError(f"{path} is not of '{card.name}': workouts are w00 to w{len(_PARTICIPANTS) - 1}")
        yield partial(_read, path.parent, card)


def _read(folder: Path, card: DatasetCard) -> Iterator[Recording]:
    files: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(folder.glob(f"{folder.name}_*.npy")):
        if match := _FILE.fullmatch(path.name):
            files.setdefault((match[1], match[2]), []).append(path)
    if not files:
        raise DataError(f"{folder} has no {folder.name}_sw_l_acc.npy nor any other sensor: unpack the archive again")
    zero = min(_start(path) for paths in files.values() for path in paths)
    workout = _Workout(folder, folder.name, zero, _sets(folder / f"{folder.name}_labels.csv", card), card)
    clocks = []
    for code in _DEVICES:
        streams = {sensor: files[code, sensor] for sensor in _SENSORS if (code, sensor) in files}
        if streams:
            recording, clock = _motion(workout, code, streams)
            yield recording
            clocks.append(clock)
        if (code, "hr") in files:
            yield _heart(workout, code, files[code, "hr"])
    if not clocks:
        raise DataError(f"{folder}/{folder.name}_sw_l_acc.npy is missing: unpack the whole archive again")
    # The poses carry frames, not times. A watch may have stopped early: whoever saw most of the workout tells them.
    yield _skeleton(workout, max(clocks, key=lambda clock: float(np.ptp(clock.frames))))


def _motion(workout: _Workout, code: str, files: dict[str, list[Path]]) -> tuple[Recording, _Clock]:
    """A device's accelerometer, gyroscope and magnetometer, and the clock that its accelerometer gives."""
    if "acc" not in files:
        raise DataError(f"{workout.folder}/{workout.name}_{code}_acc.npy is missing: unpack the whole archive again")
    streams = {sensor: _stream(workout, paths, 5) for sensor, paths in files.items()}
    # m/s^2, rad/s and uT, as the authors' plots say. There the watch is cut off at 78.5, which is 8 g, the phone at
    # 39.2, which is 4 g, and the earbud's gyroscope at 17.45, which is 1000 deg/s; a watch that is held still in a
    # push-up reads 9.8, with its x axis, which points to the hand, at -9.3: the ground is down there.
    names = {f"{_DEVICES[code]}_{_SENSORS[sensor]}" for sensor in streams}
    channels = tuple(channel for channel in workout.card.channels if channel.name[:-2] in names)
    timed = [(stream.times, stream.values) for stream in streams.values()]
    clock = _clock(streams["acc"])
    return _recording(workout, code, channels, timed, clock, _BRIDGE_SECONDS), clock


def _heart(workout: _Workout, code: str, files: list[Path]) -> Recording:
    stream = _stream(workout, files, 3)
    channels = tuple(c for c in workout.card.channels if c.name == f"{_DEVICES[code]}_heart_rate")
    timed = [(stream.times, stream.values)]
    return _recording(workout, f"{code}_hr", channels, timed, _clock(stream), _BRIDGE_HEART_SECONDS)


def _skeleton(workout: _Workout, clock: _Clock) -> Recording:
    path = workout.folder / f"{workout.name}_pose_3d.npy"
    table = read_doubles(path, limit=_MAX_BYTES)
    if table.ndim != 3 or table.shape[0] != 3 or table.shape[2] != 1 + _JOINTS:
        raise DataError(
            f"{path} is {list(table.shape)} instead of [3, frames, {1 + _JOINTS}]: unpack the archive again"
        )
    _check_values(path, table)
    frames = table[0, :, 0]
    if not (table[1:, :, 0] == frames).all() or not (np.diff(frames) > 0).all():
        raise DataError(f"{path}: the frames do not follow one another: unpack the archive again")
    timed = (frames >= clock.frames[0]) & (frames <= clock.frames[-1])
    if timed.sum() < 2:
        raise DataError(f"{path}: its frames are not those of the sensors of the workout: unpack the archive again")
    # Millimetres: in the authors' figures a shin is 450 long, and they draw the body within 650 around the hip.
    values = table[:, timed, 1:].transpose(1, 2, 0).reshape(-1, 3 * _JOINTS) / 1000
    channels = tuple(channel for channel in workout.card.channels if channel.sensor == "position")
    times = np.interp(frames[timed], clock.frames, clock.times)
    _check_pace(path, times, _FASTEST_CAMERA)
    return _recording(workout, "pose_3d", channels, [(times, values)], clock, _BRIDGE_SECONDS)


def _recording(
    workout: _Workout,
    suffix: str,
    channels: tuple[Channel, ...],
    streams: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    clock: _Clock,
    bridge: float,
) -> Recording:
    """The streams of one device on one grid, with the sets as its clock tells them."""
    name, card = f"{workout.name}_{suffix}", workout.card
    rate = card.rate_of(channels)
    try:
        signal, start = merge_streams([(times, values.astype(np.float32)) for times, values in streams], rate, bridge)
    except DataError as error:
        raise DataError(f"{workout.folder / name}: {error}") from error
    annotations = _annotations(workout, clock, start, len(signal) / rate)
    subject = f"p{_PARTICIPANTS[int(workout.name[1:])]}"
    return Recording(signal, rate, channels, subject, name, annotations, workout.name, start)


def _annotations(workout: _Workout, clock: _Clock, start: float, duration: float) -> tuple[Annotation, ...]:
    """The sets, and the rest between them, in seconds from the first sample at `start`."""
    rest = workout.card.activities[_REST]
    frames = np.array([(one.start, one.end) for one in workout.sets], dtype=np.float64)
    # Frames before the first and after the last that a device knows of take the time of that one.
    edges = np.clip(np.interp(frames, clock.frames, clock.times) - start, 0.0, duration)
    notes, done = [], 0.0
    for one, (begin, end) in zip(workout.sets, edges.tolist(), strict=True):
        if end > begin:  # the device was on
            notes += [Annotation(done, begin, rest), Annotation(begin, end, one.activity)]
            done = end
    notes.append(Annotation(done, duration, rest))
    return tuple(note for note in notes if note.end > note.start)


def _sets(path: Path, card: DatasetCard) -> list[_Set]:
    exercises = {label: activity for label, activity in card.activities.items() if label != _REST}
    layout = Layout({"start": np.int64, "end": np.int64, "repetitions": None, "exercise": tuple(exercises)})
    sets: list[_Set] = []
    rows = zip(*(column.tolist() for column in read_columns(path, layout).values()), strict=True)
    for line, (start, end, exercise) in enumerate(rows, start=1):
        if not (sets[-1].end if sets else 0) <= start < end:
            raise DataError(f"{path}, line {line}: frames {start} to {end} are not after those of the line before")
        sets.append(_Set(start, end, list(exercises.values())[exercise]))
    return sets


def _clock(stream: _Stream) -> _Clock:
    """A frame is when the first sample that belongs to it was felt, as the authors cut their windows."""
    frames, first = np.unique(stream.frames, return_index=True)
    return _Clock(frames, np.maximum.accumulate(stream.times[first]))


def _stream(workout: _Workout, paths: list[Path], columns: int) -> _Stream:
    """The files of one sensor, in the order of time."""
    tables = []
    for path in paths:
        table = _table(path)
        if table.shape[1] != columns:
            raise DataError(f"{path} has {table.shape[1]} columns instead of {columns}: unpack the archive again")
        back = -np.diff(table[:, 1]) / 1000
        if (back > _DISORDER_SECONDS).any():
            row = int(np.argmax(back > _DISORDER_SECONDS))
            raise DataError(f"{path}, row {row + 2}: time goes back by {back[row]:.1f} s; unpack the archive again")
        tables.append(table)
    table = np.concatenate(tables)
    table = table[np.argsort(table[:, 1], kind="stable")]
    times = table[:, 1] / 1000 - workout.zero
    _check_pace(paths[-1], times, _FASTEST)
    return _Stream(table[:, 0], times, table[:, 2:])


def _check_pace(path: Path, times: NDArray[np.float64], fastest: float) -> None:
    """Refuses times from which no signal of a sane size can be made."""
    steps = np.diff(np.unique(times))
    if not steps.size or times[-1] - times[0] > _LONGEST_SECONDS or max(-times[0], times[-1]) > _LONGEST_SECONDS:
        raise DataError(f"{path}: {times[0]:.0f} s to {times[-1]:.0f} s is no workout; unpack the archive again")
    if 1 / np.median(steps) > fastest:
        raise DataError(f"{path} has {1 / np.median(steps):.0f} samples a second; unpack the archive again")


def _table(path: Path) -> NDArray[np.float64]:
    """What a sensor gave [T, C]: frame, milliseconds since 1970, values."""
    table = read_doubles(path, limit=_MAX_BYTES)
    if table.ndim != 2 or table.shape[1] < 3:
        raise DataError(f"{path} is {list(table.shape)} instead of [samples, columns]: unpack the archive again")
    _check_times(path, table[:, 0], table[:, 1])
    _check_values(path, table[:, 2:])
    return table


def _start(path: Path) -> float:
    """When a sensor gave its first sample, in seconds since 1970; only the beginning of the file is read."""
    first = np.array(read_first_pair(path))
    _check_times(path, first[:1], first[1:])
    return float(first[1]) / 1000


def _check_times(path: Path, frames: NDArray[np.float64], milliseconds: NDArray[np.float64]) -> None:
    since, until = (1000 * seconds for seconds in _EPOCH_SECONDS)
    counted = (frames >= 0) & (frames < LARGEST)
    if not (counted & (milliseconds > since) & (milliseconds < until)).all():
        raise DataError(f"{path}: its first columns are no frame and no ms since 1970: unpack the archive again")


def _check_values(path: Path, values: NDArray[np.float64]) -> None:
    if not (np.abs(values) < LARGEST).all():
        raise DataError(f"{path} has values that are not numbers of a sensor: unpack the archive again")
