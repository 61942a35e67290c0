"""How long answers take, side by side: everybody in turns, so that a machine that is shared slows all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WARM_UP = 3
"""Calls at the beginning of each turn that do not count: the others have emptied the caches since the last one."""
LEAST_CALLS, MOST_CALLS = 5, 2000
"""Of one turn."""


@dataclass(frozen=True)
class Times:
    """Seconds of single calls.

    Attributes:
        turns: For each turn, the calls of that turn.
    """

    turns: tuple[NDArray[np.float64], ...]

    @property
    def calls(self) -> NDArray[np.float64]:
        """All calls."""
        return np.concatenate(self.turns)

    @property
    def median(self) -> float:
        """Of all calls."""
        return float(np.median(self.calls))

    @property
    def p95(self) -> float:
        """What 95 of 100 calls stay below; on a machine that is shared this is mostly the others."""
        return float(np.quantile(self.calls, 0.95))


@dataclass(frozen=True)
class Ratio:
    """How many times as long the reference takes: median over turns, and quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, reference: Times, ours: Times) -> Ratio:
        """Each turn is held against the same turn of the reference, medians of calls against medians."""
        each = [np.median(r) / np.median(o) for r, o in zip(reference.turns, ours.turns, strict=True)]
        low, middle, high = np.quantile(each, [0.25, 0.5, 0.75])
        return cls(float(middle), float(low), float(high))


def in_turns(
    candidates: Mapping[str, Sequence[Callable[[], object]]],
    turns: int,
    *,
    least: float,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, Times]:
    """Times every call by itself, in turns A B C, C B A, A B C, ...

    Args:
        candidates: By name, the calls that one makes, over and over again (one a segment).
        turns: How many each has.
        least: Seconds that a turn should last: quick candidates make more calls.
        progress: Called after each turn of each candidate.
    """
    counts = {name: _count(calls, least) for name, calls in candidates.items()}
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in candidates}
    for number in range(turns):
        for name in list(candidates) if number % 2 == 0 else reversed(list(candidates)):
            found[name].append(_turn(candidates[name], counts[name]))
            progress()
    return {name: Times(tuple(seconds)) for name, seconds in found.items()}


def _count(calls: Sequence[Callable[[], object]], least: float) -> int:
    once = float(np.median(_turn(calls, LEAST_CALLS)))
    return int(np.clip(least / max(once, 1e-9), LEAST_CALLS, MOST_CALLS))


def _turn(calls: Sequence[Callable[[], object]], count: int) -> NDArray[np.float64]:
    """Seconds of `count` calls."""
    for number in range(WARM_UP):
        calls[number % len(calls)]()
    seconds = np.empty(count)
    collecting = gc.isenabled()
    gc.disable()  # a collection in the middle of a call would be counted as the model's
    try:
        for number in range(count):
            call = calls[number % len(calls)]
            begin = time.perf_counter()
            call()
            seconds[number] = time.perf_counter() - begin
    finally:
        if collecting:
            gc.enable()
    return seconds
