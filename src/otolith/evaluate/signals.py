"""Preparing signals and segments for display, on paper or on screen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Span(NamedTuple):
    """A stretch of a timeline, in seconds, with its label and how sure that is (0 to 1)."""

    start: float
    end: float
    label: str
    confidence: float = 1.0


class Trace(NamedTuple):
    """Name and unit of one column of a signal, for example `wrist_acc_x` in `m/s^2`."""

    name: str
    unit: str


class Thinned(NamedTuple):
    """One column of a signal, thinned for display: values [N] at times [N] in seconds, NaN where missing."""

    trace: Trace
    times: NDArray[np.float64]
    values: NDArray[np.float64]


_AXES = ("_x", "_y", "_z")
_UNITS = {"m/s^2": "m/s²", "uT": "µT", "degC": "°C"}


def written(unit: str) -> str:
    """The unit as people write it."""
    return _UNITS.get(unit, unit)


def panels(traces: Sequence[Trace]) -> dict[str, list[int]]:
    """Columns that share a panel: the axes of one sensor, by a heading such as `wrist acc (m/s²)`."""
    found: dict[str, list[int]] = {}
    for column, (name, unit) in enumerate(traces):
        stem = name[:-2] if name.endswith(_AXES) else name
        found.setdefault(f"{stem.replace('_', ' ')} ({written(unit)})", []).append(column)
    return found


def line_name(trace: Trace) -> str:
    """What tells the trace from the others of its panel: its axis, or its name."""
    return trace.name[-1] if trace.name.endswith(_AXES) else trace.name.replace("_", " ")


def envelope(values: NDArray[np.floating], bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thins a signal for display without losing its peaks.

    Each of `bins` stretches is drawn by its least and greatest value, in their order in time.

    Args:
        values: [T]; NaN where missing.
        bins: Number of stretches.

    Returns:
        Positions (in samples) and values; all samples if there are no more than two for each stretch, and NaN for a
        stretch with no values at all.
    """
    exact = np.asarray(values, dtype=np.float64)
    if len(exact) <= 2 * bins:
        return np.arange(len(exact), dtype=np.float64), exact
    edges = np.linspace(0, len(exact), bins + 1).round().astype(int)
    missing = np.isnan(exact)
    low, high = np.where(missing, np.inf, exact), np.where(missing, -np.inf, exact)
    positions, kept = [], []
    for start, end in pairwise(edges):
        first, second = sorted((start + int(low[start:end].argmin()), start + int(high[start:end].argmax())))
        positions += [first, second]
        kept += [exact[first], exact[second]]
    return np.array(positions, dtype=np.float64), np.array(kept)


_MOST_BINS = 1500
_MOST_PAIRS = 20_000


def thin(signal: NDArray[np.floating], rate: float, traces: Sequence[Trace], start: float = 0.0) -> list[Thinned]:
    """Every column of a signal as `envelope` thins it, so finely that one can look closer into a part of it.

    Args:
        signal: [T, C].
        rate: Samples per second.
        traces: [C].
        start: Time of the first sample in seconds.

    Returns:
        At most 1500 pairs of values a column, fewer where there are many columns, so that a file stays small.
    """
    bins = min(_MOST_BINS, max(200, _MOST_PAIRS // max(len(traces), 1)))
    found = []
    for trace, values in zip(traces, signal.T, strict=True):
        places, kept = envelope(values, bins)
        found.append(Thinned(trace, start + places / rate, kept))
    return found


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers from `low` to `high` (steps of 1, 2 or 5 times a power of ten)."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first = np.ceil(low / step - 1e-9)
    last = np.floor(high / step + 1e-9)
    # Adding zero turns -0 into 0.
    return [float(round(i * step, 12)) + 0.0 for i in np.arange(first, last + 1)]
