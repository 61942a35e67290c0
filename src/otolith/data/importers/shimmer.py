"""Shimmer3: the CSV that ConsensysPRO or ConsensysBASIC exports, a file for each sensor unit.

A line `sep=...`, a line of names `<unit>_<signal>_<axis>_CAL`, a line of units, then rows (Consensys User Guide).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from otolith.data.channels import NORMALISED, SENSORS, Channel, to_si
from otolith.data.importers.rows import Rows, open_rows, read_numbers
from otolith.data.importers.session import Session, Stream, Wearing
from otolith.types import ConfigError, DataError, UnitError

TITLE = "Shimmer Consensys (CSV)"

_HEAD_BYTES = 16_384
_SIGNAL = re.compile(r"(?P<unit>.+?)_(?P<signal>Accel_LN|Accel_WR|Gyro|Mag)_(?P<axis>[XYZ])_(?P<form>CAL|RAW)")
_CLOCK = re.compile(r".+?_Timestamp(?:Sync)?_(?P<form>Unix_|FormattedUnix_)?CAL")
_UNITS = {"m/(s^2)": "m/s^2", "m/(sec^2)": "m/s^2", "deg/s": "deg/s", "u_T": "uT", "local_flux": NORMALISED}
_SENSORS = {"Accel_LN": "acc", "Accel_WR": "acc", "Gyro": "gyro", "Mag": "mag"}


class _Head(NamedTuple):
    """What stands above the rows."""

    delimiter: str
    above: int
    names: list[str]
    units: list[str]


def recognises(path: Path) -> bool:
    """Whether this is a CSV of Consensys."""
    with suppress(OSError, UnicodeDecodeError):
        head = _head(path)
        return head is not None and any(map(_SIGNAL.fullmatch, head.names)) and any(map(_CLOCK.fullmatch, head.names))
    return False


def _head(path: Path) -> _Head | None:
    if not path.is_file() or path.suffix.lower() not in (".csv", ".txt"):
        return None
    with path.open("rb") as content:
        lines = content.read(_HEAD_BYTES).decode("utf-8-sig", "replace").splitlines()
    said = re.match(r'"?sep=(\\t|.)"?', lines[0]) if lines else None
    above = 1 if said else 0
    if len(lines) < above + 2:
        return None
    delimiter = said[1].replace("\\t", "\t") if said else max(",;\t", key=lines[0].count)
    names, units = ([cell.strip().strip('"') for cell in line.split(delimiter)] for line in lines[above : above + 2])
    return _Head(delimiter, above, names, units)


def read(path: Path, wearing: Wearing) -> Iterator[Session]:
    """The session in one file: one sensor unit.

    Raises:
        ConfigError: The file holds several units, which have places of their own.
        DataError: The file is damaged.
        UnitError: It holds no calibrated motion, or in an unknown unit.
    """
    head = _head(path)
    if head is None:
        raise DataError(f"{path} is cut off within its header; export it again")
    found = [match for name in head.names if (match := _SIGNAL.fullmatch(name))]
    units = sorted({match["unit"] for match in found})
    if len(units) > 1:
        raise ConfigError(f"{path} holds several sensors ({', '.join(units[:4])}); export a file for each one")
    kept = [match for match in found if match["form"] == "CAL"]
    if not kept:
        raise UnitError(f"{path} holds uncalibrated values, which have no unit; export calibrated data (CAL)")
    both = {"Accel_LN", "Accel_WR"} <= {match["signal"] for match in kept}
    kept = [match for match in kept if not (both and match["signal"] == "Accel_WR")]
    rows = open_rows(path, head.delimiter, above=head.above, below=1)
    device = wearing.device or "inertial sensor"
    channels, factors = zip(*(_channel(path, match, head, wearing.placement, device) for match in kept), strict=True)
    values = read_numbers(rows, [match[0] for match in kept]) * np.array(factors)
    times, started, notes = _times(rows, head)
    if both:
        notes.append("the wide-range accelerometer is left out beside the low-noise one")
    others = [name for name in head.names if name and not _SIGNAL.fullmatch(name) and not _CLOCK.fullmatch(name)]
    notes += [f"left out: {', '.join(others[:8])}{', ...' if len(others) > 8 else ''}"] if others else []
    stream = Stream(times, values, channels, source=path.name)
    yield Session(path.stem, (stream,), wearing.subject, started=started, notes=tuple(notes))


def _channel(path: Path, match: re.Match[str], head: _Head, placement: str, device: str) -> tuple[Channel, float]:
    said = head.units[head.names.index(match[0])] if head.names.index(match[0]) < len(head.units) else ""
    sensor, axis = _SENSORS[match["signal"]], match["axis"].lower()
    unit, factor = to_si(_UNITS.get(said, said))
    if unit not in (SENSORS[sensor].unit, NORMALISED):
        raise UnitError(f"{path}: '{said}' is not a unit of column '{match[0]}'; export the file again")
    channel = Channel(
        f"{sensor}_{axis}", sensor, axis, placement, device, True if sensor == "acc" else None,
        unit=NORMALISED if unit == NORMALISED else "",
    )  # fmt: skip
    return channel, factor


def _times(rows: Rows, head: _Head) -> tuple[NDArray[np.float64], float | None, list[str]]:
    """Seconds [T] from the first row, when that was in UTC (None if nothing says it), and notes."""
    clocks = {match["form"] or "": name for name in head.names if (match := _CLOCK.fullmatch(name))}
    for form in ("Unix_", ""):
        if form in clocks:
            stamps = read_numbers(rows, [clocks[form]])[:, 0]
            if not len(stamps) or np.isnan(stamps[0]):
                raise DataError(f"{rows.path} has no time in its first row; export it again")
            return (stamps - stamps[0]) / 1000, (stamps[0] / 1000 if form else None), []
    if not clocks:
        raise DataError(f"{rows.path} has no column of a clock; export it again, with a timestamp")
    column = rows.read([clocks["FormattedUnix_"]]).column(0)
    try:
        text = pc.replace_substring(pc.utf8_trim_whitespace(column), "/", "-")
        ticks = text.cast(pa.timestamp("ms")).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{rows.path}: its times are no dates such as 2024/03/01 12:00:00.000; export it again"
        ) from error
    return (ticks - ticks[:1]) / 1000, None, ["the times are local, so the clock in UTC is not known"]
