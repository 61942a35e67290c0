"""Sensor Logger (iOS, Android): a zip or folder with a CSV for each sensor.

Units, signs and clocks as its author documents them (github.com/tszheichoi/awesome-sensor-logger: UNITS.md,
CROSSPLATFORM.md, COORDINATES.md). On iOS acceleration and gravity have Core Motion's sign, unless the setting
"Standardise Units & Frames" was on; on Android they are specific force.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from otolith.data.channels import GRAVITY, Channel, triad
from otolith.data.importers.rows import Rows, open_rows, read_numbers, require
from otolith.data.importers.session import Session, Stream, Wearing
from otolith.data.signal import from_core_motion
from otolith.types import DataError

TITLE = "Sensor Logger (zip or folder of CSV files)"

_HEAD = b"time,seconds_elapsed,"
_HEAD_BYTES = 65_536
_AXES = ("x", "y", "z")
_WRIST = {
    "acceleration": ("accelerationX", "accelerationY", "accelerationZ"),
    "gravity": ("gravityX", "gravityY", "gravityZ"),
    "rotation": ("rotationRateX", "rotationRateY", "rotationRateZ"),
}
_READ = ("TotalAcceleration", "AccelerometerUncalibrated", "Accelerometer", "Gravity", "Gyroscope", "Magnetometer",
         "WristMotion", "HeartRate", "Barometer")  # fmt: skip


@dataclass(frozen=True)
class _Phone:
    """What `Metadata.csv` says that decides signs and units."""

    ios: bool
    standardised: bool

    @property
    def core_motion(self) -> bool:
        return self.ios and not self.standardised


def recognises(path: Path) -> bool:
    """Whether this is a folder of Sensor Logger's, or one of its CSV files."""
    with suppress(OSError):
        if path.is_dir():
            return (path / "Metadata.csv").is_file() and any(_begins(path / f"{name}.csv") for name in _READ)
        return path.stem in _READ and _begins(path) and (path.parent / "Metadata.csv").is_file()
    return False


def _begins(file: Path) -> bool:
    if file.suffix != ".csv" or not file.is_file():
        return False
    with file.open("rb") as content:
        return content.read(len(_HEAD) + 3).removeprefix(b"\xef\xbb\xbf").startswith(_HEAD)


def read(path: Path, wearing: Wearing) -> Iterator[Session]:
    """The session in a folder, or in one of its files.

    Raises:
        DataError: A file is damaged, or nothing says which phone it was.
    """
    folder, names = (path, _READ) if path.is_dir() else (path.parent, (path.stem,))
    files = {name: folder / f"{name}.csv" for name in names if _begins(folder / f"{name}.csv")}
    phone = _phone(folder / "Metadata.csv")
    tables = {name: open_rows(file, ",") for name, file in files.items()}
    stamps = {name: _stamps(rows) for name, rows in tables.items()}
    filled = [times[0] for times in stamps.values() if len(times)]
    if not filled:
        raise DataError(f"{folder} holds no sample of a sensor that otolith reads; export the recording again")
    first = min(filled)
    clocks = {name: (times - first).astype(np.float64) / 1e9 for name, times in stamps.items()}
    streams = list(_streams(tables, clocks, phone, wearing))
    others = sorted(
        p.stem for p in folder.glob("*.csv") if p.stem not in (*_READ, "Metadata", "Annotation") and path.is_dir()
    )
    notes = [f"left out, as otolith has no such channel: {', '.join(others)}"] if others else []
    if path.is_dir() and (folder / "Annotation.csv").is_file():
        notes.append("Annotation.csv holds moments, not stretches, and is left out; give the activities with --labels")
    yield Session(folder.name, tuple(streams), wearing.subject, started=int(first) / 1e9, notes=tuple(notes))


def _phone(file: Path) -> _Phone:
    try:
        with file.open("rb") as content:
            text = content.read(_HEAD_BYTES).decode("utf-8-sig")
        row = next(csv.DictReader(io.StringIO(text)))
        said = {str(key).strip().lower(): str(value).strip().lower() for key, value in row.items()}
    except (OSError, UnicodeDecodeError, StopIteration, csv.Error) as error:
        raise DataError(
            f"{file} cannot be read, and it alone says whether the phone was an iPhone, whose acceleration has the "
            "other sign; export the recording again"
        ) from error
    platform = said.get("platform", "")
    if platform not in ("ios", "android"):
        raise DataError(f"{file}, line 2: platform '{platform[:40]}' is neither ios nor android; export it again")
    return _Phone(platform == "ios", said.get("standardisation", "") == "true")


def _stamps(rows: Rows) -> NDArray[np.int64]:
    """Nanoseconds since 1970 [T]."""
    require(rows, ["time"])
    column = rows.read(["time"]).column("time")
    try:
        stamps: NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid as error:
        bad = next((i for i, text in enumerate(column.to_pylist()) if not text.strip().lstrip("-").isdigit()), 0)
        raise DataError(f"{rows.where(bad)}: the time is not a number of nanoseconds; export it again") from error
    if len(stamps) and not 0 < int(stamps.min()) <= int(stamps.max()) < 2**62:
        raise DataError(f"{rows.path}: its times are not nanoseconds since 1970; export it again")
    return stamps


def _streams(
    tables: dict[str, Rows], clocks: dict[str, NDArray[np.float64]], phone: _Phone, wearing: Wearing
) -> Iterator[Stream]:
    device = wearing.device or "smartphone"

    def stream(name: str, values: NDArray[np.floating], channels: tuple[Channel, ...]) -> Stream:
        return Stream(clocks[name], values, channels, source=f"{tables[name].path.parent.name}/{name}.csv")

    def numbers(name: str) -> NDArray[np.float64]:
        return read_numbers(tables[name], list(_AXES))

    total = _total(tables, clocks, phone)
    if total:
        yield stream(*total, triad("acc", wearing.placement, device=device, gravity=True))
    if "Accelerometer" in tables:
        linear = _upright(numbers("Accelerometer"), phone)
        channels = triad("acc", wearing.placement, device=device, gravity=False, prefix="linear_")
        yield stream("Accelerometer", linear, channels)
    for name, sensor in (("Gyroscope", "gyro"), ("Magnetometer", "mag")):
        if name in tables:
            yield stream(name, numbers(name), triad(sensor, wearing.placement, device=device))
    if "WristMotion" in tables:
        acc, gyro = _wrist(tables["WristMotion"], phone)
        yield stream("WristMotion", np.hstack([acc, gyro]), (
            *triad("acc", "wrist", device="smartwatch", gravity=True, prefix="wrist_"),
            *triad("gyro", "wrist", device="smartwatch", prefix="wrist_"),
        ))  # fmt: skip
    for name, column, sensor in (("HeartRate", "bpm", "heart_rate"), ("Barometer", "pressure", "pressure")):
        if name in tables:
            place = "wrist" if sensor == "heart_rate" else wearing.placement
            carrier = "smartwatch" if sensor == "heart_rate" else device
            yield stream(name, read_numbers(tables[name], [column]), (Channel(sensor, sensor, "", place, carrier),))


def _upright(values: NDArray[np.float64], phone: _Phone) -> NDArray[np.floating]:
    """Acceleration in our sign."""
    return from_core_motion(values) if phone.core_motion else values


def _total(
    tables: dict[str, Rows], clocks: dict[str, NDArray[np.float64]], phone: _Phone
) -> tuple[str, NDArray[np.floating]] | None:
    """Acceleration with gravity, and the file whose times it has: as logged, else user acceleration plus gravity."""
    if "TotalAcceleration" in tables:
        return "TotalAcceleration", _upright(read_numbers(tables["TotalAcceleration"], list(_AXES)), phone)
    if {"Accelerometer", "Gravity"} <= tables.keys() and np.array_equal(clocks["Accelerometer"], clocks["Gravity"]):
        user, gravity = (read_numbers(tables[name], list(_AXES)) for name in ("Accelerometer", "Gravity"))
        return "Accelerometer", _upright(user + gravity, phone)
    if "AccelerometerUncalibrated" in tables:
        raw = read_numbers(tables["AccelerometerUncalibrated"], list(_AXES))
        return "AccelerometerUncalibrated", _upright(raw * (GRAVITY if phone.core_motion else 1.0), phone)
    return None


def _wrist(rows: Rows, phone: _Phone) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    acceleration, gravity, rotation = (read_numbers(rows, list(names)) for names in _WRIST.values())
    total = acceleration + gravity
    return (total if phone.standardised else from_core_motion(total * GRAVITY)), rotation
