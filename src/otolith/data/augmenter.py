"""Random augmentation: which windows, how strongly, and which two views the contrastive objective compares."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from otolith.data.augment import (
    Bodies,
    Windows,
    jitter,
    magnitude_warp,
    random_rotations,
    resample,
    rotate,
    scale,
    smooth_curves,
    time_shift,
    time_warp,
)
from otolith.types import ConfigError

_RATE_LEVELS = 8


@dataclass(frozen=True)
class AugmentConfig:
    """Probability and strength of each augmentation; a probability is that of one window being changed.

    Attributes:
        jitter: Probability of added noise (weak).
        jitter_sigma: Standard deviation of the noise in reference units: 0.05 means 0.05 g and 0.05 rad/s.
        scale: Probability of another gain (weak).
        scale_sigma: Standard deviation of the gain's logarithm, one gain a sensor.
        shift: Probability of a shift in time (weak).
        shift_seconds: Longest shift either way; well below a patch, since patches of two views are compared in place.
        time_warp: Probability of stretching and squeezing time (strong).
        time_warp_sigma: Standard deviation of the local speed's logarithm.
        magnitude_warp: Probability of a gain that wanders in time (strong).
        magnitude_warp_sigma: Standard deviation of that gain's logarithm, one curve a sensor.
        warp_seconds: Time between the knots of the two warping curves.
        resample: Probability of a lower sampling rate (strong).
        resample_lowest: Lowest rate as a share of the window's own.
        rotation: Probability that the devices are worn at another angle.
        rotation_degrees: Largest angle; 180 is any rotation.
        shared_rotation: Whether two views of a window turn together. Turning them independently destroys the
            direction of gravity, which tells postures apart.
        shuffle: Probability of permuted channels (`Augmenter.order`); without effect on a permutation-equivariant
            encoder.
    """

    jitter: float = 0.8
    jitter_sigma: float = 0.05
    scale: float = 0.8
    scale_sigma: float = 0.1
    shift: float = 0.5
    shift_seconds: float = 0.2
    time_warp: float = 0.3
    time_warp_sigma: float = 0.15
    magnitude_warp: float = 0.3
    magnitude_warp_sigma: float = 0.15
    warp_seconds: float = 1.0
    resample: float = 0.3
    resample_lowest: float = 0.5
    rotation: float = 0.5
    rotation_degrees: float = 180.0
    shared_rotation: bool = True
    shuffle: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "shared_rotation":
                if not isinstance(value, bool):
                    raise ConfigError(f"augment.shared_rotation is {value!r}: give true or false")
                continue
            low, high = _RANGES.get(field.name, (0.0, 1.0))
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not (number and low <= value <= high):
                raise ConfigError(f"augment.{field.name} is {value!r}: give a number from {low:g} to {high:g}")


_RANGES = {
    "jitter_sigma": (0.0, 10.0),
    "shift_seconds": (0.0, 60.0),
    "warp_seconds": (0.05, 600.0),
    "resample_lowest": (0.05, 1.0),
    "rotation_degrees": (0.0, 180.0),
}


class Augmenter:
    """Draws parameters for each window and applies the augmentations. Equal generators give equal results.

    Args:
        config: Probabilities and strengths.
        bodies: Three-axis sensors by rigid body: `channels.triads(channels)`.
    """

    def __init__(self, config: AugmentConfig, bodies: Bodies) -> None:
        self.config = config
        self.bodies = bodies

    def __call__(self, windows: Windows, rate: float, rng: np.random.Generator) -> Windows:
        """One augmented view.

        Args:
            windows: [B, T, C] in reference units; not modified.
            rate: Samples per second.
            rng: Source of randomness.

        Returns:
            [B, T, C] float32.
        """
        return self._vary(self._turn(windows, rng), rate, rng)

    def views(self, windows: Windows, rate: float, rng: np.random.Generator) -> tuple[Windows, Windows]:
        """Two views of the same windows: the original, at most rotated, and an augmented one.

        With `shared_rotation` both have turned by the same matrices, else each by its own.
        """
        original = self._turn(windows, rng)
        start = original.copy() if self.config.shared_rotation else self._turn(windows, rng)
        return original, self._vary(start, rate, rng)

    def order(self, channels: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """An order of the channels for `augment.channel_shuffle`; the caller permutes their descriptions alike."""
        order = np.arange(channels)
        return rng.permutation(order) if rng.random() < self.config.shuffle else order

    def _turn(self, windows: Windows, rng: np.random.Generator) -> Windows:
        """A copy of the windows, some of them rotated."""
        turned = np.array(windows, dtype=np.float32, order="C")
        chosen = _choose(len(windows), self.config.rotation, rng)
        count = len(self.bodies)
        if chosen.size and count:
            angle = None if self.config.rotation_degrees == 180 else math.radians(self.config.rotation_degrees)
            rotations = random_rotations(rng, chosen.size * count, angle).reshape(chosen.size, count, 3, 3)
            turned[chosen] = rotate(turned[chosen], rotations, self.bodies)
        return turned

    def _vary(self, windows: Windows, rate: float, rng: np.random.Generator) -> Windows:
        """Weak and strong augmentations, in place: the movement first, then what the sensor does to it."""
        config = self.config
        steps: list[tuple[float, Callable[[Windows, float, np.random.Generator], Windows]]] = [
            (config.time_warp, self._time_warp),
            (config.shift, self._shift),
            (config.resample, self._resample),
            (config.magnitude_warp, self._magnitude_warp),
            (config.scale, self._scale),
            (config.jitter, self._jitter),
        ]
        for probability, step in steps:
            chosen = _choose(len(windows), probability, rng)
            if chosen.size:
                windows[chosen] = step(windows[chosen], rate, rng)
        return windows

    def _time_warp(self, windows: Windows, rate: float, rng: np.random.Generator) -> Windows:
        speed = np.exp(self._curves(windows, 1, rate, self.config.time_warp_sigma, rng)[:, 0])
        times = np.cumsum(speed, axis=1) - speed[:, :1]
        # The window still begins and ends at the same moments.
        times *= (windows.shape[1] - 1) / np.maximum(times[:, -1:], 1e-9)
        return time_warp(windows, times)

    def _shift(self, windows: Windows, rate: float, rng: np.random.Generator) -> Windows:
        most = round(self.config.shift_seconds * rate)
        return time_shift(windows, rng.integers(-most, most + 1, size=len(windows)))

    def _resample(self, windows: Windows, rate: float, rng: np.random.Generator) -> Windows:
        # A few levels, so that their matrices are built once.
        levels = np.linspace(self.config.resample_lowest, 1.0, _RATE_LEVELS, endpoint=False)
        return resample(windows, rng.choice(levels, size=len(windows)))

    def _magnitude_warp(self, windows: Windows, rate: float, rng: np.random.Generator) -> Windows:
        sensor = self._sensors(windows.shape[2])
        curves = self._curves(windows, int(sensor.max()) + 1, rate, self.config.magnitude_warp_sigma, rng)
        gains = np.exp(curves).astype(np.float32)
        return magnitude_warp(windows, gains[:, sensor].transpose(0, 2, 1))

    def _scale(self, windows: Windows, rate: float, rng: np.random.Generator) -> Windows:
        sensor = self._sensors(windows.shape[2])
        gains = rng.standard_normal((len(windows), int(sensor.max()) + 1), dtype=np.float32)
        return scale(windows, np.exp(self.config.scale_sigma * gains)[:, sensor])

    def _jitter(self, windows: Windows, rate: float, rng: np.random.Generator) -> Windows:
        noise = rng.standard_normal(windows.shape, dtype=np.float32)
        noise *= self.config.jitter_sigma
        return jitter(windows, noise)

    def _curves(
        self, windows: Windows, number: int, rate: float, sigma: float, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Smooth random curves [B, number, T] about zero, with a knot every `warp_seconds`."""
        batch, samples, _ = windows.shape
        knots = min(samples, max(4, 1 + math.ceil(samples / rate / self.config.warp_seconds)))
        curves = smooth_curves(sigma * rng.standard_normal((batch * number, knots)), samples)
        return curves.reshape(batch, number, samples)

    def _sensors(self, channels: int) -> NDArray[np.intp]:
        """The sensor that each channel belongs to [C]: equal on the axes of one triad, its own elsewhere."""
        sensor = np.arange(channels)
        for columns in (c for triads in self.bodies.values() for c in triads):
            sensor[list(columns)] = columns[0]
        return np.unique(sensor, return_inverse=True)[1]


def _choose(count: int, probability: float, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.flatnonzero(rng.random(count) < probability)
