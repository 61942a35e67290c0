"""ActiGraph: the raw CSV that ActiLife or CentrePoint exports, read in days so that a week needs no more memory.

Ten lines of header that name device, rate and start, perhaps a line of column names, then rows in g, and for an IMU in
degrees per second and microtesla (ActiLife User Manual, Raw data export).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
from numpy.typing import NDArray

from otolith.data.channels import GRAVITY, Channel
from otolith.data.importers.session import Session, Stream, Wearing
from otolith.types import DataError, UnitError

TITLE = "ActiGraph (raw CSV)"

DAY = 86_400
"""Seconds of one session: what is longer is cut."""

_HEAD_BYTES = 8192
_FIRST = re.compile(r"-+ ?Data (?:Table )?File Created By (?:ActiGraph )?.*-+", re.IGNORECASE)
_RATE = re.compile(r" at (\d+(?:[.,]\d+)?) Hz", re.IGNORECASE)
_EPOCH = re.compile(r"Epoch Period \(hh:mm:ss\) (\d\d):(\d\d):(\d\d)")
_HEADER_LINES = 10
_COLUMNS = {
    "accelerometer": ("acc", True, GRAVITY),
    "gyroscope": ("gyro", None, math.pi / 180),
    "magnetometer": ("mag", None, 1.0),
}


class _Head(NamedTuple):
    """What the header says."""

    rate: float
    names: list[str]
    skip: int
    delimiter: str
    decimal: str


def recognises(path: Path) -> bool:
    """Whether this is a CSV of ActiGraph's."""
    with suppress(OSError):
        lines = _lines(path)
        return bool(lines) and _FIRST.match(lines[0]) is not None
    return False


def _lines(path: Path) -> list[str]:
    if path.suffix.lower() != ".csv" or not path.is_file():
        return []
    with path.open("rb") as content:
        return content.read(_HEAD_BYTES).decode("utf-8-sig", "replace").splitlines()


def read(path: Path, wearing: Wearing) -> Iterator[Session]:
    """The sessions in one file, of at most a day each.

    Raises:
        DataError: The file is damaged.
        UnitError: It holds counts, not raw acceleration.
    """
    head = _read_head(path)
    device = wearing.device or "activity monitor"
    columns, channels, factors = _channels(head, wearing.placement, device)
    if not channels:
        raise UnitError(f"{path} has no column of an accelerometer; export raw data")
    notes = ("its start is a local time, so its clock in UTC is not known",)
    for number, values in enumerate(_days(path, head, columns), start=1):
        times = np.arange(len(values)) / head.rate
        with np.errstate(over="ignore"):  # what is infinite is refused with its sample
            stream = Stream(times, values * factors, channels, head.rate, path.name)
        name = path.stem if number == 1 else f"{path.stem}_day{number}"
        yield Session(name, (stream,), wearing.subject, notes=notes if number == 1 else ())


def _read_head(path: Path) -> _Head:
    lines = _lines(path)
    if not lines:
        raise DataError(f"there is no file {path}, or it is empty; check the path")
    said = _RATE.search(lines[0]) if lines else None
    epoch = next((match for line in lines[:_HEADER_LINES] if (match := _EPOCH.search(line))), None)
    if not said or (epoch and any(int(part) for part in epoch.groups())):
        raise UnitError(f"{path} holds counts of epochs, which are no motion; export raw data (in Hz) from ActiLife")
    if len(lines) <= _HEADER_LINES:
        raise DataError(f"{path} is cut off within its header; export it again")
    line = lines[_HEADER_LINES]
    delimiter = ";" if line.count(";") >= 2 else ","
    named = "accelerometer" in line.lower()
    names = [name.strip() for name in line.split(delimiter)]
    if not named:
        names = [f"Accelerometer {axis}" for axis in "XYZ"]
    rate = float(said[1].replace(",", "."))
    if not 1 <= rate <= 1000:
        raise DataError(f"{path}, line 1: {rate:g} Hz is no rate of an ActiGraph; export it again")
    return _Head(rate, names, _HEADER_LINES + named, delimiter, "," if delimiter == ";" else ".")


def _channels(head: _Head, placement: str, device: str) -> tuple[list[str], tuple[Channel, ...], NDArray[np.float64]]:
    columns, channels, factors = [], [], []
    for name in head.names:
        kind, _, axis = name.lower().rpartition(" ")
        if kind in _COLUMNS and axis in ("x", "y", "z"):
            sensor, gravity, factor = _COLUMNS[kind]
            columns.append(name)
            channels.append(Channel(f"{sensor}_{axis}", sensor, axis, placement, device, gravity))
            factors.append(factor)
    return columns, tuple(channels), np.array(factors)


def _days(path: Path, head: _Head, columns: list[str]) -> Iterator[NDArray[np.float64]]:
    """The rows [T, C] of each day."""
    length = round(DAY * head.rate)
    held: list[NDArray[np.float64]] = []
    count = 0
    try:
        with pv.open_csv(
            path,
            read_options=pv.ReadOptions(column_names=head.names, skip_rows=head.skip, block_size=1 << 22),
            parse_options=pv.ParseOptions(delimiter=head.delimiter),
            convert_options=pv.ConvertOptions(
                include_columns=columns,
                column_types=dict.fromkeys(columns, pa.float64()),
                decimal_point=head.decimal,
            ),
        ) as batches:
            for batch in batches:
                held.append(np.column_stack([column.to_numpy(zero_copy_only=False) for column in batch.columns]))
                count += len(held[-1])
                while count >= length:
                    whole = np.concatenate(held)
                    yield whole[:length]
                    held, count = [whole[length:]], len(whole) - length
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} holds a line that is not {len(head.names)} numbers; export it again") from error
    if count:
        yield np.concatenate(held)
