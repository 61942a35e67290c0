"""A second clock beside the one in use: samples that may turn out to be the new time, or to be strays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_MOST = 4096  # samples set aside, if a clock stands still
_RIVAL_SHARE = 4  # samples of a believed clock for each one of the old


class Candidate:
    """Samples set aside in the order of arrival.

    Args:
        old: Where the clock in use stood when the first of them came.
    """

    def __init__(self, old: float) -> None:
        self._old = old
        self.rivals = 0
        """Samples of the clock in use since then."""
        self._times: list[float] = []
        self._rows: list[Doubles] = []
        self._earliest, self._latest = np.inf, -np.inf

    def add(self, time: float, row: Doubles) -> None:
        """Sets one more aside."""
        self._times.append(time)
        self._rows.append(row)
        self._earliest, self._latest = min(self._earliest, time), max(self._latest, time)

    def continues(self, time: float, tolerance: float, jump: float) -> bool:
        """Whether a sample can be of this clock."""
        return self._earliest - tolerance <= time <= self._latest + jump

    def believed(self, settle: float) -> bool:
        """Whether it has run for `settle` seconds, nearly alone."""
        return self._latest - self._earliest >= settle and self.rivals * _RIVAL_SHARE <= len(self._times)

    def outrun(self, latest: float, settle: float) -> bool:
        """Whether the clock in use has run on for `settle` seconds. Call it once for each of its samples."""
        self.rivals += 1
        return latest - self._old > settle

    def hopeless(self) -> bool:
        """Whether it stands still."""
        return len(self._times) >= _MOST

    def samples(self) -> tuple[Doubles, Doubles]:
        """Times [n] and values [n, C] in the order of arrival."""
        return np.array(self._times), np.array(self._rows)
