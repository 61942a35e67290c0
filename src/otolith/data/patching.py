"""Patches of fixed or dynamic size, each resampled to one number of samples, so that one embedding serves them all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otolith.types import ConfigError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PatchingConfig:
    """How a segment is cut into patches; sizes in samples of the segment."""

    dynamic: bool = False
    """Small patches where there is much motion and large ones at rest; else all of `size`."""
    size: int = 20
    """Fixed size."""
    samples: int = 20
    """Samples that every patch is resampled to, whatever its size: S."""
    smallest: int = 10
    """Dynamic patches: at `high` motion and above."""
    largest: int = 30
    """Dynamic patches: at `low` motion and below."""
    low: float = 0.08
    """Motion [g] below which the body is at rest."""
    high: float = 0.20
    """Motion [g] above which every detail counts."""

    def __post_init__(self) -> None:
        if not 2 <= self.smallest <= self.largest or min(self.size, self.samples) < 2:
            raise ConfigError(
                f"patching: sizes {self.size}, {self.samples}, {self.smallest} and {self.largest} must be 2 or more, "
                "smallest not above largest"
            )
        if not 0 <= self.low < self.high:
            raise ConfigError(f"patching: low {self.low:g} must be 0 or more and below high {self.high:g}")

    def most(self, samples: int) -> int:
        """The most patches that a segment of this many samples can have."""
        return max(1, samples // (self.smallest if self.dynamic else self.size))


def motion(acceleration: Floats, span: int) -> Floats:
    """How much the body moves: the standard deviation of |acceleration| over the next `span` samples.

    It must be measured before normalisation: after z-scoring it would be about 1 everywhere.

    Args:
        acceleration: [B, T, 3] in g; the magnitude does not depend on how the sensor is turned.
        span: Samples; fewer at the end.

    Returns:
        [B, T] in g.
    """
    size = np.linalg.norm(acceleration.astype(np.float64), axis=2)
    size -= size.mean(axis=1, keepdims=True)  # or the difference of two large sums would lose small motion
    sums = np.cumsum(np.pad(np.stack([size, size**2]), ((0, 0), (0, 0), (1, 0))), axis=2)
    first = np.arange(size.shape[1])
    last = np.minimum(first + span, size.shape[1])
    mean, square = (sums[:, :, last] - sums[:, :, first]) / (last - first)
    out: Floats = np.sqrt(np.maximum(square - mean**2, 0)).astype(np.float32)
    return out


def fixed_bounds(batch: int, samples: int, size: int) -> NDArray[np.int64]:
    """Start and length of each patch [B, P, 2]; what is left at the end joins no patch."""
    starts = np.arange(max(1, samples // size)) * min(size, samples)
    bounds = np.stack([starts, np.full_like(starts, min(size, samples))], axis=1)
    return np.broadcast_to(bounds, (batch, *bounds.shape)).copy()


def dynamic_bounds(level: Floats, config: PatchingConfig) -> NDArray[np.int64]:
    """Start and length of each patch [B, P, 2], the length by the motion at its start; 0 where a segment has no more.

    Between the two thresholds the length falls linearly from the largest to the smallest. The patches of a segment
    cover it without gap or overlap; a rest shorter than the smallest joins the last patch.

    Args:
        level: [B, T] from `motion`.
        config: Sizes and thresholds.
    """
    batch, samples = level.shape
    share = np.clip((level - config.low) / (config.high - config.low), 0, 1)
    wanted = np.rint(config.largest - share * (config.largest - config.smallest)).astype(np.int64)
    rows, start = np.arange(batch), np.zeros(batch, np.int64)
    found = []
    while (start < samples).any():
        length = np.where(start < samples, wanted[rows, np.minimum(start, samples - 1)], 0)
        rest = samples - start - length
        length = np.where(rest < config.smallest, samples - start, length)
        found.append(np.stack([start, length], axis=1))
        start = start + length
    return np.stack(found, axis=1)


def take_patches(segments: Floats, bounds: NDArray[np.int64], size: int) -> Floats:
    """Cuts patches of any length and resamples each to `size` samples, linearly.

    Each sample stands for one n-th of the patch and sits in its middle, as in `patches.resample_matrix`; a patch that
    has `size` samples is copied as it is.

    Args:
        segments: [B, T, C].
        bounds: [B, P, 2] start and length; of length 0 where there is no patch.
        size: S.

    Returns:
        [B, P, S, C]; zero where there is no patch.
    """
    batch, samples, channels = segments.shape
    start, length = bounds[..., :1], bounds[..., 1:]
    inside = np.clip((np.arange(size) + 0.5) * (length / size) - 0.5, 0, np.maximum(length - 1, 0))  # [B, P, S]
    place = np.minimum(start + inside, samples - 1)
    lower = place.astype(np.int64)
    share = (place - lower).astype(np.float32)[..., None]
    flat = segments.reshape(batch * samples, channels)
    base = (np.arange(batch) * samples)[:, None, None]
    left, right = flat[base + lower], flat[base + np.minimum(lower + 1, samples - 1)]
    out: Floats = np.where(length[..., None] > 0, left + share * (right - left), np.float32(0))
    return out


def patch(
    segments: Floats, acceleration: Floats, config: PatchingConfig
) -> tuple[Floats, NDArray[np.bool_], Floats, Floats]:
    """Segments cut into patches.

    Args:
        segments: [B, T, C] in reference units.
        acceleration: [B, T, 3] in g, by whose motion dynamic patches are sized.
        config: Fixed or dynamic, and sizes.

    Returns:
        Patches [B, P, S, C], which of them are there [B, P], the place of their centres [B, P] and their lengths
        [B, P], both as shares of the segment, from 0 to 1.
    """
    batch, samples, _ = segments.shape
    if config.dynamic:
        bounds = dynamic_bounds(motion(acceleration, config.largest), config)
    else:
        bounds = fixed_bounds(batch, samples, config.size)
    centres = (bounds[..., 0] + bounds[..., 1] / 2) / samples
    shares = (bounds[..., 1] / samples).astype(np.float32)
    return take_patches(segments, bounds, config.samples), bounds[..., 1] > 0, centres.astype(np.float32), shares
