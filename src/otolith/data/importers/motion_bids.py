"""Motion-BIDS: a dataset, one of its people, or one of its recordings (BIDS specification, chapter Motion)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import GRAVITY, NORMALISED, SENSORS, Channel, to_si
from otolith.data.importers.rows import open_rows, read_numbers
from otolith.data.importers.session import Session, Stream, Wearing
from otolith.data.recording import Annotation, rest_magnitude
from otolith.types import DataError

TITLE = "Motion-BIDS (dataset, person or recording)"

_NAME = re.compile(r"sub-[A-Za-z0-9]+(?:_[a-z]+-[A-Za-z0-9]+)*_motion\.tsv")
_SENSORS = {"ACCEL": "acc", "GYRO": "gyro", "MAGN": "mag", "ORNT": "orientation", "POS": "position"}
_MOST_BYTES = 1024**2
_MOST_FILES = 100_000


class _Row(NamedTuple):
    """One line of channels.tsv that is read: its column in motion.tsv, what it becomes, and the factor to SI."""

    column: int
    channel: Channel
    factor: float


def recognises(path: Path) -> bool:
    """Whether there is a `*_motion.tsv` in the places where BIDS puts it."""
    with suppress(OSError):
        return bool(_files(path))
    return False


def _files(path: Path) -> list[Path]:
    """The recordings in a dataset, a person's folder or a session's, or the one that is given."""
    if path.is_file():
        return [path] if _NAME.fullmatch(path.name) else []
    found: list[Path] = []
    for place in ("", "sub-*/", "sub-*/ses-*/", "ses-*/"):
        found += [p for p in path.glob(f"{place}motion/*_motion.tsv") if _NAME.fullmatch(p.name)]
    return sorted(found)[:_MOST_FILES]


def read(path: Path, wearing: Wearing) -> Iterator[Session]:
    """A session for each run of each person; what several systems recorded in it shares a clock.

    Raises:
        DataError: A file that BIDS requires is missing or damaged.
    """
    files = _files(path)
    if not files:
        raise DataError(f"{path} holds no *_motion.tsv; give the folder of a BIDS dataset, or of one person in it")
    for name, group in groupby(sorted(files, key=_session), key=_session):
        yield _read_session(name, list(group), wearing)


def _entities(file: Path) -> dict[str, str]:
    """`task` to `walking`..."""
    return dict(part.split("-", 1) for part in file.name.split("_") if "-" in part)


def _session(file: Path) -> str:
    """The name of a recording without its tracking system: what it shares with those of the same run."""
    return "_".join(f"{key}-{value}" for key, value in _entities(file).items() if key != "tracksys")


def _read_session(name: str, files: list[Path], wearing: Wearing) -> Session:
    clocks = [_acquired(file) for file in files]
    known = [clock for clock in clocks if clock is not None]
    together = len(known) == len(files)
    streams: list[Stream] = []
    notes: list[str] = []
    annotations: tuple[Annotation, ...] = ()
    for file, clock in zip(files, clocks, strict=True):
        begins = (clock - min(known)).total_seconds() if together and clock else 0.0
        stream, said = _read_file(file, wearing, begins)
        streams.append(stream)
        notes += said
        annotations = annotations or _events(file, begins)
    if len(files) > 1 and not together:
        notes.append("scans.tsv does not say when each system began, so they are taken to begin together")
    subject = wearing.subject if wearing.subject != Wearing("").subject else _entities(files[0])["sub"]
    return Session(name, _distinct(streams), subject, annotations, notes=tuple(dict.fromkeys(notes)))


def _read_file(file: Path, wearing: Wearing, begins: float) -> tuple[Stream, list[str]]:
    about = _inherited(file, "_motion.json")
    rate = about.get("SamplingFrequency")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 10_000:
        raise DataError(f"{file}: its sidecar gives no SamplingFrequency in Hz, which BIDS requires; add it")
    lines = _table(_beside(file, "_channels.tsv"))
    rows = open_rows(file, "\t", header=False)
    if len(rows.names) != len(lines):
        raise DataError(f"{file} has {len(rows.names)} columns and its channels.tsv {len(lines)} lines; correct it")
    chosen, others = _channels(file, lines, wearing)
    latency = next((n for n, line in enumerate(lines) if line["type"] == "LATENCY"), None)
    wanted = [rows.names[row.column] for row in chosen] + ([rows.names[latency]] if latency is not None else [])
    values = read_numbers(rows, wanted)
    times = values[:, -1] if latency is not None else np.arange(len(values)) / float(rate)
    values = values[:, : len(chosen)] * np.array([row.factor for row in chosen])
    channels, notes = _with_gravity(tuple(row.channel for row in chosen), values, float(rate), lines)
    notes += [f"left out: {', '.join(others[:8])}{', ...' if len(others) > 8 else ''}"] if others else []
    return Stream(times + begins, values, channels, float(rate), file.name), notes


def _channels(file: Path, lines: list[dict[str, str]], wearing: Wearing) -> tuple[list[_Row], list[str]]:
    """What is read, and the names of what is not."""
    chosen, others = [], []
    for column, line in enumerate(lines):
        sensor = _said(line, "sensor") or _SENSORS.get(line["type"], "")
        axis = line["component"] if line["component"] in ("x", "y", "z") else ""
        if sensor not in SENSORS or (line["type"] in _SENSORS and not axis):
            others += [line["name"]] if line["type"] != "LATENCY" else []
            continue
        said = _said(line, "units") or NORMALISED
        unit, factor = to_si(said)
        if unit not in (SENSORS[sensor].unit, NORMALISED):
            raise DataError(f"{file}: '{said}' is not a unit of channel '{line['name']}'; correct its channels.tsv")
        placement = _said(line, "placement") or _said(line, "tracked_point") or wearing.placement
        world = _said(line, "reference_frame").lower() in ("world", "global")
        gravity = _said(line, "gravity") != "false" if sensor == "acc" else None
        channel = Channel(
            line["name"], sensor, axis, placement, wearing.device or _said(line, "device"), gravity,
            "world" if world else "sensor", NORMALISED if unit == NORMALISED else "",
        )  # fmt: skip
        chosen.append(_Row(column, channel, factor))
    if not chosen:
        raise DataError(f"{file} has no channel that otolith reads; its types are {', '.join(_types(lines))}")
    return chosen, others


def _types(lines: list[dict[str, str]]) -> list[str]:
    return sorted({line["type"][:20] for line in lines})


def _said(line: Mapping[str, str], key: str) -> str:
    value = line.get(key, "").strip()
    return "" if value == "n/a" else value


def _with_gravity(
    channels: tuple[Channel, ...], values: NDArray[np.float64], rate: float, lines: list[dict[str, str]]
) -> tuple[tuple[Channel, ...], list[str]]:
    """BIDS does not say whether gravity is in an acceleration: where no column does, the rest magnitude tells."""
    columns = [n for n, channel in enumerate(channels) if channel.sensor == "acc"]
    if not columns or any(_said(line, "gravity") for line in lines):
        return channels, []
    rest = rest_magnitude(values[:, columns[:3]].astype(np.float32), rate)
    inside = not rest < GRAVITY / 2
    words = "with" if inside else "without"
    note = f"at rest the acceleration reads {rest:.3g} m/s^2, so it is taken to be {words} gravity"
    new = [
        Channel(**{**channel.to_dict(), "gravity": inside}) if channel.sensor == "acc" else channel
        for channel in channels
    ]
    return tuple(new), [note]


def _distinct(streams: list[Stream]) -> tuple[Stream, ...]:
    """The streams, with names that no two channels share."""
    names = [channel.name for stream in streams for channel in stream.channels]
    if len(set(names)) == len(names):
        return tuple(streams)
    renamed = []
    for number, stream in enumerate(streams, start=1):
        channels = tuple(Channel(**{**c.to_dict(), "name": f"system{number}_{c.name}"}) for c in stream.channels)
        renamed.append(Stream(stream.times, stream.values, channels, stream.rate, stream.source))
    return tuple(renamed)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return content.read(_MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read as text in UTF-8; correct it") from error


def _table(file: Path) -> list[dict[str, str]]:
    """The lines of a small table."""
    try:
        lines = [dict(line) for line in csv.DictReader(io.StringIO(_text(file)), delimiter="\t", strict=True)]
    except csv.Error as error:
        raise DataError(f"{file} is not a table with tabs; correct it") from error
    required = ("name", "component", "type") if file.name.endswith("channels.tsv") else ()
    for number, line in enumerate(lines, start=2):
        if None in line or None in line.values() or any(not line.get(key) for key in required):
            raise DataError(f"{file}, line {number}: it has not the columns of the header, or lacks {required}")
    return lines


def _beside(file: Path, ending: str) -> Path:
    """The nearest file of this kind that is about the recording (BIDS, inheritance principle)."""
    found = [p for folder in _upwards(file) for p in sorted(folder.glob(f"*{ending}")) if _about(p, file)]
    if not found:
        raise DataError(f"{file} has no {ending.removeprefix('_')}, which BIDS requires; add it")
    return found[0]


def _inherited(file: Path, ending: str) -> dict[str, Any]:
    """What the JSON files say, from the dataset's down to the recording's own."""
    merged: dict[str, Any] = {}
    for folder in reversed(_upwards(file)):
        for place in sorted(folder.glob(f"*{ending}"), key=lambda p: len(_entities(p))):
            if not _about(place, file):
                continue
            try:
                said = json.loads(_text(place))
            except (ValueError, RecursionError) as error:
                raise DataError(f"{place} is not JSON; correct it") from error
            merged |= said if isinstance(said, dict) else {}
    return merged


def _upwards(file: Path) -> list[Path]:
    """The folder of a recording and those above it up to the dataset's."""
    depth = 3 if file.parent.parent.name.startswith("ses-") else 2
    return [file.parent, *list(file.parent.parents)[:depth]]


def _about(other: Path, file: Path) -> bool:
    return _entities(other).items() <= _entities(file).items()


def _events(file: Path, begins: float) -> tuple[Annotation, ...]:
    place = file.with_name(file.name.replace("_motion.tsv", "_events.tsv"))
    if not place.is_file():
        return ()
    notes = []
    for number, line in enumerate(_table(place), start=2):
        try:
            onset, lasts = float(line["onset"]), float(line["duration"])
        except (KeyError, ValueError) as error:
            raise DataError(f"{place}, line {number}: onset and duration must be seconds; correct it") from error
        if _said(line, "trial_type") and lasts > 0 and np.isfinite([onset, lasts]).all():
            notes.append(Annotation(onset + begins, onset + begins + lasts, line["trial_type"]))
    return tuple(notes)


def _acquired(file: Path) -> datetime | None:
    """When a recording began, as scans.tsv says."""
    with suppress(OSError, DataError, ValueError, KeyError):
        folder = file.parent.parent
        for scans in folder.glob("*_scans.tsv"):
            for line in _table(scans):
                if line["filename"].rpartition("/")[2] == file.name:
                    return datetime.fromisoformat(line["acq_time"]).replace(tzinfo=None)
    return None
