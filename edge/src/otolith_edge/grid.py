"""From samples with a jittering clock to an even grid, as they come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_SLACK = 0.01
"""Share of a sample that one beside a gap may lie off the grid and still count as on it."""

_ROUNDING = 1e-4
"""As `_SLACK`, where there is no gap: what single steps of a clock in seconds since 1970 may be off."""


class Grid:
    """Linear interpolation between samples at most `max_gap` apart; NaN elsewhere. Each channel for itself.

    Args:
        rate: Samples per second of the grid, which begins at the first sample.
        max_gap: Longest gap in seconds to bridge.
        channels: C.
    """

    def __init__(self, rate: float, max_gap: float, channels: int) -> None:
        self.rate, self.max_gap, self._slack = rate, max_gap, _SLACK / rate
        self.origin = 0.0
        """Time of the first point, once there is one."""
        self._times: Doubles = np.empty(0)  # since the origin
        self._values: Doubles = np.empty((0, channels))
        self._next = 0
        self._began = False

    def push(self, times: Doubles, values: Doubles) -> Doubles:
        """Samples with increasing times [n] and values [n, C], NaN where missing, to the points [k, C] now certain."""
        if not len(times):
            return self._values[:0]
        if not self._began:
            self.origin, self._began = float(times[0]), True
        self._times = np.concatenate([self._times, times - self.origin])
        self._values = np.concatenate([self._values, values])
        latest = float(self._times[-1])
        # Beyond that, the next sample of a channel can be no nearer than the longest gap.
        certain = latest - self.max_gap - self._slack
        return self._emit(max(certain, self._last_known()))

    def finish(self) -> Doubles:
        """The points up to the last sample."""
        return self._emit(float(self._times[-1]) + self._slack) if len(self._times) else self._values[:0]

    def _last_known(self) -> float:
        """Until when every channel has samples."""
        known = ~np.isnan(self._values)
        if known[-1].all():
            return float(self._times[-1])
        last = len(known) - 1 - known[::-1].argmax(axis=0)
        return float(self._times[last].min()) if known.any(axis=0).all() else -np.inf

    def _emit(self, until: float) -> Doubles:
        after = int(np.floor(until * self.rate)) + 1 if np.isfinite(until) else 0
        if after <= self._next:
            return self._values[:0]
        points = np.arange(self._next, after) / self.rate
        out = self._interpolate(points)
        self._next = after
        needed = after / self.rate - self.max_gap - 2 * self._slack
        first = int(np.searchsorted(self._times, needed))
        self._times, self._values = self._times[first:], self._values[first:]
        return out

    def _interpolate(self, points: Doubles) -> Doubles:
        known = ~np.isnan(self._values)
        if known.all():
            return self._between(points, self._times, self._values)
        columns = [
            self._between(points, self._times[there], self._values[there, c : c + 1]) for c, there in enumerate(known.T)
        ]
        return np.concatenate(columns, axis=1)

    def _between(self, points: Doubles, times: Doubles, values: Doubles) -> Doubles:
        """Values [k, C] at points [k] from samples without a missing value."""
        after = np.searchsorted(times, points)
        clock = np.concatenate([[-np.inf], times, [np.inf]])
        nothing = np.full((1, values.shape[1]), np.nan)
        framed = np.concatenate([nothing, values, nothing])
        behind, ahead = points - clock[after], clock[after + 1] - points
        left, right = framed[after], framed[after + 1]
        bridged = behind + ahead <= self.max_gap + self._slack
        share = np.where(bridged, behind, 0.0) / np.where(bridged, behind + ahead, 1.0)
        line = np.where(bridged[:, None], left + share[:, None] * (right - left), np.nan)
        near = np.where(bridged, _ROUNDING / self.rate, self._slack)
        line = np.where((behind < near)[:, None], left, line)
        return np.where((ahead < near)[:, None], right, line)
