"""phyphox (iOS, Android): the CSV export, a zip or folder with a table for each sensor, in any of its five dialects.

Layout as its source writes it (github.com/phyphox/phyphox-android, DataExport and SimpleExperimentCreator).
Acceleration is specific force in m/s² on both systems: the iOS app multiplies Core Motion's values by -9.81
(phyphox-ios, ExperimentSensorInput).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import Channel
from otolith.data.importers.rows import open_rows, read_numbers
from otolith.data.importers.session import Session, Stream, Wearing
from otolith.types import DataError

TITLE = "phyphox (CSV export: zip, folder or one table)"

_TIME = "Time (s)"
_HEAD_BYTES = 4096
_NAMED = re.compile(
    r"(?P<kind>Linear Acceleration|Acceleration|Gyroscope|Magnetic field) (?P<axis>[xyz]) \((?:m/s\^2|rad/s|[µμ]T)\)"
)
_BARE = re.compile(r"(?P<axis>[XYZ]) \((?:m/s\^2|rad/s|[µμ]T)\)")  # of older versions; the file's name says the rest
_SCALARS = {"Pressure (hPa)": "pressure", "Temperature (°C)": "temperature"}
_KINDS = {
    "Acceleration": ("acc", True),
    "Accelerometer": ("acc", True),
    "Linear Acceleration": ("acc", False),
    "Linear Accelerometer": ("acc", False),
    "Gyroscope": ("gyro", None),
    "Magnetic field": ("mag", None),
    "Magnetometer": ("mag", None),
}


class _Dialect(NamedTuple):
    """What separates columns and decimals."""

    delimiter: str
    decimal: str


def recognises(path: Path) -> bool:
    """Whether this is a folder of phyphox's tables, or one of them."""
    with suppress(OSError):
        return any(_channels(file, Wearing("there")) for file in _tables(path))
    return False


def read(path: Path, wearing: Wearing) -> Iterator[Session]:
    """The session in a folder or a table.

    Raises:
        DataError: A file is damaged.
    """
    streams, others = [], []
    starts = _starts(path / "meta" / "time.csv")
    for file in _tables(path):
        columns = _channels(file, wearing)
        if not columns:
            others.append(file.stem)
            continue
        dialect = _head(file)[1]
        values = read_numbers(
            open_rows(file, dialect.delimiter, decimal=dialect.decimal), [_TIME, *(name for name, _ in columns)]
        )
        values = values[~np.isnan(values[:, 0])]  # shorter columns are filled up with NaN
        times = _unpaused(values[:, 0], starts)
        streams.append(Stream(times, values[:, 1:], tuple(channel for _, channel in columns), source=file.name))
    notes = [f"left out, as otolith has no such channel: {', '.join(others)}"] if others else []
    if len(starts) > 1:
        notes.append(f"the recording was paused {len(starts) - 1} times; the pauses are gaps")
    name = path.name if path.is_dir() else path.stem
    started = starts[0][1] - starts[0][0] if starts else None
    yield Session(name, tuple(streams), wearing.subject, started=started, notes=tuple(notes))


def _tables(path: Path) -> list[Path]:
    """The tables of an export that begin with the time, in the order of their names."""
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path] if path.suffix == ".csv" and path.is_file() else []
    return [file for file in files if file.is_file() and _head(file)[0][:1] == [_TIME]]


def _head(file: Path) -> tuple[list[str], _Dialect]:
    """The names of the columns (none if it is no table of phyphox's) and the dialect."""
    with file.open("rb") as content:
        text = content.read(_HEAD_BYTES).decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.split("\n")
    delimiter = lines[0][len(_TIME) + 2 : len(_TIME) + 3]
    if not lines[0].startswith(f'"{_TIME}"') or delimiter not in (",", ";", "\t") or not delimiter:
        return [], _Dialect(",", ".")
    decimal = "," if delimiter != "," and len(lines) > 1 and "," in lines[1] else "."
    with suppress(csv.Error):
        names = [name.strip() for name in next(csv.reader([lines[0].rstrip("\r")], delimiter=delimiter))]
        return names, _Dialect(delimiter, decimal)
    return [], _Dialect(",", ".")


def _channels(file: Path, wearing: Wearing) -> list[tuple[str, Channel]]:
    """The columns that are read, with what they measure."""
    device = wearing.device or "smartphone"
    if file.stem == "Gravity":  # its columns are named as those of the accelerometer
        return []
    found = []
    for name in _head(file)[0]:
        named, bare = _NAMED.fullmatch(name), _BARE.fullmatch(name)
        kind = named["kind"] if named else file.stem if bare else ""
        if kind in _KINDS and (match := named or bare):
            sensor, gravity = _KINDS[kind]
            axis = match["axis"].lower()
            prefix = "linear_" if gravity is False else ""
            channel = Channel(f"{prefix}{sensor}_{axis}", sensor, axis, wearing.placement, device, gravity)
            found.append((name, channel))
        elif name in _SCALARS:
            found.append((name, Channel(_SCALARS[name], _SCALARS[name], "", wearing.placement, device)))
    return found


def _starts(file: Path) -> list[tuple[float, float]]:
    """Experiment time and system time (s since 1970) of each start; none where the file does not say."""
    if not file.is_file():
        return []
    with file.open("rb") as content:
        text = content.read(_HEAD_BYTES * 16).decode("utf-8", "replace").removeprefix("\ufeff")
    delimiter = text[len('"event"') : len('"event"') + 1]
    starts = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter or ","):
            if row and row[0] == "START":
                experiment, system = (float(cell.replace(",", ".")) for cell in row[1:3])
                starts.append((experiment, system))
    except (ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{file} cannot be read; export the recording again") from error
    sound = np.isfinite(starts).all() and all(np.diff(np.array(starts), axis=0).ravel() >= 0) if starts else True
    if not sound:
        raise DataError(f"{file}: its times go back or are no numbers; export the recording again")
    return starts


def _unpaused(times: NDArray[np.float64], starts: list[tuple[float, float]]) -> NDArray[np.float64]:
    """Times on a clock that runs on while the experiment, whose own clock stands still then, is paused."""
    if len(starts) < 2:
        return times
    begins, system = np.array(starts).T
    late = (system - begins) - (system[0] - begins[0])
    shifted: NDArray[np.float64] = times + late[np.clip(np.searchsorted(begins, times, "right") - 1, 0, None)]
    return shifted
