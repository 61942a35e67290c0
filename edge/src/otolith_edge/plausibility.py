"""Whether the first seconds of a sensor can be what they are said to be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from otolith_edge.description import Channel
from otolith_edge.faults import Faults
from otolith_edge.units import GRAVITY

Doubles = NDArray[np.float64]

_AT_REST = (0.5 * GRAVITY, 2.0 * GRAVITY)  # median size of an acceleration with gravity, in m/s²
_FASTEST = 35.0  # rad/s that half of the samples never exceed: 2000 deg/s, the range of most gyroscopes


class Plausibility:
    """Judges each three-axis sensor once, by the median size of its first samples.

    Args:
        channels: C columns.
        samples: How many to judge by.
        faults: Where to count.
    """

    def __init__(self, channels: Sequence[Channel], samples: int, faults: Faults) -> None:
        self._samples, self._faults = samples, faults
        kinds = [(c.sensor, c.placement, c.unit, c.gravity) for c in channels]
        self._sensors = {
            kind: columns
            for kind in dict.fromkeys(kinds)
            if len(columns := [c for c, own in enumerate(kinds) if own == kind]) == 3
        }
        self._seen: list[Doubles] = []

    def see(self, times: Doubles, values: Doubles) -> None:
        """Samples with times [n] and values [n, C] in SI units."""
        if not self._samples or not len(times):
            return
        self._seen.append(values[: self._samples])
        self._samples -= len(self._seen[-1])
        if self._samples:
            return
        first = np.concatenate(self._seen)
        self._seen = []
        for (sensor, _, unit, gravity), columns in self._sensors.items():
            sizes = np.linalg.norm(first[:, columns], axis=1)
            sizes = sizes[np.isfinite(sizes)]
            size = float(np.median(sizes)) if len(sizes) else np.nan
            heavy = sensor == "acc" and gravity and unit == "m/s^2" and not _AT_REST[0] < size < _AT_REST[1]
            if not np.isnan(size) and (heavy or (sensor == "gyro" and unit == "rad/s" and size > _FASTEST)):
                self._faults.add("implausible", 1, float(times[-1]))
