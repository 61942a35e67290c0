"""What a channel is: sensor, axis, unit, placement, frame, gravity, and the words that describe it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from otolith.types import DataError, UnitError

GRAVITY = 9.80665
"""Standard gravity in m/s² (CGPM 1901)."""


@dataclass(frozen=True)
class Sensor:
    """A kind of sensor: its words, its SI unit, the size of an ordinary value, and its physical limit."""

    words: str
    unit: str
    reference: float
    limit: float


SENSORS: dict[str, Sensor] = {
    # 32 g and 4000 deg/s are the widest ranges that wearable parts offer.
    "acc": Sensor("accelerometer", "m/s^2", GRAVITY, 32 * GRAVITY),
    "gyro": Sensor("gyroscope", "rad/s", 1.0, math.radians(4000)),
    "mag": Sensor("magnetometer", "uT", 50.0, 5000.0),
    "orientation": Sensor("orientation", "rad", 1.0, 4 * math.pi),
    "pressure": Sensor("barometer", "hPa", 1000.0, 1200.0),
    "heart_rate": Sensor("heart rate", "bpm", 100.0, 300.0),
    "ecg": Sensor("electrocardiogram", "mV", 1.0, 100.0),
    "temperature": Sensor("temperature", "degC", 30.0, 100.0),
    # Between a body and what is around it; some hundred pF.
    "capacitance": Sensor("body capacitance", "pF", 100.0, 10_000.0),
    # Of a skeleton's joint; the joint is the channel's placement, the camera its device.
    "position": Sensor("position", "m", 1.0, 20.0),
}

NORMALISED = "normalised"
"""The unit of a channel whose physical scale is lost (for example, published after min-max scaling)."""

_TO_SI: dict[str, tuple[str, float]] = {
    "m/s^2": ("m/s^2", 1.0),
    "g": ("m/s^2", GRAVITY),
    "mg": ("m/s^2", GRAVITY / 1000),
    "rad/s": ("rad/s", 1.0),
    "deg/s": ("rad/s", math.pi / 180),
    "mdeg/s": ("rad/s", math.pi / 180_000),
    "uT": ("uT", 1.0),
    "nT": ("uT", 1e-3),
    "mT": ("uT", 1000.0),
    "T": ("uT", 1e6),
    "gauss": ("uT", 100.0),
    "rad": ("rad", 1.0),
    "deg": ("rad", math.pi / 180),
    "hPa": ("hPa", 1.0),
    "Pa": ("hPa", 0.01),
    "bpm": ("bpm", 1.0),
    "mV": ("mV", 1.0),
    "V": ("mV", 1000.0),
    "degC": ("degC", 1.0),
    "pF": ("pF", 1.0),
    "m": ("m", 1.0),
    "mm": ("m", 1e-3),
    "cm": ("m", 0.01),
    NORMALISED: (NORMALISED, 1.0),
}

_SPELLINGS = {
    "m/s2": "m/s^2",
    "m/s²": "m/s^2",
    "ms-2": "m/s^2",
    "m.s-2": "m/s^2",
    "m s-2": "m/s^2",
    "m/s/s": "m/s^2",
    "m/sec^2": "m/s^2",
    "m/s**2": "m/s^2",
    "G": "g",
    "rad/sec": "rad/s",
    "rads-1": "rad/s",
    "dps": "deg/s",
    "°/s": "deg/s",
    "deg/sec": "deg/s",
    "degree/s": "deg/s",
    "degrees/s": "deg/s",
    "µT": "uT",
    "μT": "uT",
    "Gauss": "gauss",
    "Ga": "gauss",
    "°": "deg",
    "°C": "degC",
    "beats/min": "bpm",
    "normalized": NORMALISED,
}


def to_si(unit: str) -> tuple[str, float]:
    """The SI unit of `unit` and the factor that turns values in `unit` into it.

    Raises:
        UnitError: The unit is not known; the sentence names the nearest one.
    """
    name = _SPELLINGS.get(unit.strip(), unit.strip())
    if name in _TO_SI:
        return _TO_SI[name]
    near = difflib.get_close_matches(name, [*_TO_SI, *_SPELLINGS], n=1, cutoff=0.3)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise UnitError(f"unknown unit '{unit}': {hint}known units are {', '.join(_TO_SI)}")


@dataclass(frozen=True)
class Channel:
    """One column of a recording's signal, in SI.

    Attributes:
        name: Unique within the recording, for example `waist_acc_x`.
        sensor: A key of `SENSORS`.
        axis: `x`, `y`, `z`, or empty for a scalar; `vertical` and `horizontal` are made (`otolith.data.upright`).
        placement: Where on the body, in plain words: `waist`, `left wrist`, `trouser pocket`.
        device: What carries the sensor, in plain words: `smartphone`; may be empty.
        gravity: Whether gravity is in the signal; acceleration only, None elsewhere.
        frame: `sensor` (axes of the device) or `world` (z is up).
        unit: SI unit of the sensor, or `normalised`; empty takes the sensor's.
    """

    name: str
    sensor: str
    axis: str
    placement: str
    device: str = ""
    gravity: bool | None = None
    frame: str = "sensor"
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            raise DataError("a channel has no name: give each channel a name")
        if self.sensor not in SENSORS:
            raise DataError(f"channel '{self.name}': unknown sensor '{self.sensor}', use one of {', '.join(SENSORS)}")
        if self.axis not in ("", "x", "y", "z", "vertical", "horizontal"):
            raise DataError(f"channel '{self.name}': unknown axis '{self.axis}', use x, y, z or nothing")
        if self.frame not in ("sensor", "world"):
            raise DataError(f"channel '{self.name}': unknown frame '{self.frame}', use sensor or world")
        if not self.unit:
            object.__setattr__(self, "unit", SENSORS[self.sensor].unit)
        if self.unit not in (SENSORS[self.sensor].unit, NORMALISED):
            raise UnitError(
                f"channel '{self.name}': unit '{self.unit}' is not SI for {self.sensor}, "
                f"convert it to {SENSORS[self.sensor].unit}"
            )
        if (self.sensor == "acc") == (self.gravity is None):
            raise UnitError(f"channel '{self.name}': say for acceleration, and only for it, whether gravity is in it")

    @property
    def reference(self) -> float:
        """Size of an ordinary value; signals divided by it are of order one."""
        return 1.0 if self.unit == NORMALISED else SENSORS[self.sensor].reference

    @property
    def description(self) -> str:
        """The words that the text encoder reads, for example
        `accelerometer x axis with gravity, smartphone at the waist`.
        """
        words = SENSORS[self.sensor].words
        if self.axis:
            words += f" {self.axis} axis"
        if self.gravity is not None:
            words += " with gravity" if self.gravity else " without gravity"
        if self.unit == NORMALISED:
            words += ", normalised"
        if self.frame == "world":
            words += ", world frame"
        return f"{words}, {self.device or 'sensor'} at the {self.placement}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def triad(
    sensor: str, placement: str, *, device: str = "", gravity: bool | None = None, prefix: str = "", unit: str = ""
) -> tuple[Channel, Channel, Channel]:
    """The x, y and z channels of one three-axis sensor, named `<prefix><sensor>_<axis>`."""
    x, y, z = (
        Channel(f"{prefix}{sensor}_{axis}", sensor, axis, placement, device, gravity, unit=unit) for axis in "xyz"
    )
    return x, y, z


def six_axes(placement: str, device: str, prefix: str = "") -> tuple[Channel, ...]:
    """Accelerometer with gravity and gyroscope of one device, in this order."""
    return (
        *triad("acc", placement, device=device, gravity=True, prefix=prefix),
        *triad("gyro", placement, device=device, prefix=prefix),
    )


def skeleton(joints: Iterable[str], device: str) -> tuple[Channel, ...]:
    """The positions of each joint, named `left_elbow_x`: the joint is the placement, the camera the device."""
    return tuple(
        Channel(f"{joint.replace(' ', '_')}_{axis}", "position", axis, joint, device)
        for joint in joints
        for axis in "xyz"
    )


def triads(channels: Iterable[Channel]) -> dict[tuple[str, str], list[tuple[int, int, int]]]:
    """Three-axis sensors by the rigid body that carries them.

    Returns:
        For each (placement, device), the column indices (x, y, z) of each of its three-axis sensors in the
        sensor's own frame. Sensors of one body turn together, so one rotation matrix serves them all.
    """
    columns: dict[tuple[str, str, str, str], dict[str, int]] = {}
    for index, channel in enumerate(channels):
        if channel.axis and channel.frame == "sensor" and channel.sensor not in ("orientation", "position"):
            stem = channel.name.removesuffix(channel.axis)
            key = (channel.placement, channel.device, channel.sensor, stem)
            columns.setdefault(key, {})[channel.axis] = index
    bodies: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    for (placement, device, _, _), axes in columns.items():
        if len(axes) == 3:
            bodies.setdefault((placement, device), []).append((axes["x"], axes["y"], axes["z"]))
    return bodies
