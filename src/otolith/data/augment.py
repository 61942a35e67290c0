"""Augmentations: pure functions with explicit parameters for each window, and the augmenter that draws them.

Windows are [B, T, C] float32 in reference units (g, rad/s). No function modifies its input. The augmentations are
those of Um et al. 2017 (arXiv:1706.00527, section 3), here kept to what a real sensor could have recorded: the axes of
one three-axis sensor share their gain, and the sensors of one body share their rotation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from otolith.data.patches import resample_matrix

Windows = NDArray[np.float32]
Bodies = Mapping[tuple[str, str], Sequence[tuple[int, int, int]]]
"""Columns (x, y, z) of the three-axis sensors on each rigid body, as `channels.triads` returns them."""


def jitter(windows: Windows, noise: Windows) -> Windows:
    """Adds sensor noise [B, T, C], in the unit of the windows."""
    return windows + noise


def scale(windows: Windows, factors: Windows) -> Windows:
    """Multiplies by a gain, constant over the window.

    Args:
        windows: [B, T, C].
        factors: [B, C]. Equal factors on the axes of one sensor keep directions, among them that of gravity; unequal
            ones would tilt the body.
    """
    return windows * factors[:, None, :]


def time_shift(windows: Windows, shifts: NDArray[np.integer]) -> Windows:
    """Delays each window by `shifts` samples [B]; negative values bring it forward.

    The edge value is held, as if the body stood still there. A circular shift would put a jump into the signal and
    the end of a movement before its beginning.
    """
    samples = windows.shape[1]
    return _take(windows, np.clip(np.arange(samples) - np.asarray(shifts)[:, None], 0, samples - 1))


def time_warp(windows: Windows, times: NDArray[np.floating]) -> Windows:
    """Reads each window at the positions `times` [B, T], in samples, linearly interpolated, edges held.

    Angular rates are not rescaled by the local speed, nor accelerations by its square: gravity cannot be told from
    motion here, and at speeds within about 20 % the error is that of an ordinary gain (`scale`).
    """
    last = windows.shape[1] - 1
    times = np.clip(times, 0, last)
    lower = times.astype(np.intp)
    share = (times - lower).astype(np.float32)[:, :, None]
    before = _take(windows, lower)
    after = _take(windows, np.minimum(lower + 1, last))
    after -= before
    after *= share
    before += after
    return before


def magnitude_warp(windows: Windows, curve: Windows) -> Windows:
    """Multiplies by a smooth gain [B, T, C] that changes in time; equal on the axes of one sensor, as in `scale`."""
    return windows * curve


def resample(windows: Windows, factors: NDArray[np.floating]) -> Windows:
    """Imitates a sensor of a lower rate: anti-aliased down to `factors` [B] of the samples, and linearly back.

    A factor of 1 changes nothing. A NaN makes its channel NaN in the whole window.
    """
    samples = windows.shape[1]
    coarse = np.clip(np.rint(np.asarray(factors) * samples), 1, samples).astype(np.intp)
    result = windows.copy()
    for count in np.unique(coarse[coarse < samples]):
        rows = coarse == count
        result[rows] = np.matmul(_there_and_back(samples, int(count)), windows[rows])
    return result


def channel_shuffle(windows: Windows, order: NDArray[np.integer]) -> Windows:
    """Column i of the result is column `order[i]` of the windows; `order` is a permutation [C].

    The caller permutes the channels' descriptions alike. The encoder knows a channel by its description alone and so
    is permutation-equivariant by construction; a model that reads columns by their place needs this augmentation.
    """
    return windows[:, :, order]


def rotate(windows: Windows, rotations: Windows, bodies: Bodies) -> Windows:
    """Turns every three-axis sensor, as if the devices had been worn at another angle: v becomes R v.

    Args:
        windows: [B, T, C].
        rotations: [B, N, 3, 3], one matrix for each window and each of the N `bodies`, in their order: the
            accelerometer and the gyroscope of one device turn together. [B, 3, 3] turns all bodies alike.
        bodies: The columns of the sensors of each body. Other columns are untouched.

    Returns:
        [B, T, C]. A missing value (NaN) makes the three axes of its sensor NaN at that sample, and nothing else.
    """
    if rotations.ndim == 3:
        rotations = np.broadcast_to(rotations[:, None], (len(windows), len(bodies), 3, 3))
    batch, _, channels = windows.shape
    # One product for all sensors is several times faster than one for each.
    mixing = np.broadcast_to(np.eye(channels, dtype=np.float32), (batch, channels, channels)).copy()
    for body, sensors in enumerate(bodies.values()):
        for columns in sensors:
            mixing[:, np.array(columns)[:, None], np.array(columns)] = rotations[:, body].transpose(0, 2, 1)
    missing = np.isnan(windows)
    gaps = bool(missing.any())
    filled = np.where(missing, np.float32(0), windows) if gaps else windows
    turned: Windows = np.matmul(filled, mixing, dtype=np.float32)
    if gaps:
        turned[np.matmul(missing, mixing != 0)] = np.nan
    return turned


def random_rotations(rng: np.random.Generator, n: int, max_angle: float | None = None) -> Windows:
    """Rotation matrices [n, 3, 3], uniform on SO(3) (Shoemake 1992, Uniform Random Rotations, Graphics Gems III).

    Args:
        rng: Source of randomness.
        n: How many.
        max_angle: Largest angle in radians, at most pi; all rotations within it are equally likely, so most are
            near it.
    """
    if max_angle is None:
        quaternions = _uniform_quaternions(rng, n)
    else:
        axes = rng.standard_normal((n, 3))
        axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        # Under the uniform (Haar) measure the angle has density proportional to 1 - cos(angle).
        angles = np.linspace(0.0, max_angle, 1025)
        half = np.interp(rng.random(n) * (max_angle - math.sin(max_angle)), angles - np.sin(angles), angles) / 2
        quaternions = np.column_stack([axes * np.sin(half)[:, None], np.cos(half)])
    return _matrices(quaternions)


def smooth_curves(values: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """Cubic splines [B, T] through values [B, K] at K evenly spaced knots, the first and last sample among them."""
    return values @ _spline_basis(samples, values.shape[1])


def _uniform_quaternions(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    share, first, second = rng.random((3, n))
    first *= 2 * np.pi
    second *= 2 * np.pi
    inner, outer = np.sqrt(1 - share), np.sqrt(share)
    return np.column_stack(
        [inner * np.sin(first), inner * np.cos(first), outer * np.sin(second), outer * np.cos(second)]
    )


def _matrices(quaternions: NDArray[np.float64]) -> Windows:
    """Rotation matrices of unit quaternions (x, y, z, w)."""
    x, y, z, w = quaternions.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows, dtype=np.float32).transpose(2, 0, 1)


def _take(windows: Windows, index: NDArray[np.integer]) -> Windows:
    """Samples `index` [B, T'] of each window; one flat gather is several times faster than `take_along_axis`."""
    batch, samples, channels = windows.shape
    flat = index + np.arange(batch)[:, None] * samples
    taken: Windows = windows.reshape(batch * samples, channels).take(flat, axis=0)
    return taken


@lru_cache(maxsize=32)
def _there_and_back(samples: int, coarse: int) -> Windows:
    matrix: Windows = resample_matrix(coarse, samples) @ resample_matrix(samples, coarse)
    matrix.setflags(write=False)
    return matrix


@lru_cache(maxsize=32)
def _spline_basis(samples: int, knots: int) -> NDArray[np.float64]:
    from scipy.interpolate import CubicSpline  # recognition imports this module and draws no splines

    places = np.linspace(0.0, samples - 1, knots)
    return np.ascontiguousarray(CubicSpline(places, np.eye(knots))(np.arange(samples)).T)
