"""Counts what is missing from samples that are in order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from otolith_edge.description import Channel
from otolith_edge.faults import Faults

Doubles = NDArray[np.float64]


class Watch:
    """Lost samples, gaps, missing values, and sensors that drop out.

    Args:
        channels: C columns; those of one sensor at one place drop out together.
        rate: Samples per second that should come.
        max_gap: Longest gap in seconds that is bridged.
        faults: Where to count.
    """

    def __init__(self, channels: Sequence[Channel], rate: float, max_gap: float, faults: Faults) -> None:
        self.rate, self.max_gap, self.faults = rate, max_gap, faults
        kinds = [(channel.sensor, channel.placement) for channel in channels]
        self._sensors = [[c for c, kind in enumerate(kinds) if kind == own] for own in dict.fromkeys(kinds)]
        self.restart()

    def restart(self) -> None:
        """The next sample has none before it."""
        self._last = np.nan
        self._silent = [np.nan] * len(self._sensors)  # since when each sensor has lacked values
        self._out = [False] * len(self._sensors)

    def see(self, times: Doubles, values: Doubles) -> None:
        """Samples with increasing times [n], later than those before, and values [n, C]."""
        if not len(times):
            return
        before = np.concatenate([[self._last], times[:-1]])
        steps = times - before
        lost = np.maximum(np.nan_to_num(np.rint(steps * self.rate)) - 1, 0)
        gaps = steps > self.max_gap * (1 + 1e-6)
        self.faults.add("lost", int(lost.sum()), float(before[lost.argmax() if lost.any() else 0]))
        self.faults.add("gap", int(gaps.sum()), float(before[gaps.argmax()]))
        missing: NDArray[np.bool_] = np.isnan(values)
        if missing.any():
            rows = missing.any(axis=1)
            self.faults.add("missing_values", int(rows.sum()), float(times[rows.argmax()]))
        for sensor, columns in enumerate(self._sensors):
            self._dropouts(sensor, times, before, np.any(missing[:, columns], axis=1))
        self._last = float(times[-1])

    def _dropouts(self, sensor: int, times: Doubles, before: Doubles, missing: NDArray[np.bool_]) -> None:
        """Counts a drop-out once it has lasted too long to be bridged; what a gap hides is the gap's."""
        if not missing.any() and np.isnan(self._silent[sensor]):
            return
        for time, previous, gone in zip(times.tolist(), before.tolist(), missing.tolist(), strict=True):
            gap = not time - previous <= self.max_gap
            if gone and np.isnan(self._silent[sensor]):
                self._silent[sensor] = time if gap else previous
            silent = time - self._silent[sensor] > self.max_gap
            if silent and not self._out[sensor] and (gone or not gap):
                self._out[sensor] = True
                self.faults.add("dropout", 1, self._silent[sensor])
            if not gone:
                self._silent[sensor], self._out[sensor] = np.nan, False
