"""Units, gravity, clocks, gaps and rates: pure functions on arrays.

Sign convention. Otolith stores *specific force*, what an accelerometer physically measures: a device lying face up
reads +9.81 m/s² on z, as on Android and on most loggers. Apple's Core Motion reports the opposite sign (gravity points
to the ground, face up is -1 g on z, and `userAcceleration` is reversed with it), so its values go through
`from_core_motion` first. A reversed sign is a mirror image: no rotation of the device can undo it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otolith.data.channels import GRAVITY, to_si
from otolith.types import DataError, UnitError

Floats = NDArray[np.floating]

MAX_VALUES = 2 * 10**8
"""The most values of one signal on a grid: hostile times must not ask for all the memory there is."""

LARGEST = 1e9
"""What no value of a sensor reaches, in any unit: raw counts have up to 24 bits (2e7), air pressure is 1e5 Pa. What an
archive has beyond is damage, and would overflow in single precision once scaled and filtered."""

_TAPS_PER_SIDE = 24
_KAISER_BETA = 8.0
_CUTOFF = 0.9
_SLACK = 0.01
"""Share of a sample that a sample may lie beside the grid: keeps the last one when rounding puts it just beyond."""


def scale_to_si(signal: Floats, units: Sequence[str]) -> Floats:
    """The signal [T, C] with column `c`, given in `units[c]`, converted to SI.

    Raises:
        UnitError: A unit is not known.
    """
    if signal.shape[1] != len(units):
        raise ValueError(f"{len(units)} units for {signal.shape[1]} columns")
    return signal * np.array([to_si(unit)[1] for unit in units], dtype=signal.dtype)


def from_core_motion(acceleration: Floats) -> Floats:
    """Specific force from Core Motion's accelerometer, `gravity` or `userAcceleration`, in the same unit.

    An accelerometer measures f = a - g. At rest Core Motion gives g, so all three of its vectors are negated.
    """
    return -acceleration


def add_gravity(user_acceleration: Floats, gravity: Floats) -> Floats:
    """What the accelerometer felt, from a platform that splits it in two.

    Args:
        user_acceleration: [T, 3] in m/s², specific force without gravity.
        gravity: [T, 3] in m/s², specific force at rest (away from the ground).

    Returns:
        [T, 3] in m/s².

    Raises:
        UnitError: `gravity` does not have the magnitude of gravity.
    """
    if user_acceleration.shape != gravity.shape:
        raise ValueError(f"shapes differ: {user_acceleration.shape} and {gravity.shape}")
    magnitude = float(np.nanmedian(np.linalg.norm(gravity, axis=1)))
    if not 0.9 * GRAVITY < magnitude < 1.1 * GRAVITY:
        raise UnitError(
            f"the gravity vector has magnitude {magnitude:.3g} where 9.81 m/s^2 is expected: convert it to m/s^2 first"
        )
    return user_acceleration + gravity


def lowpass(signal: Floats, rate: float, cutoff: float) -> Floats:
    """Zero-phase fourth-order Butterworth low-pass of a signal [T, C]; NaN stays NaN and does not spread.

    Args:
        signal: [T, C] sampled at `rate` Hz.
        rate: Samples per second.
        cutoff: Frequency in Hz where the amplitude has fallen by half (filtered forward and back).
    """
    from scipy.signal import butter, sosfiltfilt  # takes half as long to import as torch, and most tables need none

    if not 0 < cutoff < rate / 2:
        raise ValueError(f"a cutoff of {cutoff} Hz is not between 0 and {rate / 2} Hz")
    filled, missing = _fill(signal)
    sections = butter(4, cutoff, fs=rate, output="sos")
    padding = min(3 * (2 * len(sections) + 1), len(filled) - 1)
    smooth = np.asarray(sosfiltfilt(sections, filled, axis=0, padlen=padding), dtype=signal.dtype)
    smooth[missing] = np.nan
    return smooth


def resample(signal: Floats, rate: float, new_rate: float) -> Floats:
    """The signal at another rate, without aliasing; sample i is at i / new_rate seconds.

    Polyphase Kaiser FIR filter: flat to 0.79 of the lower Nyquist frequency, 80 dB down above it. The ends are
    extended by odd reflection, so that they do not ring towards zero. The ratio is rounded to a fraction whose smaller
    term is at most 1000, which shifts the end of an hour by less than 4 ms.

    Args:
        signal: [T, C]; an output sample is NaN where a neighbouring input sample is.
        rate: Samples per second of `signal`.
        new_rate: Samples per second wanted.

    Returns:
        [ceil(T * new_rate / rate), C] of the same dtype.
    """
    if not (rate > 0 and new_rate > 0):
        raise ValueError(f"rates must be positive, not {rate} and {new_rate}")
    ratio = _ratio(rate, new_rate)
    up, down = ratio.numerator, ratio.denominator
    if up == down or len(signal) < 2:
        return signal.copy()
    from scipy.signal import firwin, resample_poly

    filled, missing = _fill(signal)
    wide = max(up, down)
    taps = firwin(2 * _TAPS_PER_SIDE * wide + 1, _CUTOFF / wide, window=("kaiser", _KAISER_BETA))
    # scipy documents every extension mode of `upfirdn`; its type stubs list only some.
    resampled = resample_poly(filled, up, down, axis=0, window=taps, padtype="antireflect")  # type: ignore[call-overload]
    resampled = np.asarray(resampled, dtype=signal.dtype)
    where = np.arange(len(resampled)) * down
    before = where // up
    after = np.minimum(-(-where // up), len(signal) - 1)
    resampled[missing[before] | missing[after]] = np.nan
    return resampled


def to_uniform(times: ArrayLike, values: Floats, rate: float, max_gap: float) -> tuple[Floats, float]:
    """A stream with jittered clock, repeated or missing samples, on a uniform grid.

    Samples of equal time are averaged. Between two samples at most `max_gap` apart the value is linear; a longer gap
    becomes NaN. NaN in `values` counts as no sample. A stream faster than `rate` is filtered against aliasing.

    Args:
        times: [T] seconds, never going back.
        values: [T, C].
        rate: Samples per second of the grid.
        max_gap: Longest gap in seconds to bridge.

    Returns:
        (signal [N, C], time of its first sample in seconds).

    Raises:
        DataError: Times go back or are not finite, or there are fewer than two of them.
    """
    return merge_streams([(times, values)], rate, max_gap)


def spread(times: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """A time for each sample where many share one: whole seconds, or packets stamped when they arrived.

    Within a packet, and on to the next, samples follow each other at the measured rate. Only where a stamp is more than
    three quarters of the usual step late does time jump: there samples were lost.

    Args:
        times: [T], never going back.

    Returns:
        (times [T], strictly increasing, in the same unit; samples per unit of time, 0 if the times are all the same).
    """
    stamps, counts = np.unique(times, return_counts=True)
    steps = np.diff(stamps)
    if not steps.size:
        return times, 0.0
    usual = float(np.median(steps))
    # The first packet may be cut off, and how long the last one took is unknown.
    whole = (steps < 1.75 * usual) & (np.arange(len(steps)) > 0) if len(steps) > 1 else np.ones(1, bool)
    whole = whole if whole.any() else np.ones(len(steps), bool)
    rate = float(counts[:-1][whole].sum() / steps[whole].sum())
    starts, clock = [], float(stamps[1]) - counts[0] / rate
    for stamp, count in zip(stamps.tolist(), counts.tolist(), strict=True):
        clock = stamp if stamp - clock > 0.75 * usual else clock
        starts.append(clock)
        clock += count / rate
    within = np.arange(len(times)) - np.repeat(np.cumsum(counts) - counts, counts)
    spaced = np.repeat(starts, counts) + within / rate
    return spaced - spaced[0] + times[0], rate


def short_gap(rate: float) -> float:
    """The gap in seconds that is bridged where nothing else is known: three sampling intervals, and half of one for
    the jitter of the clock.
    """
    return 3.5 / rate


def covered(clocks: Sequence[NDArray[np.float64]], max_gap: float, shortest: float) -> list[tuple[slice, ...]]:
    """The samples of each stream in each stretch of time through which all of them run.

    Args:
        clocks: Times [T_i] of each stream, never going back.
        max_gap: The longest time without a sample within a stretch.
        shortest: Stretches that the streams share for a shorter time are left out.

    Returns:
        For each stretch, in order, the samples of each stream: those within it, and around it where there is no gap,
        but not further than `max_gap`. `merge_streams` of them gives the stretch.
    """
    shared: list[tuple[float, float, tuple[tuple[int, int], ...]]] = [(-np.inf, np.inf, ())]
    for times in clocks:
        edges = [0, *(np.flatnonzero(np.diff(times) > max_gap) + 1).tolist(), len(times)]
        own = [(float(times[first]), float(times[after - 1]), (first, after)) for first, after in pairwise(edges)]
        both, i, k = [], 0, 0
        while i < len(shared) and k < len(own):
            start, end = max(shared[i][0], own[k][0]), min(shared[i][1], own[k][1])
            if end - start >= shortest:
                both.append((start, end, (*shared[i][2], own[k][2])))
            i, k = (i + 1, k) if shared[i][1] < own[k][1] else (i, k + 1)
        shared = both
    return [
        tuple(_near(times, *own, start - max_gap, end + max_gap) for times, own in zip(clocks, rows, strict=True))
        for start, end, rows in shared
    ]


def merge_streams(streams: Sequence[tuple[ArrayLike, Floats]], rate: float, max_gap: float) -> tuple[Floats, float]:
    """Streams with their own clocks (accelerometer and gyroscope of a watch) side by side on one uniform grid.

    Args:
        streams: (times [T_i] in seconds, values [T_i, C_i]) for each stream; see `to_uniform`.
        rate: Samples per second of the grid.
        max_gap: Longest gap in seconds to bridge.

    Returns:
        (signal [N, sum of C_i] over the time that all streams share, time of its first sample in seconds).

    Raises:
        DataError: A stream's times are unusable, or the streams share no time.
    """
    if not streams:
        raise ValueError("no streams")
    ordered = [_ordered(times, values) for times, values in streams]
    start = max(float(times[0]) for times, _ in ordered)
    end = min(float(times[-1]) for times, _ in ordered)
    if end <= start:
        raise DataError(
            f"the streams share no time: one starts at {start:.3f} s and another ends at {end:.3f} s; "
            "check that both clocks have the same unit and origin"
        )
    count = int(np.floor((end - start) * rate + _SLACK)) + 1
    columns = [_on_grid(times, values, start, count, rate, max_gap) for times, values in ordered]
    return np.concatenate(columns, axis=1), start


def _near(times: NDArray[np.float64], first: int, after: int, start: float, end: float) -> slice:
    """Of the samples from `first` up to `after`, those from `start` to `end`."""
    own = times[first:after]
    return slice(first + int(np.searchsorted(own, start)), first + int(np.searchsorted(own, end, side="right")))


def _ratio(rate: float, new_rate: float) -> Fraction:
    """new_rate / rate with both terms small; taken from the side that is above one, so that it never becomes zero."""
    if new_rate < rate:
        return 1 / Fraction(rate / new_rate).limit_denominator(1000)
    return Fraction(new_rate / rate).limit_denominator(1000)


def _fill(signal: Floats) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The signal in float64 with NaN bridged linearly, and where they were."""
    missing = np.isnan(signal)
    filled = signal.astype(np.float64)
    rows = np.arange(len(signal))
    for column in np.flatnonzero(missing.any(axis=0)):
        hole = missing[:, column]
        filled[hole, column] = 0.0 if hole.all() else np.interp(rows[hole], rows[~hole], filled[~hole, column])
    return filled, missing


def _ordered(times: ArrayLike, values: Floats) -> tuple[NDArray[np.float64], Floats]:
    """Strictly increasing times, samples of equal time averaged."""
    clock = np.asarray(times, dtype=np.float64)
    if clock.ndim != 1 or values.ndim != 2 or len(clock) != len(values):
        raise ValueError(f"times {clock.shape} do not fit values {values.shape}")
    if len(clock) < 2:
        raise DataError(f"{len(clock)} timed samples are too few for a signal, give at least two")
    if not np.isfinite(clock).all():
        raise DataError(f"the time of sample {int(np.argmin(np.isfinite(clock))) + 1} is not a number")
    steps = np.diff(clock)
    if (steps < 0).any():
        row = int(np.argmax(steps < 0))
        raise DataError(
            f"time goes back at sample {row + 2}: {clock[row + 1]:.6g} s after {clock[row]:.6g} s; "
            "sort the samples by time, or split the recording there"
        )
    if (steps > 0).all():
        return clock, values
    distinct, first = np.unique(clock, return_index=True)
    if len(distinct) < 2:
        raise DataError("all samples have the same time; check the column and the unit of time")
    known = ~np.isnan(values)
    count = np.add.reduceat(known.astype(np.int64), first, axis=0)
    total = np.add.reduceat(np.where(known, values, 0), first, axis=0)
    mean = np.full(total.shape, np.nan, dtype=values.dtype)
    np.divide(total, count, out=mean, where=count > 0)
    return distinct, mean


def _on_grid(
    times: NDArray[np.float64], values: Floats, start: float, count: int, rate: float, max_gap: float
) -> Floats:
    own = 1.0 / float(np.median(np.diff(times)))
    sparse = count > max(10**6, 100 * len(times))
    if sparse or count * max(1.0, own / rate) * values.shape[1] > MAX_VALUES:
        raise DataError(
            f"the times span {(count - 1) / rate:.3g} s in steps of {1 / own:.3g} s, more than can be held at once; "
            "check the unit of the times, or cut the recording at its gaps"
        )
    finer = max(1, round(own / rate))
    length = (count - 1) * finer + 1
    grid = start + np.arange(length) / (rate * finer)
    signal = np.empty((length, values.shape[1]), dtype=values.dtype)
    for column in range(values.shape[1]):
        signal[:, column] = _interpolate(grid, times, values[:, column], max_gap, slack=_SLACK / rate)
    return resample(signal, rate * finer, rate) if finer > 1 else signal


def _interpolate(
    grid: NDArray[np.float64], times: NDArray[np.float64], values: Floats, max_gap: float, slack: float
) -> Floats:
    known = ~np.isnan(values)
    if not known.any():
        return np.full(len(grid), np.nan, dtype=values.dtype)
    times, values = times[known], values[known]
    line = np.interp(grid, times, values).astype(values.dtype)
    # Rounding of times must neither open a gap of exactly max_gap nor lose a grid point that lies on a sample.
    after = np.clip(np.searchsorted(times, grid, side="left"), 0, len(times) - 1)
    before = np.clip(after - 1, 0, len(times) - 1)
    on_sample = np.minimum(np.abs(times[after] - grid), np.abs(grid - times[before])) < slack
    inside = (grid >= times[0]) & (grid <= times[-1])
    line[~on_sample & (~inside | (times[after] - times[before] > max_gap + slack))] = np.nan
    return line
