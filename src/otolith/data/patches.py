"""Patches of a fixed duration in seconds, each resampled to 64 samples whatever the sensor's rate."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from otolith.types import PATCH_SAMPLES, ConfigError, DataError


@lru_cache(maxsize=128)
def resample_matrix(n: int, m: int = PATCH_SAMPLES) -> NDArray[np.float32]:
    """The matrix [m, n] that resamples n evenly spaced samples to m over the same duration.

    Each sample stands for one n-th of the duration and sits in the middle of it, and so do the m new points
    (`align_corners=False` in torch), so n = m changes nothing and both ends are treated alike. Linear interpolation;
    with n > m the triangle is widened by n / m, which removes what m samples cannot hold. Rows sum to one, so a
    constant such as gravity is kept exactly; beyond the outermost samples the edge value holds.

    Returns:
        Read-only and shared between calls.
    """
    if n < 1 or m < 1:
        raise ValueError(f"cannot resample {n} samples to {m}")
    positions = (np.arange(m) + 0.5) * n / m - 0.5
    distance = np.abs(positions[:, None] - np.arange(n)[None, :])
    weights = np.maximum(0.0, 1.0 - distance / max(1.0, n / m))
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = weights.astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def patch_count(samples: int, rate: float, patch_seconds: float) -> int:
    """Whole patches in a window; half a sample may be missing at the end.

    Args:
        samples: Length of the window.
        rate: Samples per second.
        patch_seconds: Duration of one patch.

    Raises:
        ConfigError: The patch would hold fewer than two samples.
    """
    step = rate * patch_seconds
    if not (np.isfinite(step) and round(step) >= 2):
        raise ConfigError(
            f"a patch of {patch_seconds:g} s holds fewer than 2 samples at {rate:g} Hz; choose a longer patch_seconds"
        )
    return int((samples + 0.5) // step)


def to_patches(windows: NDArray[np.float32], rate: float, patch_seconds: float) -> NDArray[np.float32]:
    """Cuts windows into consecutive patches and resamples each to 64 samples.

    Patch p starts at sample round(p * patch_seconds * rate) and spans round(patch_seconds * rate) samples, so patches
    do not drift when their duration is no whole number of samples, but each is off by up to half a sample. What is
    left after the last whole patch is dropped. A missing value (NaN) makes its channel NaN in the whole patch: fill
    gaps before.

    Args:
        windows: [B, T, C].
        rate: Samples per second.
        patch_seconds: Duration of one patch.

    Returns:
        [B, P, 64, C] float32.

    Raises:
        DataError: The window is shorter than one patch.
        ConfigError: The patch would hold fewer than two samples.
    """
    samples = windows.shape[1]
    count = patch_count(samples, rate, patch_seconds)
    if count == 0:
        raise DataError(
            f"a window of {samples} samples at {rate:g} Hz is shorter than one patch of {patch_seconds:g} s; "
            "use longer windows or a shorter patch_seconds"
        )
    step = rate * patch_seconds
    length = min(round(step), samples)
    # Rounding may carry the last patch one sample past the end.
    starts = np.minimum(np.rint(np.arange(count) * step).astype(np.intp), samples - length)
    cut = np.ascontiguousarray(windows, dtype=np.float32)[:, starts[:, None] + np.arange(length)]
    patches: NDArray[np.float32] = np.matmul(resample_matrix(length), cut, dtype=np.float32)
    return patches
