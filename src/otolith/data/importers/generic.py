"""A person's own tables as one session: a CSV or Parquet file, or a folder with a file for each sensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from otolith.data.importers.mapping import TableMapping, read_yaml
from otolith.data.importers.session import Session, Stream, Wearing
from otolith.data.importers.table import Table, load
from otolith.data.recording import Annotation
from otolith.types import ConfigError, DataError

_MOST_FILES = 100


def read_mapping(path: Path, wearing: Wearing) -> dict[str, TableMapping]:
    """What the columns mean, for each file of a session by its name or a pattern of it, or under `""` for a lone table.

    A YAML file is that of a `TableMapping`, or has such mappings by file name under `files`, and beside it what holds
    for all of them.

    Args:
        path: The YAML file.
        wearing: Takes the place of what the file says of the whole table, where it is given.

    Raises:
        ConfigError: The file cannot be read, or a key or value is unknown.
        DataError: A column has no placement.
        UnitError: A unit is missing or unknown.
    """
    given = read_yaml(path)
    said: dict[str, Any] = {"placement": wearing.placement, "device": wearing.device}
    said |= {} if wearing.subject == Wearing("").subject else {"subject": wearing.subject}
    said = {key: value for key, value in said.items() if value}
    if not isinstance(given, dict) or "files" not in given:
        values = {**given, **said} if isinstance(given, dict) else given
        return {"": TableMapping.from_values(values, str(path))}
    shared = {key: value for key, value in given.items() if key != "files"}
    files = given["files"]
    if not isinstance(files, dict) or not 1 <= len(files) <= _MOST_FILES:
        raise ConfigError(f"{path}: 'files' must name each file of a session and map its columns")
    mappings = {}
    for name, values in files.items():
        plain = PurePosixPath(str(name))
        if plain.is_absolute() or not {"..", "**", "~"}.isdisjoint(plain.parts) or not plain.parts:
            raise ConfigError(f"{path}: '{name}' must be the name of a file in the session's folder")
        if not isinstance(values, dict):
            raise ConfigError(f"{path}, file '{name}': must map the columns of the file")
        mappings[str(plain)] = TableMapping.from_values({**shared, **values, **said}, f"{path}, file '{name}'")
    return mappings


def read(path: Path, mappings: Mapping[str, TableMapping]) -> Session:
    """The session in a table, or in a folder of tables that share a clock.

    Args:
        path: The table, or the folder.
        mappings: As `read_mapping` gives them.

    Raises:
        DataError: A file is missing or cannot be used, or the clocks of the files are of different kinds.
        UnitError: The time column has no unit.
    """
    if "" in mappings:
        return _session(path.stem, [(path, mappings[""])])
    if not path.is_dir():
        raise DataError(f"{path} is one file, and the mapping is of several; give the folder that holds them")
    return _session(path.name, [(_match(path, name), mapping) for name, mapping in mappings.items()])


def _match(folder: Path, name: str) -> Path:
    found = sorted(folder.glob(name))
    if len(found) != 1:
        some = ", ".join(path.name for path in found[:3]) or "none"
        raise DataError(
            f"one file '{name}' is needed in {folder}, and there is: {some}; correct its name in the mapping"
        )
    return found[0]


def _session(name: str, files: list[tuple[Path, TableMapping]]) -> Session:
    tables = [load(path, mapping) for path, mapping in files]
    notes = []
    first = _first(files, tables)
    subjects = {mapping.subject for _, mapping in files}
    if len(subjects) > 1:
        raise ConfigError(f"the files of one session are of one person, not of {', '.join(sorted(subjects))}")
    if len(files) > 1 and not all(table.clocked for table in tables):
        notes.append("files without a time column are taken to begin when the session does")
    streams: list[Stream] = []
    annotations: tuple[Annotation, ...] = ()
    for (path, mapping), table in zip(files, tables, strict=True):
        begins = 0.0 if table.origin is None else table.origin - first
        streams += _streams(table, mapping, path.name, begins)
        if mapping.label and not annotations:
            found = table.annotations(float(table.times[-1]) + 1 / table.rate)
            annotations = tuple(Annotation(a.start + begins, a.end + begins, a.activity) for a in found)
    streams = _told_apart(streams)
    utc = any(table.utc for table in tables)
    return Session(name, tuple(streams), subjects.pop(), annotations, first if utc else None, tuple(notes))


def _first(files: list[tuple[Path, TableMapping]], tables: list[Table]) -> float:
    """The earliest time in any of the tables, on their clock."""
    clocked = [(path, table) for (path, _), table in zip(files, tables, strict=True) if table.origin is not None]
    kinds = {table.utc: path.name for path, table in clocked}
    if len(kinds) > 1:
        raise DataError(
            f"the times of {kinds[True]} count from 1970 and those of {kinds[False]} do not, so nothing says how they "
            "belong together; leave one out"
        )
    return min((table.origin or 0.0 for _, table in clocked), default=0.0)


def _streams(table: Table, mapping: TableMapping, source: str, begins: float) -> list[Stream]:
    """One stream for what is in all rows, and one for each sensor that leaves most of them empty."""
    channels = mapping.channels()
    stated = mapping.rate if table.clocked else table.rate
    known = ~np.isnan(table.values)
    streams = []
    whole: list[int] = []
    for _, group in groupby(range(len(channels)), lambda i: (channels[i].sensor, channels[i].placement)):
        columns = list(group)
        rows = known[:, columns].any(axis=1)
        if rows.mean() > 0.6:
            whole += columns
            continue
        # Sensors that write by turns, or a slow one beside a fast one: where it is empty it was not read.
        part = table.values[rows][:, columns]
        own = tuple(channels[i] for i in columns)
        streams.append(Stream(table.times[rows] + begins, part, own, source=f"{source} ({own[0].sensor})"))
    if whole:
        kept = tuple(channels[i] for i in whole)
        streams.insert(0, Stream(table.times + begins, table.values[:, whole], kept, stated, source))
    return streams


def _told_apart(streams: list[Stream]) -> list[Stream]:
    """Channels of several files with the place in their names, where there are several places."""
    names = [channel.name for stream in streams for channel in stream.channels]
    if len(set(names)) == len(names):
        return streams
    return [
        replace(
            stream,
            channels=tuple(replace(c, name=f"{c.placement.replace(' ', '_')}_{c.name}") for c in stream.channels),
        )
        for stream in streams
    ]
