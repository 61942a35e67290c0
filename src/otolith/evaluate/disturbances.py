"""What goes wrong with sensors in use, done to segments of a test."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from otolith.data.augment import random_rotations

Floats = NDArray[np.float32]
Disturbance = Callable[[Floats, np.random.Generator], Floats]


def noise(segments: Floats, rng: np.random.Generator, *, sigma: float) -> Floats:
    """Gaussian noise of `sigma` standard deviations of each channel over the segments [B, W, C]."""
    spread = segments.std(axis=(0, 1), keepdims=True)
    out: Floats = segments + np.float32(sigma) * spread * rng.standard_normal(segments.shape, dtype=np.float32)
    return out


def missing(segments: Floats, rng: np.random.Generator, *, share: float) -> Floats:
    """A stretch of this share of each segment is lost, and the last value before it held."""
    out, length = segments.copy(), max(1, round(share * segments.shape[1]))
    starts = rng.integers(1, segments.shape[1] - length, size=len(segments))
    for row, start in enumerate(starts):
        out[row, start : start + length] = out[row, start - 1]
    return out


def rotated(segments: Floats, rng: np.random.Generator, *, degrees: float) -> Floats:
    """The sensor, accelerometer and gyroscope alike, is worn at another angle of up to `degrees`."""
    turns = random_rotations(rng, len(segments), np.radians(degrees))
    return np.concatenate([segments[..., i : i + 3] @ turns for i in range(0, segments.shape[2] - 2, 3)], axis=2)


def half_rate(segments: Floats, rng: np.random.Generator) -> Floats:
    """Every second sample is missing and bridged linearly."""
    out = segments.copy()
    last = len(out[0]) - 1 - (len(out[0]) + 1) % 2
    out[:, 1:last:2] = (out[:, 0 : last - 1 : 2] + out[:, 2 : last + 1 : 2]) / 2
    return out


def no_gyroscope(segments: Floats, rng: np.random.Generator) -> Floats:
    """The gyroscope, columns 3 to 5 of every six, gives nothing: NaN, or 0 for what sees fixed channels."""
    out = segments.copy()
    for first in range(3, out.shape[-1], 6):
        out[..., first : first + 3] = np.nan
    return out


DISTURBANCES: dict[str, Disturbance] = {
    "noise-0.05": partial(noise, sigma=0.05),
    "noise-0.1": partial(noise, sigma=0.1),
    "noise-0.2": partial(noise, sigma=0.2),
    "missing-10pct": partial(missing, share=0.1),
    "rotated-30deg": partial(rotated, degrees=30.0),
    "rotated-90deg": partial(rotated, degrees=90.0),
    "half-rate": half_rate,
    "no-gyro": no_gyroscope,
}
"""By the name that follows `robustness-` in results; all on segments [B, W, 6 n] in reference units,
accelerometer and gyroscope of one place after the other."""
