"""Empatica E4: the zip or folder of CSV files that E4 connect gives.

The first row of a file is its start (UTC, s since 1970), the second its rate, then come the samples; acceleration is in
1/64 g (`info.txt`, which lies beside them).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import GRAVITY, Channel, triad
from otolith.data.importers.rows import open_rows, read_numbers
from otolith.data.importers.session import Session, Stream, Wearing
from otolith.types import DataError

TITLE = "Empatica E4 (zip or folder of CSV files)"

_FILES = {"ACC": "acc", "HR": "heart_rate", "TEMP": "temperature"}
_OTHERS = ("BVP", "EDA", "IBI", "tags")
_ACC_UNIT = GRAVITY / 64
_START = re.compile(rb"(\d{9,10}(?:\.\d+)?)(?:\s*,\s*\1){2}\s*\r?\n\s*(\d{1,3}(?:\.\d+)?)(?:\s*,\s*\2){2}\s*\r?\n")
_LATEST = 2**32


def recognises(path: Path) -> bool:
    """Whether this is a folder of an E4, or its ACC.csv."""
    with suppress(OSError):
        file = path / "ACC.csv" if path.is_dir() else path
        if file.name == "ACC.csv" and file.is_file():
            with file.open("rb") as content:
                return _START.match(content.read(256)) is not None
    return False


def read(path: Path, wearing: Wearing) -> Iterator[Session]:
    """The session in a folder, or in its ACC.csv alone.

    Raises:
        DataError: A file is damaged.
    """
    names = _FILES if path.is_dir() else {"ACC": "acc"}
    folder = path if path.is_dir() else path.parent
    read_files = {name: _read(folder / f"{name}.csv") for name in names if (folder / f"{name}.csv").is_file()}
    if "ACC" not in read_files:
        raise DataError(f"{folder} has no ACC.csv, which holds the acceleration; export the recording again")
    started = min(start for start, _, _ in read_files.values())
    device = wearing.device or "wristband"
    streams = []
    for name, (start, rate, values) in read_files.items():
        sensor = _FILES[name]
        channels = (
            triad("acc", wearing.placement, device=device, gravity=True)
            if sensor == "acc"
            else (Channel(sensor, sensor, "", wearing.placement, device),)
        )
        if values.shape[1] != len(channels):
            raise DataError(f"{folder / name}.csv has {values.shape[1]} columns, not {len(channels)}; export it again")
        times = start - started + np.arange(len(values)) / rate
        streams.append(Stream(times, values * (_ACC_UNIT if sensor == "acc" else 1.0), channels, rate, f"{name}.csv"))
    others = [name for name in _OTHERS if path.is_dir() and (folder / f"{name}.csv").is_file()]
    notes = (f"left out, as otolith has no such channel: {', '.join(others)}",) if others else ()
    yield Session(folder.name, tuple(streams), wearing.subject, started=started, notes=notes)


def _read(file: Path) -> tuple[float, float, NDArray[np.float64]]:
    """Start [s since 1970], rate [Hz], samples [T, C]."""
    rows = open_rows(file, ",", header=False)
    values = read_numbers(rows, rows.names)
    if len(values) < 2 or not np.isfinite(values[:2]).all():
        raise DataError(f"{file} does not begin with its start and its rate; export the recording again")
    start, rate = float(values[0, 0]), float(values[1, 0])
    if not 0 < start < _LATEST or not 0 < rate <= 1000:
        raise DataError(f"{file}: a start of {start:.0f} and a rate of {rate:g} are not of an E4; export it again")
    return start, rate, values[2:]
