from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from otolith.recognise.timeline import Segment, on_grid, timeline, uncovered

A, B, C = np.eye(3)
LABELS = ("walking", "sitting", "lying")


def spans(segments: list[Segment]) -> list[tuple[float, float, str]]:
    return [(round(s.start, 6), round(s.end, 6), s.label) for s in segments]


def tiled(text: str) -> tuple[np.ndarray, float, np.ndarray]:
    """Windows of 1 s beside each other, one a letter; a space is missing."""
    starts = np.array([i for i, letter in enumerate(text) if letter != " "], dtype=float)
    return starts, 1.0, np.stack([{"a": A, "b": B, "c": C}[letter] for letter in text if letter != " "])


def test_overlapping_windows_are_averaged() -> None:
    mean = on_grid(np.array([0.0, 1.0]), 2.0, np.stack([A, B]), 1.0)
    np.testing.assert_allclose(mean, [A, (A + B) / 2, B])


def test_grid_equals_the_definition() -> None:
    rng = np.random.default_rng(0)
    starts, probabilities = np.sort(rng.uniform(3, 60, 40)), rng.dirichlet(np.ones(4), 40)
    got = on_grid(starts, 2.5, probabilities, 0.4)
    for cell, row in enumerate(got):
        middle = starts.min() + (cell + 0.5) * 0.4
        over = (starts <= middle) & (middle < starts + 2.5)
        np.testing.assert_allclose(row, probabilities[over].mean(0) if over.any() else np.full(4, np.nan), atol=1e-12)


def test_equal_neighbours_are_one_segment() -> None:
    segments = timeline(*tiled("aabbbc"), LABELS)
    assert spans(segments) == [(0, 2, "walking"), (2, 5, "sitting"), (5, 6, "lying")]
    assert [s.confidence for s in segments] == [1, 1, 1]


def test_half_overlap_puts_the_border_in_the_middle() -> None:
    starts = np.arange(0.0, 8, 1)
    probabilities = np.stack([A * 0.9 + B * 0.1] * 4 + [B * 0.8 + A * 0.2] * 4)
    segments = timeline(starts, 2.0, probabilities, LABELS, grid_seconds=0.5)
    # From 4 to 5 s one window of each: 0.55 walking. The border is within the overlap.
    assert spans(segments) == [(0, 5, "walking"), (5, 9, "sitting")]
    assert segments[0].confidence == pytest.approx((4 * 0.9 + 0.55) / 5)


def test_missing_time_is_not_bridged() -> None:
    starts, seconds, probabilities = tiled("aa  aab")
    assert spans(timeline(starts, seconds, probabilities, LABELS)) == [
        (0, 2, "walking"),
        (4, 6, "walking"),
        (6, 7, "sitting"),
    ]
    # Not even by a minimum that is longer than anything there is.
    assert spans(timeline(starts, seconds, probabilities, LABELS, minimum_seconds=100)) == [
        (0, 2, "walking"),
        (4, 7, "walking"),
    ]
    assert uncovered(starts, seconds, 9.0) == ((2.0, 4.0), (7.0, 9.0))
    assert uncovered(np.array([1.0]), 2.0, 3.01, tolerance=0.02) == ((0.0, 1.0),)


def test_unsure_time_is_unknown() -> None:
    unsure = np.array([0.4, 0.35, 0.25])
    segments = timeline(np.arange(4.0), 1.0, np.stack([A, unsure, unsure, A]), LABELS, threshold=0.5)
    assert spans(segments) == [(0, 1, "walking"), (1, 3, "unknown"), (3, 4, "walking")]
    assert segments[1].confidence == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("text", "minimum", "expected"),
    [
        ("aaabaaa", 2, "aaaaaaa"),  # a blip between equal neighbours
        ("aaabcc", 2, "aaaacc"),  # to the longer neighbour
        ("aabcc", 2, "aaacc"),  # to the earlier when equal
        ("abababcccc", 3, "bbbbbbcccc"),  # the first touches only a b, which then grows
        ("baaa", 2, "aaaa"),
        ("aaab", 2, "aaaa"),
        ("aab", 1, "aab"),
        ("b aaa", 2, "b aaa"),  # an island stays
        ("aabbcc", 3, "bbbbbb"),
    ],
)
def test_short_segments_are_absorbed(text: str, minimum: float, expected: str) -> None:
    segments = timeline(*tiled(text), LABELS, grid_seconds=1.0, minimum_seconds=minimum)
    painted = [" "] * len(text)
    for s in segments:
        painted[round(s.start) : round(s.end)] = "abc"[LABELS.index(s.label)] * round(s.end - s.start)
    assert "".join(painted) == expected
    # In any case: nothing short is left beside a neighbour, no two equal neighbours, no time gained or lost.
    assert [c == " " for c in painted] == [c == " " for c in text]
    for left, right in pairwise(segments):
        if left.end == right.start:
            assert left.label != right.label and min(left.end - left.start, right.end - right.start) >= minimum


def test_ends_with_the_last_window() -> None:
    segments = timeline(np.array([0.25, 1.05]), 1.0, np.stack([A, A]), LABELS, grid_seconds=0.5)
    assert spans(segments) == [(0.25, 2.05, "walking")]


def test_no_window_no_segment() -> None:
    assert timeline(np.empty(0), 4.0, np.empty((0, 3)), LABELS) == []


def test_a_day_of_flicker_takes_seconds() -> None:
    rng = np.random.default_rng(0)
    starts = np.arange(0.0, 86_400)
    began = time.perf_counter()
    segments = timeline(starts, 4.0, rng.dirichlet(np.ones(3), len(starts)), LABELS, minimum_seconds=10)
    assert time.perf_counter() - began < 10  # a quadratic pass takes minutes
    assert min(s.end - s.start for s in segments) >= 10
