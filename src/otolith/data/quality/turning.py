"""Whether gravity stands still when the accelerometer is turned back by the gyroscope.

An accelerometer feels gravity, and how it is moved. In its own axes gravity turns as the body turns, and the gyroscope
says how. Turned back by it, gravity stands still, and movement averages out, because nobody gains speed for long: over
a few seconds the mean is one g, whatever the wearer does. If the rate of turn is `s` times too small (radians taken for
degrees), or time runs `s` times too fast (a wrong sampling rate), gravity stands still only when the turn is multiplied
by `s`; if axes are mirrored, only when their signs are.

The same law in differential form, du/dt = u x omega for the specific force u, is of use only below the frequency of the
movement: a swinging leg accelerates along with its rotation, and at one swing a second that outweighs gravity. Turned
back, it cancels, which is why walking can be judged, too.

What this cannot see is the sign of the whole vector: if u turns with omega, so does -u.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

DEGREES = float(np.degrees(1.0))
SCALES = (0.0, *(2.0 ** (k / 2) for k in range(-4, 5)), *(u * r for u in (DEGREES, 1 / DEGREES) for r in (0.5, 1, 2)))
"""What the rate of turn is multiplied by; 1 is as declared."""
MIRRORS = tuple((x, y, z) for x in (1, -1) for y in (1, -1) for z in (1, -1) if (x, y, z) != (1, 1, 1))
"""Signs of the gyroscope's axes, tried at scale 1; they follow the scales."""
WINDOW_SECONDS = 6.0

_SHORTEST_SECONDS = 1.5
_PIECES = 3
_RATE = 25.0  # more samples a second only cost time: people turn below 10 Hz
_MOST = 12
_PART_SECONDS = 3600.0
_VIOLENT = 0.5
_CLIPPED = 6
_NONSENSE = 1e6

_FACTORS = np.array([(s, s, s) for s in SCALES] + [*MIRRORS], dtype=np.float32)


def column(scale: float) -> int:
    """Where a scale is among `SCALES`."""
    return int(np.argmin(np.abs(np.array(SCALES) - scale)))


@dataclass(frozen=True)
class Turned:
    """Windows of acceleration turned back under each hypothesis: `SCALES`, then `MIRRORS`.

    Attributes:
        mean: [W, K] length of the mean vector.
        square: [W, K] mean of the squared lengths of the means of overlapping pieces.
        speed: Median rate of turn of the windows, as declared, in rad/s.
    """

    mean: Floats
    square: Floats
    speed: float

    def misfit(self, gravity: float) -> Floats:
        """[W, K] rms distance of the pieces from one vector of length `gravity`, as a share of it; 0 is perfect."""
        off = self.square - 2 * gravity * self.mean + gravity**2
        return np.asarray(np.sqrt(np.maximum(off, 0)) / gravity, dtype=np.float32)


class _Window(NamedTuple):
    """Mean rate of turn, specific force [N, 3] and rate of turn [N, 3]."""

    speed: float
    force: NDArray[np.float64]
    turn: NDArray[np.float64]


def turned(acc: Floats, gyro: Floats, rate: float) -> Turned | None:
    """Turns a recording back under every hypothesis, in the windows that turn most; None if there are none.

    Windows with missing or clipped samples are left out, and those of such violence (running) that a cheap sensor does
    not follow.

    Args:
        acc: [T, 3] with gravity, in any unit.
        gyro: [T, 3] in rad/s, of the same body.
        rate: Samples per second.
    """
    step = max(1, int(rate // _RATE))
    length = min(round(WINDOW_SECONDS * rate / step), len(acc) // step)
    if length < _SHORTEST_SECONDS * rate / step:
        return None
    found: list[_Window] = []
    part = step * max(length, round(_PART_SECONDS * rate / step))
    for start in range(0, len(acc), part):  # a day-long recording in turns, so that memory stays flat
        force, turn = (_thinned(_without_clipped(x[start : start + part]), step) for x in (acc, gyro))
        found = sorted([*found, *_windows(force, turn, length)], key=lambda window: -window.speed)[:_MOST]
    if not found:
        return None
    mean, square = _turn_back(np.stack([w.force for w in found]), np.stack([w.turn for w in found]), step / rate)
    return Turned(mean, square, float(np.median([w.speed for w in found])))


def _windows(force: NDArray[np.float64], turn: NDArray[np.float64], length: int) -> list[_Window]:
    """The windows of `length` that turn most, overlapping by half."""
    starts = np.arange(0, len(force) - length + 1, max(1, length // 2))
    windows = starts[:, None] + np.arange(length)
    magnitude, speed = np.linalg.norm(force, axis=1)[windows], np.linalg.norm(turn, axis=1)[windows].mean(axis=1)
    calm = magnitude.std(axis=1) < _VIOLENT * magnitude.mean(axis=1)  # false for NaN
    usable = np.flatnonzero(calm & np.isfinite(speed))
    most = usable[np.argsort(-speed[usable], kind="stable")[:_MOST]]
    return [_Window(float(speed[k]), force[windows[k]], turn[windows[k]]) for k in most]


def _without_clipped(signal: Floats) -> NDArray[np.float64]:
    """NaN where a sensor was at the end of its range: the same extreme value again and again, far from the usual.

    And where values are nonsense in any unit, such as 1e30, which would overflow.
    """
    values = signal.astype(np.float64)
    size = np.abs(values)
    values[size > _NONSENSE] = np.nan
    known = np.isfinite(values).all(axis=1)
    if known.any():
        peak = size[known].max(axis=0)
        at_end = (size >= peak * (1 - 1e-4)) & (peak > 1.5 * np.median(np.linalg.norm(values[known], axis=1)))
        values[at_end & (at_end.sum(axis=0) >= _CLIPPED)] = np.nan
    return values


def _thinned(signal: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = signal[: len(signal) // step * step].reshape(-1, step, 3).mean(axis=1)
    return mean


def _turn_back(acc: NDArray[np.float64], gyro: NDArray[np.float64], seconds: float) -> tuple[Floats, Floats]:
    """Means and squares as in `Turned`, of acc and gyro [W, N, 3] that are `seconds` apart."""
    force = acc.transpose(2, 1, 0)[..., None].astype(np.float32)  # [3, N, W, 1]
    half = (gyro[:, 1:] + gyro[:, :-1]).transpose(2, 1, 0)[..., None] * (0.25 * seconds)
    steps = _exponential(half.astype(np.float32) * _FACTORS.T[:, None, None, :])
    orientation = _running_product(steps)  # [4, N, W, K]
    back = _rotate(orientation, force)
    weights = _pieces(acc.shape[1])
    pieces = np.tensordot(weights, back, axes=(1, 1))  # [P, 3, W, K]
    mean, square = np.linalg.norm(pieces.mean(axis=0), axis=0), (pieces**2).sum(axis=1).mean(axis=0)
    return mean.astype(np.float32), square.astype(np.float32)


def _pieces(length: int) -> Floats:
    """Weights [P, N] of overlapping pieces of a window; bell-shaped, so that steps and swings leave nothing."""
    size = max(2, 2 * length // (_PIECES + 1))
    bell = np.hanning(size + 2)[1:-1]
    weights = np.zeros((_PIECES, length), np.float32)
    for piece, start in enumerate(np.linspace(0, length - size, _PIECES).round().astype(int)):
        weights[piece, start : start + size] = bell / bell.sum()
    return weights


def _exponential(half: Floats) -> Floats:
    """Unit quaternions [4, ...] of rotations, given as half their rotation vector [3, ...]."""
    angle = np.sqrt((half**2).sum(axis=0))
    return np.concatenate([np.cos(angle)[None], half * np.sinc(angle / np.float32(np.pi))]).astype(np.float32)


def _running_product(steps: Floats) -> Floats:
    """Orientations [4, N, ...] after 0, 1, ... N - 1 steps [4, N - 1, ...], by doubling."""
    start = np.zeros_like(steps[:, :1])
    start[0] = 1
    product = np.concatenate([start, steps], axis=1)
    reach = 1
    while reach < product.shape[1]:
        product[:, reach:] = _times(product[:, :-reach], product[:, reach:])
        reach *= 2
    return product


def _times(p: Floats, q: Floats) -> Floats:
    (a, b, c, d), (e, f, g, h) = p, q
    return np.stack(
        [
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        ]
    )


def _rotate(q: Floats, v: Floats) -> Floats:
    w, x, y, z = q
    a, b, c = v
    i, j, k = 2 * (y * c - z * b), 2 * (z * a - x * c), 2 * (x * b - y * a)
    return np.stack([a + w * i + y * k - z * j, b + w * j + z * i - x * k, c + w * k + x * j - y * i])
