"""Windows and smoothing."""

from __future__ import annotations

import numpy as np
import pytest

from otolith_edge.events import UNKNOWN, Activity, Segment
from otolith_edge.smoothing import Smoother
from otolith_edge.windows import Windower


def rows(*stretches: int) -> np.ndarray:
    """Stretches of that many rows with their number in them, a missing row between."""
    count, parts = 0, []
    for size in stretches:
        parts += [np.arange(count, count + size, dtype=np.float32), [np.nan]]
        count += size + 1
    return np.concatenate(parts)[:-1, None].astype(np.float32)


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_every_stretch_is_covered_from_end_to_end(piece: int) -> None:
    signal = rows(23, 9, 10, 31)
    windower, found, ended = Windower(10, 4, 1), [], []
    for first in range(0, len(signal), piece):
        for cut in windower.push(signal[first : first + piece]):
            found += [(int(s), w[0, 0], w[-1, 0]) for s, w in zip(cut.starts, cut.windows, strict=True)]
            ended += [cut.ended] if cut.ended else []
    for cut in windower.finish():
        found += [(int(s), w[0, 0], w[-1, 0]) for s, w in zip(cut.starts, cut.windows, strict=True)]
        ended += [cut.ended]
    assert [s for s, _, _ in found] == [0, 4, 8, 12, 13, 34, 45, 49, 53, 57, 61, 65, 66]
    assert all(first == s and last == s + 9 for s, first, last in found)
    assert ended == [(0, 23), (24, 33), (34, 44), (45, 76)]


def smoothed(shares: list[float], enter: float = 0.6, leave: float = 0.4, minimum: float = 2.0) -> list:
    """Windows of two seconds a second apart; the share of `a` in each, the rest is `b`'s."""
    smoother = Smoother(("a", "b"), enter, leave, minimum, 1.0)
    events = []
    for second, share in enumerate(shares):
        events += smoother.add(second, second + 2, np.array([share, 1 - share]))
    return events + smoother.close(len(shares) + 1)


def test_hysteresis_and_the_shortest_activity() -> None:
    # 0.45 is above `leave`; a single 0.1 is too short; three 0.1 are a change, dated back to the first of them.
    events = smoothed([0.9, 0.9, 0.45, 0.9, 0.1, 0.9, 0.1, 0.1, 0.1])
    assert [(e.start, e.end, e.label) for e in events if isinstance(e, Segment)] == [(0, 6.5, "a"), (6.5, 10, "b")]
    assert [e.since for e in events if isinstance(e, Activity)] == [0, 6.5]
    first = next(e for e in events if isinstance(e, Segment))
    assert first.confidence == pytest.approx(np.mean([0.9, 0.9, 0.45, 0.9, 0.1, 0.9]))


def test_abstains_where_nothing_is_probable() -> None:
    events = smoothed([0.9] * 3 + [0.39] * 3 + [0.55] * 3, enter=0.8)
    assert [e.label for e in events if isinstance(e, Segment)] == ["a", UNKNOWN]


def test_without_thresholds_the_most_probable_wins() -> None:
    events = smoothed([0.51, 0.49, 0.51], enter=0.0, leave=0.0, minimum=0.0)
    assert [e.label for e in events if isinstance(e, Segment)] == ["a", "b", "a"]


def test_a_stretch_that_is_itself_too_short_keeps_its_activity() -> None:
    assert [(e.start, e.end, e.label) for e in smoothed([0.9]) if isinstance(e, Segment)] == [(0, 2, "a")]
