"""A person's own recordings: one module for each kind of export.

A module has a `TITLE`, `recognises(path)`, a cheap look that never raises, and `read(path, wearing)`, which gives the
sessions in a file or folder. What makes recordings of them is `otolith.data.importers.clocks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from otolith.data.importers import generic
from otolith.data.importers.mapping import Column, TableMapping
from otolith.data.importers.session import Session, Stream, Wearing
from otolith.data.importers.table import read_columns, read_table
from otolith.types import ConfigError, DataError

__all__ = [
    "IMPORTERS",
    "Column",
    "Session",
    "Stream",
    "TableMapping",
    "Wearing",
    "detect",
    "importer",
    "read_columns",
    "read_table",
    "recognised",
    "sessions",
]

IMPORTERS: dict[str, str] = {
    "sensor-logger": "sensor_logger",
    "phyphox": "phyphox",
    "movella-dot": "movella_dot",
    "xsens-mt": "xsens_mt",
    "shimmer": "shimmer",
    "empatica-e4": "empatica_e4",
    "actigraph": "actigraph",
    "geneactiv": "geneactiv",
    "motion-bids": "motion_bids",
}
"""Name of an export, as the command takes it, to the module here that reads it."""


class Importer(Protocol):
    """What each of these modules has."""

    TITLE: str

    def recognises(self, path: Path) -> bool:
        """Whether the file or folder looks like this export, judged by names and first bytes; never raises."""

    def read(self, path: Path, wearing: Wearing) -> Iterator[Session]:
        """The sessions in the file or folder: usually one.

        Raises:
            DataError: It cannot be read, or is damaged.
        """


def importer(name: str) -> Importer:
    """The module for one kind of export.

    Raises:
        ConfigError: There is none of this name.
    """
    if name not in IMPORTERS:
        raise ConfigError(f"there is no importer '{name}'; choose one of {', '.join(IMPORTERS)}")
    return cast("Importer", import_module(f"{__name__}.{IMPORTERS[name]}"))


def recognised(path: Path) -> list[str]:
    """The names of the kinds of export that a file or folder looks like: one, or none."""
    return [name for name in IMPORTERS if importer(name).recognises(path)]


def detect(path: Path) -> str:
    """The name of the one kind of export that a file or folder is.

    Raises:
        DataError: Nothing is there, it is none that is known, or several look alike.
    """
    if not path.exists():
        raise DataError(f"there is no file or folder {path}; check the path")
    found = recognised(path)
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"{path} could be an export of {' or of '.join(found)}; say which with --format")
    raise DataError(
        f"{path} is no export that is known ({', '.join(IMPORTERS)}); for a CSV or Parquet table give a --mapping, "
        "which  --guess  proposes"
    )


def sessions(path: Path, wearing: Wearing, *, kind: str = "", mapping: Path | None = None) -> Iterator[Session]:
    """The sessions in a file or folder.

    Args:
        path: The file or folder; archives are unpacked by `otolith.data.importers.opening`.
        wearing: What it cannot say.
        kind: A name in `IMPORTERS`; empty finds it.
        mapping: The YAML file that says what the columns of a table mean, if it is none of these.

    Raises:
        ConfigError: The mapping cannot be read, or a placement is missing.
        DataError: It is no export that is known, or is damaged.
        UnitError: A unit is missing or unknown.
    """
    if mapping:
        yield generic.read(path, generic.read_mapping(mapping, wearing))
    else:
        yield from importer(kind or detect(path)).read(path, wearing)
