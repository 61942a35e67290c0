"""Channels that say the same whichever way a sensor is worn: along gravity, and across it.

The mean acceleration of a window points up. A signal's part along it keeps its sign, what is left has a size only,
since nothing tells one horizontal direction from another (Mizell 2003, Using Gravity to Estimate Accelerometer
Orientation, ISWC).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import Channel, triads

AXES = ("vertical", "horizontal")
"""Of each triad, in this order."""

LEAST = 1e-6
"""The least length, in reference units, that a mean acceleration is divided by: free fall has no direction."""

Triad = tuple[int, int, int]


def with_upright(channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """The channels, then two for each triad on a body whose acceleration holds gravity, as `add_upright` makes them."""
    first = [channels[triad[0]] for _, sensors in bodies(channels) for triad in sensors]
    made = [replace(c, name=c.name.removesuffix(c.axis) + axis, axis=axis) for c in first for axis in AXES]
    return (*channels, *made)


def seen(channels: Sequence[Channel], *, upright: bool) -> tuple[Channel, ...]:
    """What a model sees of channels: those of `with_upright`, or them alone."""
    return with_upright(channels) if upright else tuple(channels)


def add_upright(windows: NDArray[np.float32], channels: Sequence[Channel]) -> NDArray[np.float32]:
    """Windows with the channels of `with_upright`.

    Args:
        windows: [B, T, C] in SI or in reference units.
        channels: C of them.

    Returns:
        [B, T, C + 2 K] for K triads.
    """
    parts = [windows]
    for acc, sensors in bodies(channels):
        mean = windows[..., acc].mean(axis=1, keepdims=True)
        up = mean / np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), LEAST)
        for triad in sensors:
            values = windows[..., triad]
            along = (values * up).sum(axis=-1, keepdims=True)
            parts += [along, np.linalg.norm(values - along * up, axis=-1, keepdims=True)]
    return np.concatenate(parts, axis=-1)


def bodies(channels: Sequence[Channel]) -> Iterator[tuple[Triad, list[Triad]]]:
    """Of each rigid body with gravity in its acceleration: the columns of this triad, and of all its triads."""
    for sensors in triads(channels).values():
        acc = next((t for t in sensors if channels[t[0]].gravity), None)
        if acc is not None:
            yield acc, sensors
