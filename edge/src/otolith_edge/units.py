"""Units of the incoming numbers; models take SI."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from otolith_edge.errors import EdgeError

GRAVITY = 9.80665
"""Standard gravity in m/s² (CGPM 1901)."""

TO_SI: dict[str, tuple[str, float]] = {
    "m/s^2": ("m/s^2", 1.0),
    "m/s2": ("m/s^2", 1.0),
    "g": ("m/s^2", GRAVITY),
    "mg": ("m/s^2", GRAVITY / 1000),
    "rad/s": ("rad/s", 1.0),
    "deg/s": ("rad/s", math.pi / 180),
    "dps": ("rad/s", math.pi / 180),
    "mdeg/s": ("rad/s", math.pi / 180_000),
    "uT": ("uT", 1.0),
    "mT": ("uT", 1000.0),
    "gauss": ("uT", 100.0),
    "s": ("s", 1.0),
    "ms": ("s", 1e-3),
    "us": ("s", 1e-6),
    "ns": ("s", 1e-9),
}
"""Each unit, the SI unit it becomes, and the factor."""


@dataclass(frozen=True)
class Units:
    """How the incoming numbers are to be read.

    Attributes:
        time: Unit of the timestamps.
        sensors: Unit by sensor (`acc`, `gyro`, `mag`); a sensor that is not named is in the model's unit.
    """

    time: str = "s"
    sensors: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        _factor(self.time, "s", "the time")

    @property
    def seconds(self) -> float:
        """Seconds in one unit of the timestamps."""
        return TO_SI[self.time][1]

    def factor(self, sensor: str, unit: str) -> float:
        """By what values of a sensor are multiplied to be in `unit`.

        Raises:
            EdgeError: The unit is unknown or measures something else.
        """
        given = (self.sensors or {}).get(sensor)
        return 1.0 if given is None else _factor(given, unit, f"sensor '{sensor}'")


def _factor(given: str, unit: str, what: str) -> float:
    if given not in TO_SI:
        near = difflib.get_close_matches(given, TO_SI, n=1, cutoff=0.3)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise EdgeError(f"unknown unit '{given}' of {what}: {hint}known units are {', '.join(TO_SI)}")
    base, factor = TO_SI[given]
    if base != unit:
        raise EdgeError(f"{what} cannot be in '{given}': the model takes '{unit}'")
    return factor
