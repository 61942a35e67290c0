"""Samples in the order of arrival to samples in the order of time: copies, stragglers and jumps of the clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otolith_edge.clock import Candidate
from otolith_edge.faults import Faults
from otolith_edge.ordering import Memory, merged

Doubles = NDArray[np.float64]

_MOST = 16_384
"""Samples held back, whatever the clock says: it may stand still."""


@dataclass(frozen=True)
class Ready:
    """Samples whose turn has come.

    Attributes:
        times: [n] seconds, strictly increasing, and later than those of the last `Ready` unless `jumped`.
        values: [n, C].
        jumped: Whether the clock jumped before them.
    """

    times: Doubles
    values: Doubles
    jumped: bool = False


class Inbox:
    """Holds each sample back for `tolerance` seconds of the sensor's clock, in case an earlier one is still to come.

    A sample that fits the clock neither before nor after is set aside. If more of its kind follow and the old clock is
    silent, the clock has jumped: they are the first of a new stretch and nothing is lost. Otherwise they were late or
    astray.

    Args:
        channels: C.
        tolerance: How much later than a later one a sample may arrive.
        jump: Seconds ahead from which it is no gap but a jump of the clock.
        settle: Seconds for which a new clock must run before it is believed.
        faults: Where to count.
    """

    def __init__(self, channels: int, tolerance: float, jump: float, settle: float, faults: Faults) -> None:
        self.tolerance, self.jump, self.settle, self.faults = tolerance, jump, settle, faults
        self._times: Doubles = np.empty(0)
        self._values: Doubles = np.empty((0, channels))
        self._behind = np.empty(0, np.bool_)  # whether each came after a later one
        self._latest = -np.inf
        self._memory = Memory()
        self._candidate: Candidate | None = None

    def push(self, times: Doubles, values: Doubles) -> list[Ready]:
        """Samples [n], [n, C] as they arrive, to those whose turn has come."""
        usable = np.isfinite(times)
        if not usable.all():
            self.faults.add("untimed", int((~usable).sum()))
            times, values = times[usable], values[usable]
        out: list[Ready] = []
        first = 0
        while first < len(times):
            if self._candidate is None:
                calm = first + self._calm(times[first:])
                self._accept(times[first:calm], values[first:calm])
                first = calm
            if first < len(times):
                out.extend(self._weigh(float(times[first]), values[first]))
                first += 1
        out.append(self._release(self._latest - self.tolerance))
        if len(self._times) > _MOST:
            out.append(self._release(self._latest))
            self._collapse()
        return [ready for ready in out if len(ready.times) or ready.jumped]

    def finish(self) -> list[Ready]:
        """All that is held back."""
        out = [self._release(np.inf)]
        if self._candidate and not self._candidate.rivals:
            out.extend([self._jump(self._candidate), self._release(np.inf)])
        elif self._candidate:
            self._dismiss(self._candidate)
        return [ready for ready in out if len(ready.times) or ready.jumped]

    def _calm(self, times: Doubles) -> int:
        """How many samples fit the clock before one does not."""
        if np.isinf(self._latest):
            self._latest = float(times[0])
        before = np.maximum.accumulate(np.concatenate([[self._latest], times[:-1]]))
        wild = (times < before - self.tolerance) | (times > before + self.jump)
        return int(wild.argmax()) if wild.any() else len(times)

    def _accept(self, times: Doubles, values: Doubles) -> None:
        if not len(times):
            return
        before = np.maximum.accumulate(np.concatenate([[self._latest], times[:-1]]))
        self._behind = np.concatenate([self._behind, times < before])
        self._latest = max(self._latest, float(times.max()))
        self._times = np.concatenate([self._times, times])
        self._values = np.concatenate([self._values, values])

    def _weigh(self, time: float, row: Doubles) -> list[Ready]:
        """One sample while the clock is in doubt."""
        candidate = self._candidate
        if self._latest - self.tolerance <= time <= self._latest + self.jump:
            self._accept(np.array([time]), row[None])
            if candidate and candidate.outrun(self._latest, self.settle):
                self._dismiss(candidate)
            return []
        if self._memory.holds(time, row):
            self.faults.add("duplicated", 1, time)
            return []
        if candidate is None or not candidate.continues(time, self.tolerance, self.jump):
            if candidate:
                self._dismiss(candidate)
            candidate = self._candidate = Candidate(self._latest)
        candidate.add(time, row)
        if candidate.believed(self.settle):
            return [self._release(np.inf), self._jump(candidate)]
        if candidate.hopeless():
            self._dismiss(candidate)
        return []

    def _jump(self, candidate: Candidate) -> Ready:
        """The new clock becomes the clock; nothing of the old one is held any more."""
        self._candidate = None
        times, values = candidate.samples()
        self.faults.add("clock_jump", 1, float(times[0]))
        self._latest = float(times[0])
        self._memory = Memory()
        self._accept(times, values)
        return Ready(self._times[:0], self._values[:0], jumped=True)

    def _dismiss(self, candidate: Candidate) -> None:
        """What was set aside cannot be used."""
        times, _ = candidate.samples()
        ahead = times > self._latest
        self.faults.add("astray", int(ahead.sum()), float(times[0]))
        self.faults.add("late", int((~ahead).sum()), float(times[0]))
        self._candidate = None

    def _collapse(self) -> None:
        """Samples that all have the latest time become one."""
        self._times, self._values, kept = merged(self._times, self._values, self.faults)
        self._behind = self._behind[kept]

    def _release(self, before: float) -> Ready:
        """Of the samples held back those from before a time, in order."""
        order = np.argsort(self._times, kind="stable")
        times, values, behind = self._times[order], self._values[order], self._behind[order]
        count = int(np.searchsorted(times, before))
        self._times, self._values, self._behind = times[count:], values[count:], behind[count:]
        times, values, kept = merged(times[:count], values[:count], self.faults)
        late = np.flatnonzero(behind[:count][kept])  # copies that came late are copies
        self.faults.add("reordered", len(late), float(times[late[0]]) if len(late) else None)
        self._memory.keep(times, values)
        return Ready(times, values)
