"""Samples of equal time, and which samples came already."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from otolith_edge.faults import Faults

Doubles = NDArray[np.float64]

_REMEMBERED = 30.0  # seconds for which a copy of a sample is known as such
_MOST = 65_536  # samples, should the clock hardly move


class Memory:
    """The samples of the last half minute."""

    def __init__(self) -> None:
        self._parts: deque[tuple[Doubles, Doubles]] = deque()
        self._count = 0

    def keep(self, times: Doubles, values: Doubles) -> None:
        """Remembers samples with increasing times [n], later than those before."""
        if len(times):
            self._parts.append((times, values))
            self._count += len(times)
            while self._parts[0][0][-1] < times[-1] - _REMEMBERED or (self._count > _MOST and len(self._parts) > 1):
                self._count -= len(self._parts.popleft()[0])

    def holds(self, time: float, row: Doubles) -> bool:
        """Whether this very sample came already."""
        for times, values in self._parts:
            if times[0] <= time <= times[-1]:
                at = int(np.searchsorted(times, time))
                return bool(times[at] == time and np.array_equal(values[at], row, equal_nan=True))
        return False


def merged(times: Doubles, values: Doubles, faults: Faults) -> tuple[Doubles, Doubles, NDArray[np.int64]]:
    """Samples with times [n] that never go back, to one for each time, and which of them came first.

    Copies are left out; other values at the same time are averaged, each channel over those that are there.
    """
    fresh = np.concatenate([[True], np.diff(times) > 0])[: len(times)]
    starts = np.flatnonzero(fresh)
    if len(starts) == len(times):
        return times, values, starts
    out = values[starts]
    for group, (first, after) in enumerate(zip(starts, np.append(starts[1:], len(times)), strict=True)):
        if after - first < 2:
            continue
        different = {row.tobytes(): row for row in values[first:after]}
        faults.add("duplicated", int(after - first) - len(different), float(times[first]))
        faults.add("conflicting", len(different) - 1, float(times[first]))
        out[group] = _mean(np.array(list(different.values())))
    return times[starts], out, starts


def _mean(rows: Doubles) -> Doubles:
    known = ~np.isnan(rows)
    count = known.sum(axis=0)
    total = np.where(known, rows, 0.0).sum(axis=0)
    out: Doubles = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return out
