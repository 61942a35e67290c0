"""From the beliefs of windows to activities that do not flicker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from otolith_edge.events import UNKNOWN, Activity, Segment

_NONE, _UNKNOWN = -2, -1


class Smoother:
    """Hysteresis: an activity begins when its probability reaches `enter`, and lasts until it falls below `leave` or
    another one reaches `enter`. Where none does, it is unknown. A change counts once it has lasted `minimum` seconds,
    and is dated back to its beginning.

    Each window speaks for the time around its middle, up to half way to its neighbours.

    Args:
        labels: L names.
        enter: Probability at which an activity begins.
        leave: Probability below which it ends; not above `enter`.
        minimum: Shortest activity in seconds; only a stretch that is shorter itself has shorter ones.
        step: Seconds from one window to the next.
    """

    def __init__(self, labels: Sequence[str], enter: float, leave: float, minimum: float, step: float) -> None:
        self.labels, self.enter, self.leave = tuple(labels), enter, leave
        self.minimum, self.step = minimum, step
        self._reset()

    def _reset(self) -> None:
        self._current = self._candidate = _NONE
        self._since = self._candidate_since = self._held_since = np.nan
        self.middle = np.nan
        """Middle of the last window; NaN before the first of a stretch."""
        self._current_sum = self._candidate_sum = self._aside = 0.0
        self._current_count = self._candidate_count = 0

    def add(self, start: float, end: float, beliefs: NDArray[np.floating]) -> list[Activity | Segment]:
        """One window from `start` to `end` with probabilities [L]."""
        middle = (start + end) / 2
        begins = start if np.isnan(self.middle) else (self.middle + middle) / 2
        self.middle = middle
        verdict = self._verdict(beliefs)
        if verdict == self._current:
            self._absorb()
            self._current_sum += self._belief(verdict, beliefs)
            self._current_count += 1
            return []
        if verdict != self._candidate:
            self._absorb()
            self._candidate = verdict
            self._held_since = begins
            # What comes before the first activity of a stretch is too short to be one, and goes to it.
            self._since = begins if np.isnan(self._since) else self._since
            self._candidate_since = self._since if self._current == _NONE else begins
        self._candidate_sum += self._belief(verdict, beliefs)
        self._candidate_count += 1
        if self._current != _NONE:
            self._aside += self._belief(self._current, beliefs)
        held = middle + self.step / 2 - self._held_since
        return self._change() if held >= self.minimum - 1e-6 else []

    def close(self, end: float) -> list[Activity | Segment]:
        """The stretch ends at `end` seconds."""
        out: list[Activity | Segment] = []
        if self._current == _NONE and self._candidate != _NONE:
            out.extend(self._change())
        self._absorb()
        if self._current != _NONE:
            out.append(self._segment(end))
        self._reset()
        return out

    def _verdict(self, beliefs: NDArray[np.floating]) -> int:
        best, current = int(beliefs.argmax()), self._current
        another = best != current and beliefs[best] >= self.enter
        if current >= 0 and beliefs[current] >= self.leave and not another:
            return current
        return best if beliefs[best] >= self.enter else _UNKNOWN

    def _belief(self, verdict: int, beliefs: NDArray[np.floating]) -> float:
        return float(beliefs.max() if verdict == _UNKNOWN else beliefs[verdict])

    def _change(self) -> list[Activity | Segment]:
        """The candidate becomes the activity."""
        out: list[Activity | Segment] = [] if self._current == _NONE else [self._segment(self._candidate_since)]
        self._current, self._since = self._candidate, self._candidate_since
        self._current_sum, self._current_count = self._candidate_sum, self._candidate_count
        self._forget()
        out.append(Activity(self._since, self._name(), self._current_sum / self._current_count))
        return out

    def _absorb(self) -> None:
        """The candidate was too short: its windows go to the activity."""
        if self._current != _NONE:
            self._current_sum += self._aside
            self._current_count += self._candidate_count
        self._forget()

    def _forget(self) -> None:
        self._candidate, self._candidate_sum, self._candidate_count, self._aside = _NONE, 0.0, 0, 0.0

    def _segment(self, end: float) -> Segment:
        return Segment(self._since, end, self._name(), self._current_sum / self._current_count)

    def _name(self) -> str:
        return UNKNOWN if self._current == _UNKNOWN else self.labels[self._current]
