"""Which three-axis sensors a body carries, as the physical checks ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import NORMALISED, Channel, triads


@dataclass(frozen=True)
class Triad:
    """A three-axis sensor: what the names of its channels share, its columns, and the first of its channels."""

    name: str
    columns: tuple[int, int, int]
    channel: Channel

    def of(self, signal: NDArray[np.float32]) -> NDArray[np.float32]:
        """Its columns [T, 3] of a signal [T, C]."""
        return signal[:, self.columns]


@dataclass(frozen=True)
class Body:
    """A rigid body and the three-axis sensors on it, whose axes are those of the body."""

    placement: str
    device: str
    triads: tuple[Triad, ...]

    @property
    def name(self) -> str:
        """In words: `smartphone at the waist`."""
        return f"{self.device or 'sensor'} at the {self.placement}"

    def label(self, triad: Triad) -> str:
        """The body's name, and the sensor's where the body has several of its kind."""
        alone = len(self.all(triad.channel.sensor, triad.channel.gravity)) == 1
        return self.name if alone else f"{self.name} ({triad.name})"

    def all(self, sensor: str, gravity: bool | None = None) -> list[Triad]:
        """Its sensors of one kind, in units or not."""
        return [t for t in self.triads if t.channel.sensor == sensor and t.channel.gravity is gravity]

    def first(self, sensor: str, gravity: bool | None = None) -> Triad | None:
        """Its first sensor of a kind whose unit is known."""
        known = (t for t in self.all(sensor, gravity) if t.channel.unit != NORMALISED)
        return next(known, None)


@lru_cache(maxsize=256)
def bodies(channels: tuple[Channel, ...]) -> tuple[Body, ...]:
    """The bodies that carry three-axis sensors; joints of a skeleton and scalars are none."""
    return tuple(
        Body(
            placement, device, tuple(Triad(channels[c[0]].name.removesuffix("_x"), c, channels[c[0]]) for c in columns)
        )
        for (placement, device), columns in triads(channels).items()
    )
