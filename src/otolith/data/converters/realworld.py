"""RealWorld (HAR): seven phones and watches on the body, eight activities (Sztyler & Stuckenschmidt 2016)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.channels import Channel
from otolith.data.converters import Part
from otolith.data.converters.layout import Content, Layout, shown
from otolith.data.converters.tables import find_folder, opened, read_columns
from otolith.data.converters.zips import Budget, Member, members, read_zip
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import merge_streams, short_gap
from otolith.types import DataError

_SENSORS = {"acc": "acc", "gyr": "gyro", "mag": "mag"}
"""Of the archive's light, location and sound there is no use here."""
_TITLES = {"acc": "acc", "Gyroscope": "gyr", "MagneticField": "mag"}
_PERSON = re.compile(r"proband(\d+)")
_BUNDLE = re.compile(r"(acc|gyr|mag)_([a-z]+)(?:_(\d))?_csv(\.zip)?")
_TABLE = re.compile(r"(acc|Gyroscope|MagneticField)_([a-z]+)(?:_(\d))?_([a-z]+)\.csv")
_AXES = ("attr_x", "attr_y", "attr_z")
_LAYOUT = Layout({"id": None, "attr_time": np.int64, **dict.fromkeys(_AXES, np.float64)}, header=True)
_AGAIN = "unpack the whole archive again"

_BLOCK = 500
"""Samples over which the interval between them is measured, at the most; a second of stalling hardly matters then."""
_RATES = (10.0, 250.0)
_LONGEST_SECONDS = 3 * 3600.0  # an activity lasts about ten minutes

# The largest table seen has 1.7 MB, and a zip holds seven of them, packed to less than half.
_MAX_TABLE = 16 * 1024**2
_MAX_ZIP = 64 * 1024**2
_DEEPEST = 1  # zips within a zip

_Files = dict[str, tuple[Path, ...]]
"""Where the tables of a person's activity are, by sensor: a zip, or files and folders that were unpacked from one."""
_Place = tuple[int, str]
"""Part of the recording and position on the body."""
_Load = Callable[[], Content]
"""Reads a table."""


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each person, activity, part and position, from the zips in the archive or what is in them.

    The recordings of one part share a session; each starts at its own time.

    Raises:
        DataError: A file is missing or damaged, or a person or activity is unknown.
    """
    folder = find_folder(raw_dir, (".", "realworld2016_dataset"), "proband*/data/acc_*", card.name)
    people = {}
    for place in folder.glob("proband*"):
        if match := _PERSON.fullmatch(place.name):
            if not 1 <= int(match[1]) <= card.subjects:
                raise DataError(f"{place} is not of '{card.name}': expected proband1 to proband{card.subjects}")
            people[int(match[1])] = place
    for _, place in sorted(people.items()):
        for activity, files in _activities(place / "data", card).items():
            yield partial(_read, place.name, activity, files, card)


def _activities(folder: Path, card: DatasetCard) -> dict[str, _Files]:
    """What there is of each activity; of something zipped and its unpacked copy, the zip."""
    found: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(folder.glob("*")):
        bundle, table = _BUNDLE.fullmatch(path.name), _TABLE.fullmatch(path.name)
        if match := bundle or table:
            sensor, activity = match[1] if bundle else _TITLES[match[1]], match[2]
            if activity not in card.activities:
                raise DataError(f"{path}: activity '{activity}' is not one of {', '.join(card.activities)}")
            found.setdefault((activity, sensor), []).append(path)
    activities: dict[str, _Files] = {}
    for activity in sorted({activity for activity, _ in found}):
        for sensor in _SENSORS:
            paths = found.get((activity, sensor))
            if paths is None:  # each person did each activity with all three sensors
                raise DataError(f"{folder / f'{sensor}_{activity}_csv.zip'} is missing: {_AGAIN}")
            zips = [path for path in paths if path.name.endswith(".zip")]
            activities.setdefault(activity, {})[sensor] = tuple(zips or paths)
    return activities


def _read(subject: str, activity: str, files: _Files, card: DatasetCard) -> list[Recording]:
    tables: dict[_Place, dict[str, _Load]] = {}
    for sensor, paths in files.items():
        for place, load in _tables(paths, sensor, activity, card).items():
            tables.setdefault(place, {})[sensor] = load
    numbers = sorted({number for number, _ in tables})
    recordings = []
    for number in numbers:
        # With one part its number says nothing: five recordings of one part have it numbered 2.
        name = f"{subject}_{activity}" + (f"_{number}" if len(numbers) > 1 else "")
        positions = {position: at for (part, position), at in tables.items() if part == number}
        merged = {position: _merged(at, card.rate) for position, at in sorted(positions.items())}
        first = min(start for _, start in merged.values())
        for position, (signal, start) in merged.items():
            session, offset = (name, round(start - first, 6)) if len(merged) > 1 else ("", 0.0)
            channels = _channels(card, position, positions[position])
            whole = Annotation(0.0, len(signal) / card.rate, card.activities[activity])
            recordings.append(
                Recording(
                    signal, card.rate, channels, subject, f"{name}_{position}", (whole,), session=session, offset=offset
                )
            )
    return recordings


def _channels(card: DatasetCard, position: str, sensors: Iterable[str]) -> tuple[Channel, ...]:
    wanted = {_SENSORS[sensor] for sensor in sensors}
    return tuple(c for c in card.channels if _in_archive(c.placement) == position and c.sensor in wanted)


def _in_archive(placement: str) -> str:
    return placement.replace(" ", "")


def _merged(sensors: dict[str, _Load], rate: float) -> tuple[NDArray[np.float32], float]:
    """Signal [T, 3 for each sensor] in SI, and the time of its first sample in seconds since 1970.

    The units are Android's, m/s^2, rad/s and uT. Where numbers could be seen they agree (proband1 walking, shin):
    standing before the start, the accelerometer reads 10.1 upwards, and while the shin swings gravity turns the way
    the gyroscope says, at 0.6 of its rate (were it in deg/s, at 0.01).
    """
    streams, tables = [], []
    for load in sensors.values():
        table = load()
        columns = read_columns(table, _LAYOUT)
        values = np.column_stack([columns[axis] for axis in _AXES])
        streams.append((_even(table, columns["attr_time"].astype(np.float64) / 1000), values))
        tables.append(str(table))
    try:
        signal, start = merge_streams(streams, rate, short_gap(rate))
    except DataError as error:
        raise DataError(f"{' and '.join(tables)}: {error}") from error
    return signal.astype(np.float32), start


def _even(table: Content, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """When the samples were taken; a stamp says when one was handed over, at the earliest at once.

    Now and then a phone is busy, for up to 1.5 s, and hands over afterwards what has gathered, one sample a
    millisecond. In the table that could be seen, nothing is lost there: it has 49.95 samples for each second, and the
    times given here stray by at most 0.05 s from a line, the stamps by 1.5 s. Each sample comes a little less than an
    interval after the one before, or as much later as all stamps from there on say: so a real gap stays one.

    Raises:
        DataError: The stamps are no milliseconds.
    """
    width = max(1, min(_BLOCK, len(seconds) // 10))
    usual = float(np.median((seconds[width:] - seconds[:-width]) / width)) if len(seconds) > 1 else 0.0
    if not 1 / _RATES[1] <= usual <= 1 / _RATES[0]:
        rate = 1 / usual if usual > 0 else 0.0
        raise DataError(
            f"{table}: column attr_time gives {rate:.3g} Hz where about 50 is expected, so it is not in milliseconds "
            f"or not in order; {_AGAIN}"
        )
    steady = np.arange(len(seconds)) * (0.98 * usual)
    times = np.asarray(steady + np.minimum.accumulate((seconds - steady)[::-1])[::-1], dtype=np.float64)
    length = float(times[-1] - times[0])
    if length > _LONGEST_SECONDS:
        raise DataError(f"{table}: column attr_time spans {length:.0f} s where about 600 are expected; {_AGAIN}")
    return times


def _tables(paths: Sequence[Path], sensor: str, activity: str, card: DatasetCard) -> dict[_Place, _Load]:
    """The tables of one sensor during one activity, not yet read."""
    positions = {_in_archive(channel.placement) for channel in card.channels}
    tables: dict[_Place, _Load] = {}
    for part, member in chain.from_iterable(_members(path) for path in paths):
        match = _TABLE.fullmatch(member.name)
        fits = match is not None and (_TITLES[match[1]], match[2]) == (sensor, activity) and match[4] in positions
        if match is None or not fits:
            raise DataError(
                f"{member.place} is no table of {sensor} while {activity}, at one of {', '.join(sorted(positions))}: "
                f"{_AGAIN}"
            )
        # Part 1 has its number in the names of some zips, and of no table.
        at = (part or int(match[3] or 1), match[4])
        if at in tables:
            raise DataError(f"{member.place} is there twice: {_AGAIN}")
        tables[at] = partial(_load, member)
    return tables


def _load(member: Member) -> Content:
    content = member.read(_MAX_TABLE + 1)
    if len(content) > _MAX_TABLE:
        raise DataError(f"{member.place} is larger than any table published: {_AGAIN}")
    return Content(member.place, content)


def _members(path: Path, part: int = 0, depth: int = 0) -> Iterator[tuple[int, Member]]:
    """The tables in a zip, in a folder that was unpacked from one, or the one that `path` is.

    Each comes with what the zip around it says of its part, 0 if nothing.
    """
    bundle = _BUNDLE.fullmatch(path.name)
    part = int(bundle[3]) if bundle and bundle[3] else part
    if bundle is None:
        yield part, Member(path.name, f"{path.parent}/{shown(path.name)}", partial(_head, path))
    elif path.name.endswith(".zip"):
        content = _head(path, _MAX_ZIP + 1)
        yield from _zipped(content, str(path), part, Budget.of(content, _MAX_ZIP), depth)
    elif depth <= _DEEPEST:
        inside = sorted(inner for inner in path.glob("*") if _matters(inner.name))
        zips = {inner.name for inner in inside if inner.name.endswith(".zip")}
        for inner in inside:
            if f"{inner.name}.zip" not in zips:
                yield from _members(inner, part, depth + 1)


def _matters(name: str) -> bool:
    """Whether it is a table or holds some; beside these there are a readMe and what systems leave behind."""
    return not name.startswith(".") and (name.endswith(".csv") or _BUNDLE.fullmatch(name) is not None)


def _head(path: Path, count: int) -> bytes:
    with opened(path) as file:
        return file.read(count)


def _zipped(content: bytes, place: str, part: int, budget: Budget, depth: int = 0) -> Iterator[tuple[int, Member]]:
    """The tables in a zip and in the zips within it.

    Raises:
        DataError: It is damaged, or not what the authors could have made.
    """
    if len(content) > _MAX_ZIP or depth > _DEEPEST:
        raise DataError(f"{place} is larger or nested deeper than any published: {_AGAIN}")
    for member in members(content, place, budget):
        if _matters(member.name):
            bundle = _BUNDLE.fullmatch(member.name)
            if bundle is None:
                yield part, member
            else:
                inner = read_zip(member, budget)
                yield from _zipped(inner, member.place, int(bundle[3] or part or 1), budget, depth + 1)
