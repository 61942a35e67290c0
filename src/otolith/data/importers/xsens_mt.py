"""Xsens MTi and MTw: the ASCII export of MT Manager, a text file for each tracker.

Comment lines (`//`) of varying number, then a line of column names, then rows (MT Manager User Manual, Exporting to
ASCII). SampleTimeFine counts 0.1 ms in 32 bits and may be empty; then PacketCounter (16 bits) at the stated update rate
is the clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import NORMALISED, Channel
from otolith.data.importers.rows import Rows, open_rows, read_numbers
from otolith.data.importers.session import Session, Stream, Wearing
from otolith.types import DataError, UnitError

TITLE = "Xsens MT Manager (ASCII export)"

_HEAD_BYTES = 16_384
_RATE = re.compile(r"//\s*(?:Update|Sample|Sampling) Rate:\s*([\d.]+)\s*Hz", re.IGNORECASE)
_VECTORS = {
    "Acc_": ("acc", True, ""),
    "FreeAcc_": ("acc", False, "world"),
    "Gyr_": ("gyro", None, ""),
    "Mag_": ("mag", None, ""),
}
"""First letters of a column to sensor, gravity and frame; the last letter is the axis."""


def recognises(path: Path) -> bool:
    """Whether this is a text file of MT Manager."""
    with suppress(OSError, UnicodeDecodeError):
        lines = _lines(path)
        return bool(lines) and lines[0].startswith("//") and _header(lines) < len(lines)
    return False


def read(path: Path, wearing: Wearing) -> Iterator[Session]:
    """The session in one file: one tracker.

    Raises:
        DataError: The file is damaged, or has no clock.
    """
    lines = _lines(path)
    above = _header(lines)
    stated = next((match for line in lines[:above] if (match := _RATE.match(line))), None)
    rows = open_rows(path, above=above)
    rate = float(stated[1]) if stated and 0 < float(stated[1]) <= 10_000 else None
    times, kept = clock(rows, 10_000, rate)
    stream, notes = sensors(rows, times, kept, wearing, {}, rate)
    yield Session(path.stem, (stream,), wearing.subject, notes=tuple(notes))


def _lines(path: Path) -> list[str]:
    if not path.is_file() or path.suffix.lower() not in (".txt", ".csv"):
        return []
    with path.open("rb") as content:
        return content.read(_HEAD_BYTES).decode("utf-8-sig", "replace").splitlines()


def _header(lines: Sequence[str]) -> int:
    """The line of column names: the first that is no comment; their number if it is none of MT Manager's."""
    found = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("//")), len(lines))
    named = found < len(lines) and lines[found].startswith("PacketCounter")
    return found if named and re.search(r"\b(?:Free)?(?:Acc|Gyr)_X\b", lines[found]) else len(lines)


def clock(rows: Rows, ticks: float, rate: float | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Seconds from the first row, and which rows have a time.

    Args:
        rows: A table of Xsens's, with SampleTimeFine or PacketCounter.
        ticks: SampleTimeFine counts so many in a second, in 32 bits.
        rate: Samples per second as stated, or None.

    Raises:
        DataError: Neither of the two can be used.
    """
    for name, per_second, size in (("SampleTimeFine", ticks, 2.0**32), ("PacketCounter", rate, 2.0**16)):
        if name not in rows.names or per_second is None:
            continue
        counts = read_numbers(rows, [name])[:, 0]
        kept = ~np.isnan(counts)
        if kept.mean() > 0.5:
            steps = np.diff(counts[kept], prepend=counts[kept][:1])
            steps[steps < -size / 2] += size  # the counter has begun anew
            return np.cumsum(steps) / per_second, kept
    raise DataError(
        f"{rows.path} has neither SampleTimeFine nor PacketCounter with a stated update rate, so it has no clock; "
        "export it again with them"
    )


def sensors(
    rows: Rows,
    times: NDArray[np.float64],
    kept: NDArray[np.bool_],
    wearing: Wearing,
    factors: dict[str, float],
    rate: float | None,
) -> tuple[Stream, list[str]]:
    """The columns that are read as a stream, and what to know of the others.

    Raises:
        UnitError: There is no acceleration and no angular rate.
    """
    device = wearing.device or "inertial sensor"
    columns, channels, scale = [], [], []
    for name in rows.names:
        vector = _VECTORS.get(name[:-1])
        if vector and name[-1] in "XYZ":
            sensor, gravity, frame = vector
            axis = name[-1].lower()
            unit = NORMALISED if sensor == "mag" else ""  # in units of the field at the factory's calibration
            prefix = "linear_" if gravity is False else ""
            columns.append(name)
            scale.append(factors.get(sensor, 1.0))
            channels.append(
                Channel(f"{prefix}{sensor}_{axis}", sensor, axis, wearing.placement, device, gravity,
                        frame or "sensor", unit)
            )  # fmt: skip
    if not {"acc", "gyro"} & {channel.sensor for channel in channels}:
        raise UnitError(f"{rows.path} has neither Acc_X nor Gyr_X; export inertial data with it")
    values = read_numbers(rows, columns)[kept] * np.array(scale)
    others = [name for name in rows.names if name and name not in (*columns, "PacketCounter", "SampleTimeFine")]
    notes = [f"left out: {', '.join(others[:12])}{', ...' if len(others) > 12 else ''}"] if others else []
    if "mag" in {channel.sensor for channel in channels}:
        notes.append("the magnetic field is in units of the calibration field, so it counts as normalised")
    return Stream(times, values, tuple(channels), rate, source=rows.path.name), notes
