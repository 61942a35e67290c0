"""What the columns of a person's own table mean: sensor, axis, unit, placement, clock."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from otolith.data.channels import NORMALISED, SENSORS, Channel, to_si
from otolith.data.importers.rows import listed, nearest
from otolith.types import ConfigError, DataError, UnitError

TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Seconds in each unit that a time column may have."""

_MAX_YAML_BYTES = 1024**2
_SENSOR_NAMES = {
    "acc": ("acc", "accel", "accelerometer", "acceleration", "a"),
    "gyro": ("gyro", "gyr", "gyroscope", "g"),
    "mag": ("mag", "magn", "magnetometer", "m"),
}
_SENSOR_OF = {name: sensor for sensor, names in _SENSOR_NAMES.items() for name in names}
_OBVIOUS = re.compile(rf"({'|'.join(_SENSOR_OF)})[ _.-]?([xyz])")
_TIME_NAMES = {"time": "", "timestamp": "", "t": "", "seconds": "s", "milliseconds": "ms"}


@dataclass(frozen=True)
class Column:
    """What one column of a table measures.

    Attributes:
        sensor: A key of `otolith.data.channels.SENSORS`, for example `acc`.
        axis: `x`, `y`, `z`, or empty for a scalar.
        unit: The unit in the file, for example `g`; it is never guessed.
        gravity: Whether gravity is in it; acceleration only.
        placement: Where on the body; empty takes the table's.
        scale: What the numbers are multiplied by to be in `unit`: 0.015625 where 64 is one g.
        plus: Another column, in the same numbers, to add: Core Motion gives gravity and the rest apart.
    """

    sensor: str
    axis: str = ""
    unit: str = ""
    gravity: bool | None = None
    placement: str = ""
    scale: float = 1.0
    plus: str = ""


@dataclass(frozen=True)
class TableMapping:
    """What the columns of a table mean.

    Attributes:
        columns: The columns to read, by their names in the file; other columns are ignored.
        placement: Where on the body the device was, in plain words: `left wrist`.
        rate: Samples per second; needed where there is no time column, checked against it where there is one.
        time: Name of the time column; empty when the rows follow each other at `rate`.
        time_unit: `s`, `ms`, `us` or `ns`; may be empty where `rate` tells it, or the times are dates.
        device: What was worn, in plain words; may be empty.
        subject: Who wore it.
        label: Name of a column with the activity of each row; may be empty.
        delimiter: What separates the columns of a CSV; empty finds it from the header.
        above: Lines of a CSV before the line of column names.
        below: Lines of a CSV between the names and the first row, such as units.
        header: Whether a CSV has a line of column names; else they are `column 1`, `column 2`, ...
        decimal: What stands before the decimals: `.` or `,`.
        core_motion: Whether acceleration is as Apple's Core Motion gives it, at rest towards the ground; it is then
            negated (see `otolith.data.signal`).
    """

    columns: Mapping[str, Column]
    placement: str
    rate: float | None = None
    time: str = ""
    time_unit: str = ""
    device: str = ""
    subject: str = "unknown"
    label: str = ""
    delimiter: str = ""
    core_motion: bool = False
    above: int = 0
    below: int = 0
    header: bool = True
    decimal: str = "."

    def __post_init__(self) -> None:
        if not self.columns:
            raise ConfigError("no columns are given; say which columns to read and what each one measures")
        if not self.time and self.rate is None:
            raise ConfigError("neither a time column nor a rate is given; give the samples per second (rate)")
        if self.rate is not None and not 1 <= self.rate <= 10_000:
            raise ConfigError(f"a rate of {self.rate} Hz is not plausible; give samples per second (1 to 10000)")
        if self.time_unit and self.time_unit not in TIME_UNITS:
            raise UnitError(f"unknown time unit '{self.time_unit}'; use one of {', '.join(TIME_UNITS)}")
        if len(self.delimiter) > 1 or not self.delimiter.replace("\t", "").isprintable():
            raise ConfigError(f"delimiter {self.delimiter!r} is not one character; give one, or none to find it")
        if self.decimal not in (".", ",") or self.decimal == self.delimiter:
            raise ConfigError(f"decimal '{self.decimal}' must be a point or a comma, and not the delimiter")
        if not (0 <= self.above < 1000 and 0 <= self.below < 1000):
            raise ConfigError(f"above: {self.above}, below: {self.below} must be numbers of lines (0 to 999)")
        twice = [name for name in (self.time, self.label) if name and name in self.columns]
        if twice or (self.time and self.time == self.label):
            raise ConfigError(f"column '{(twice or [self.time])[0]}' is used twice; give each column one meaning")
        self.channels()
        self.factors()

    def channels(self) -> tuple[Channel, ...]:
        """The channels that the columns become, in their order, in SI.

        Raises:
            DataError: Two columns measure the same thing, or a column's sensor or axis is unknown.
            UnitError: A unit is missing, unknown, or of another sensor.
        """
        places = {column.placement or self.placement for column in self.columns.values()}
        seen: dict[str, str] = {}
        channels = []
        for name, column in self.columns.items():
            channel = self._channel(name, column, prefix=len(places) > 1)
            if channel.name in seen:
                raise DataError(
                    f"columns '{seen[channel.name]}' and '{name}' are both {channel.description}; "
                    "leave one out or give them different placements"
                )
            seen[channel.name] = name
            channels.append(channel)
        return tuple(channels)

    def _channel(self, name: str, column: Column, *, prefix: bool) -> Channel:
        place = column.placement or self.placement
        if not place:
            raise DataError(f"column '{name}' has no placement; say where on the body it was, such as left wrist")
        words = [place.replace(" ", "_")] if prefix else []
        # `linear` keeps the two triads apart that phones give: acceleration with gravity and without.
        words += ["linear"] if column.gravity is False else []
        words += [column.sensor, column.axis] if column.axis else [column.sensor]
        unit = NORMALISED if column.unit and to_si(column.unit)[0] == NORMALISED else ""
        return Channel("_".join(words), column.sensor, column.axis, place, self.device, column.gravity, unit=unit)

    def factors(self) -> tuple[float, ...]:
        """For each column, the number that turns its values into SI and into Otolith's sign.

        Raises:
            UnitError: A unit is missing, unknown, or of another sensor.
        """
        factors = []
        for name, column in self.columns.items():
            sensor = SENSORS[column.sensor]
            if not column.unit:
                raise UnitError(f"column '{name}' ({sensor.words}) has no unit; give it, for example {sensor.unit}")
            unit, factor = to_si(column.unit)
            if unit not in (sensor.unit, NORMALISED):
                raise UnitError(
                    f"column '{name}': '{column.unit}' is not a unit of the {sensor.words}; "
                    f"give the unit of the file, for example {sensor.unit}"
                )
            if not 1e-9 <= abs(column.scale) <= 1e9:
                raise UnitError(f"column '{name}': a scale of {column.scale} is not plausible; give 1 or leave it out")
            factor *= column.scale
            factors.append(-factor if self.core_motion and column.sensor == "acc" else factor)
        return tuple(factors)

    @classmethod
    def from_yaml(cls, path: Path | str) -> TableMapping:
        """Reads a mapping whose keys are the attributes of this class and, under `columns`, of `Column`.

        Raises:
            ConfigError: The file cannot be read, or a key or value is unknown.
            UnitError: A unit is missing or unknown.
        """
        return cls.from_values(read_yaml(Path(path)), str(path))

    @classmethod
    def from_values(cls, given: Any, where: str) -> TableMapping:
        """As `from_yaml`, of what YAML gave; `where` is for sentences.

        Raises:
            ConfigError: A key or value is unknown.
            UnitError: A unit is missing or unknown.
        """
        values = _known(given, cls, where)
        columns = values.pop("columns", None)
        if not isinstance(columns, dict) or not columns:
            raise ConfigError(f"{where}: 'columns' must name each column to read and say what it measures")
        read = {}
        for name, column in columns.items():
            of = f"{where}, column '{name}'"
            read[str(name)] = Column(**_typed(_known(column, Column, of), Column, of))
        return cls(columns=read, **{"placement": "", **_typed(values, cls, where)})

    @classmethod
    def standard(
        cls,
        columns: Iterable[str],
        *,
        acc_unit: str = "",
        gyro_unit: str = "",
        mag_unit: str = "",
        placement: str,
        rate: float | None = None,
        time_unit: str = "",
        gravity: bool = True,
        device: str = "",
        subject: str = "unknown",
        label: str = "",
        delimiter: str = "",
        core_motion: bool = False,
    ) -> TableMapping:
        """The mapping of a table whose columns are named in the obvious ways, in upper or lower case.

        `acc_x`, `accelerometer_x`, `accel x`, `ax`; `gyro_x`, `gyroscope_x`, `gx`; `mag_x`, `magnetometer_x`, `mx`; and
        `time`, `timestamp`, `t`, `seconds` for the clock.

        Args:
            columns: The names in the file's header (`read_columns`).
            acc_unit: Unit of the accelerometer's columns; needed when there are any, as for the other two.
            gyro_unit: Unit of the gyroscope's columns.
            mag_unit: Unit of the magnetometer's columns.
            placement: As in the class, like all that follow.
            rate: Samples per second.
            time_unit: Unit of the time column.
            gravity: Whether gravity is in the acceleration.
            device: What was worn.
            subject: Who wore it.
            label: Name of the column of activities.
            delimiter: What separates the columns.
            core_motion: Whether acceleration points to the ground at rest.

        Raises:
            DataError: No column has an obvious name, or two columns name the same axis.
            UnitError: A sensor is there and its unit is not given.
        """
        columns = [name for name in columns if name != label]
        units = {"acc": acc_unit, "gyro": gyro_unit, "mag": mag_unit}
        found = _obvious(columns, units, gravity)
        time = next((name for name in columns if name.strip().lower() in _TIME_NAMES), "")
        unit = time_unit or _TIME_NAMES.get(time.strip().lower(), "")
        return cls(found, placement, rate, time, unit, device, subject, label, delimiter, core_motion)


def _obvious(columns: list[str], units: dict[str, str], gravity: bool) -> dict[str, Column]:
    """The columns whose names say their sensor and axis."""
    found = {}
    for name in columns:
        match = _OBVIOUS.fullmatch(name.strip().lower())
        if not match:
            continue
        sensor = _SENSOR_OF[match[1]]
        found[name] = Column(sensor, match[2], units[sensor], gravity if sensor == "acc" else None)
        if not units[sensor]:
            raise UnitError(
                f"column '{name}' ({SENSORS[sensor].words}) has no unit; give {sensor}_unit "
                f"(--{sensor}-unit), for example {SENSORS[sensor].unit}"
            )
    if not found:
        raise DataError(
            f"none of the columns {listed(columns)} has an obvious name such as acc_x or gyro_x; "
            "say in a YAML file what each column measures"
        )
    return found


def _known(given: Any, cls: type, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ConfigError(f"{where}: must be a mapping of keys to values; see the example in the documentation")
    keys = [field.name for field in fields(cls)]
    for key in given:
        if key not in keys:
            raise ConfigError(
                f"{where}: unknown key '{key}'{nearest(str(key), keys)}; known keys are {', '.join(keys)}"
            )
    return dict(given)


_KINDS: dict[str, tuple[type, str]] = {
    "rate": (float, "a number of samples per second"),
    "scale": (float, "a number"),
    "gravity": (bool, "true or false"),
    "core_motion": (bool, "true or false"),
    "header": (bool, "true or false"),
    "above": (int, "a number of lines"),
    "below": (int, "a number of lines"),
}
"""What is no text in the YAML."""


def _typed(values: dict[str, Any], cls: type, where: str) -> dict[str, Any]:
    """Refuses values of the wrong kind; a YAML scalar such as `subject: 3` is taken as text."""
    typed: dict[str, Any] = {}
    for key, value in values.items():
        kind, words = _KINDS.get(key, (str, "text"))
        if kind is str:
            sound = not (isinstance(value, bool | dict | list) or value is None)
        else:
            sound = isinstance(value, bool) == (kind is bool) and isinstance(
                value, (int, float) if kind is float else kind
            )
        if not sound:
            raise ConfigError(f"{where}: {key} must be {words}, not {reprlib.repr(value)}")
        typed[key] = str(value) if kind is str else value
    if cls is Column and "sensor" not in typed:
        raise ConfigError(f"{where}: sensor is missing; use one of {', '.join(SENSORS)}")
    return typed


def read_yaml(path: Path) -> Any:
    """The plain values in a small YAML file.

    Raises:
        ConfigError: The file cannot be read.
    """
    try:
        if path.stat().st_size > _MAX_YAML_BYTES:
            raise ConfigError(f"{path} is too large for a mapping of columns; give a small YAML file")
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {path}; give the YAML file that maps the columns") from error
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as YAML; see the example in the documentation") from error
