"""Samples as they come, to a signal at the model's rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otolith_edge.filters import low_pass, rate_change, resampling
from otolith_edge.grid import Grid

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]


class Resampler:
    """Even grid at the sensor's rate, low-pass, change of rate: what training did to recordings, without an end.

    In whatever pieces samples are pushed, the output is the same.

    Args:
        rate: Samples per second of the sensor.
        new_rate: Samples per second wanted.
        cutoff: Of the low-pass in Hz; 0 is none.
        max_gap: Longest gap in seconds to bridge.
        channels: C.
    """

    def __init__(self, rate: float, new_rate: float, cutoff: float, max_gap: float, channels: int) -> None:
        self.grid = Grid(rate, max_gap, channels)
        steps = (low_pass(rate, cutoff, channels), resampling(rate, new_rate, channels))
        self._filters = [step for step in steps if step]
        ratio = rate_change(rate, new_rate)
        self.rate = rate * ratio.numerator / ratio.denominator
        """Samples per second of the output: the wanted rate, or a fraction's breadth beside it."""

    def push(self, times: Doubles, values: Doubles) -> Floats:
        """Samples with increasing times [n] and values [n, C] to output rows [k, C], NaN where samples are missing."""
        return self._filtered(self.grid.push(times, values))

    def finish(self) -> Floats:
        """The rows that were waiting for more samples."""
        rows = self.grid.finish()
        for step in self._filters:
            rows = np.concatenate([step.push(rows), step.finish()])
        return rows.astype(np.float32)

    def time(self, row: int) -> float:
        """Seconds of an output row, counted from the first."""
        return self.grid.origin + row / self.rate

    @property
    def delay(self) -> float:
        """Seconds by which the output is behind the input."""
        seconds, rate = 0.0, self.grid.rate
        for step in self._filters:
            seconds, rate = seconds + step.reach / rate, rate * step.up / step.down
        return seconds

    def _filtered(self, rows: Doubles) -> Floats:
        for step in self._filters:
            rows = step.push(rows)
        return rows.astype(np.float32)
