"""The resampler: the same in any pieces, and the same as the library's where that is there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from otolith_edge.resampler import Resampler

RATES = [(50, 20, 0), (50, 50, 20), (102.4, 50, 20), (50, 100, 0), (200, 20, 0), (49.7, 50, 0)]


def jittered(rate: float, seconds: float = 30, start: float = 1.7e9) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A clock that jitters and loses one in twenty."""
    rng = np.random.default_rng(3)
    n = round(rate * seconds)
    times = start + (np.arange(n) + rng.uniform(-0.2, 0.2, n)) / rate
    values = np.cumsum(rng.standard_normal((n, 3)), axis=0)
    kept = rng.random(n) > 0.05
    return times[kept], values[kept]


def through(resampler: Resampler, times: NDArray, values: NDArray, pieces: list[int]) -> NDArray[np.float32]:
    edges = np.cumsum([0, *pieces])
    out = [resampler.push(times[a:b], values[a:b]) for a, b in pairwise(edges)]
    return np.concatenate([*out, resampler.push(times[edges[-1] :], values[edges[-1] :]), resampler.finish()])


@pytest.mark.parametrize(("rate", "new_rate", "cutoff"), RATES)
def test_pieces_make_no_difference(rate: float, new_rate: float, cutoff: float) -> None:
    times, values = jittered(rate)
    third = len(times) // 3
    values[third : third + 9, 1] = np.nan  # of one channel alone
    keep = np.r_[: 2 * third, 2 * third + round(3 * rate) : len(times)]  # a gap of all
    times, values = times[keep], values[keep]
    rng = np.random.default_rng(0)
    whole = through(Resampler(rate, new_rate, cutoff, 3.5 / rate, 3), times, values, [])
    assert np.isnan(whole[:, 1]).sum() > np.isnan(whole[:, 0]).sum() > new_rate
    for pieces in ([1] * 300, [7] * (len(times) // 7), rng.integers(0, 90, len(times) // 90).tolist()):
        cut = through(Resampler(rate, new_rate, cutoff, 3.5 / rate, 3), times, values, pieces)
        assert np.array_equal(cut, whole, equal_nan=True)


@pytest.mark.parametrize(("rate", "new_rate", "cutoff"), RATES)
def test_agrees_with_the_library(rate: float, new_rate: float, cutoff: float) -> None:
    signal = pytest.importorskip("otolith.data.signal")
    times, values = jittered(rate)
    expected, _ = signal.to_uniform(times, values, rate, 20 / rate)
    if 0 < cutoff < rate / 2:
        expected = signal.lowpass(expected, rate, cutoff)
    expected = signal.resample(expected, rate, new_rate)
    found = through(Resampler(rate, new_rate, cutoff, 20 / rate, 3), times, values, [])
    assert 0 <= len(expected) - len(found) <= 1
    error = np.abs(expected[: len(found)] - found) / np.abs(expected).max()
    assert error[100:-100].max() < 2e-6
    assert error.max() < 5e-4  # the library's low-pass extends the ends by fewer samples


def test_a_gap_does_not_spread() -> None:
    """Beside a gap the signal is as near to the truth as at an end, and nothing but the gap is missing."""
    times = np.arange(1000) / 50
    wave = np.sin(2 * np.pi * 0.7 * times)[:, None]
    there = (times < 8) | (times > 12)
    found = through(Resampler(50, 20, 0, 0.07, 1), times[there], wave[there], [])[:, 0]
    clock = np.arange(len(found)) / 20
    known = ~np.isnan(found)
    assert np.array_equal(known, (clock < 8) | (clock > 12))
    assert np.abs(found[known] - np.sin(2 * np.pi * 0.7 * clock[known])).max() < 0.12


def test_what_would_be_aliased_is_gone() -> None:
    times = np.arange(3000) / 100
    fast = np.sin(2 * np.pi * 17 * times)[:, None]
    found = through(Resampler(100, 20, 0, 0.05, 1), times, fast, [])
    assert np.abs(found[30:-30]).max() < 1e-3
