"""Faults put into a good stream, and how many of each kind a reader must find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

PACKET = 10  # samples

REORDERED = 0.48  # seconds that a sample comes late at the most: just below what a stream tolerates


@dataclass
class Injector:
    """Blocks of a stream, each with every kind of fault, and the counts that follow from how they were made.

    Attributes:
        rate: Samples per second.
        share_lost: Of samples, each for itself.
        seed: Of everything random.
        expected: What a reader must count so far.
        sent: Samples so far, copies included.
        good: Different samples so far.
    """

    rate: float
    share_lost: float = 0.05
    seed: int = 0
    jump: float = 3600.0
    expected: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    good: int = 0

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        self._shift = 0.0

    def block(self, times: Doubles, values: Doubles, *, jumps: bool) -> Iterator[tuple[Doubles, Doubles]]:
        """Ten minutes or so of good samples [n], [n, 6], to the packets that arrive.

        Args:
            times: Even, continuing those of the block before.
            values: Without NaN.
            jumps: Whether the clock jumps in the middle: ahead the first time, back the second, and so on.
        """
        n, rate = len(times), round(self.rate)
        times, values = times.copy(), values.astype(np.float64)
        removed = self._rng.random(n) < self.share_lost
        place = np.linspace(0, n, 8).astype(int)  # a fault of a kind at each, far from the others
        removed[place[1] : place[1] + 10 * rate] = True
        removed[: 2 * rate] = removed[-2 * rate :] = False
        removed[place[4] - 2 * rate : place[4] + 2 * rate] = False
        values[place[2] : place[2] + 2 * rate, 3:] = np.nan
        values[place[3] : place[3] + rate // 2] = np.nan
        times += self._shift
        if jumps:
            before, self._shift = self._shift, self.jump - self._shift
            times[place[4] :] += self._shift - before
            self.expected["clock_jump"] += 1
        runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], removed.astype(int), [0]]))))[::2]
        self.expected["lost"] += int(removed.sum())
        self.expected["gap"] += int((runs >= 3).sum())
        self.expected["dropout"] += 3  # of one sensor once, of both together once
        self.expected["missing_values"] += int((np.isnan(values).any(axis=1) & ~removed).sum())
        # Packets are not mixed up across a gap or a jump: nobody could tell what is late from what is of another clock.
        calm = [int((~removed[:at]).sum()) // PACKET for at in (place[1], place[4])]
        times, values = times[~removed], values[~removed]
        self.good += len(times)
        for packet in self._packets(times, calm):
            self.sent += len(packet)
            yield times[packet], values[packet]

    def _packets(self, times: Doubles, calm: list[int]) -> Iterator[NDArray[np.int64]]:
        """Rows of each packet: some swapped with the next, some again at once, some again three packets later."""
        n = len(times)
        packets = [np.arange(first, min(first + PACKET, n)) for first in range(0, n, PACKET)]
        order = list(range(len(packets)))
        near = {place + k for place in calm for k in range(-8, 9)}
        for number in sorted(set(range(20, len(packets) - 20, 40)) - near):
            if times[packets[number + 1][-1]] - times[packets[number][0]] > REORDERED:  # that would be late
                continue
            order[number], order[number + 1] = order[number + 1], order[number]
            self.expected["reordered"] += len(packets[number])
        again = {number: 3 * (number % 20 == 0) for number in set(range(30, len(packets) - 20, 10)) - near}
        due: dict[int, list[int]] = {}
        for position, number in enumerate(order):
            yield packets[number]
            if number in again:
                due.setdefault(position + again[number], []).append(number)
            for copy in due.pop(position, []):
                self.expected["duplicated"] += len(packets[copy])
                yield packets[copy]
