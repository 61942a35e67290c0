"""Movella (Xsens) DOT: the CSV that the app and the Data Exporter write, a file for each sensor.

A few lines such as `DeviceTag:,...` and `OutputRate:,60 Hz`, then column names, then rows. SampleTimeFine counts
microseconds in 32 bits; acceleration is in m/s², angular rate in degrees per second, the magnetic field in units of the
calibration field (Movella DOT User Manual, Measurement data and Data export).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from otolith.data.importers.rows import open_rows
from otolith.data.importers.session import Session, Wearing
from otolith.data.importers.xsens_mt import clock, sensors

TITLE = "Movella DOT (CSV of the app or the exporter)"

_HEAD_BYTES = 8192
_RATE = re.compile(r"OutputRate:?\s*,\s*\"?([\d.]+)", re.IGNORECASE)
_MOST_LINES = 30


def recognises(path: Path) -> bool:
    """Whether this is a CSV of a DOT."""
    with suppress(OSError, UnicodeDecodeError):
        return _header(_lines(path)) is not None
    return False


def read(path: Path, wearing: Wearing) -> Iterator[Session]:
    """The session in one file: one sensor.

    Raises:
        DataError: The file is damaged, or has no clock.
    """
    lines = _lines(path)
    above = _header(lines) or 0
    stated = next((match for line in lines[:above] if (match := _RATE.search(line))), None)
    rate = float(stated[1]) if stated and re.fullmatch(r"\d{1,3}(\.\d+)?", stated[1]) else None
    rows = open_rows(path, ",", above=above)
    times, kept = clock(rows, 1_000_000, rate or None)
    stream, notes = sensors(rows, times, kept, wearing, {"gyro": math.pi / 180}, rate or None)
    yield Session(path.stem, (stream,), wearing.subject, notes=tuple(notes))


def _lines(path: Path) -> list[str]:
    if not path.is_file() or path.suffix.lower() != ".csv":
        return []
    with path.open("rb") as content:
        return content.read(_HEAD_BYTES).decode("utf-8-sig", "ignore").splitlines()


def _header(lines: list[str]) -> int | None:
    """The line of column names, among the first; None if this is no file of a DOT."""
    for number, line in enumerate(lines[:_MOST_LINES]):
        names = [name.strip() for name in line.split(",")]
        if names[:2] == ["PacketCounter", "SampleTimeFine"] and {"Acc_X", "Gyr_X", "FreeAcc_X"} & set(names):
            return number
        if line.startswith("//"):
            return None  # MT Manager's
    return None
