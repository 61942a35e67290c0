from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from otolith.evaluate.signals import Trace, envelope, line_name, nice_ticks, panels, thin
from otolith.palette import PALETTE, colours, ink


def test_envelope_keeps_every_peak() -> None:
    signal = np.random.default_rng(0).normal(size=10_000)
    signal[[1234, 7777]] = 50, -60
    at, kept = envelope(signal, 100)
    assert len(at) == len(kept) == 200
    assert (np.diff(at) >= 0).all()
    np.testing.assert_array_equal(kept, signal[at.astype(int)])
    edges = np.linspace(0, 10_000, 101).round().astype(int)
    for pair, (start, end) in zip(kept.reshape(-1, 2), pairwise(edges), strict=True):
        assert {pair.min(), pair.max()} == {signal[start:end].min(), signal[start:end].max()}


def test_envelope_leaves_gaps_where_all_is_missing_and_only_there() -> None:
    signal = np.sin(np.arange(1000.0))
    signal[200:400] = np.nan
    signal[601] = np.nan
    _, kept = envelope(signal, 10)
    np.testing.assert_array_equal(np.isnan(kept).reshape(10, 2).all(axis=1), [False] * 2 + [True] * 2 + [False] * 6)
    assert np.isnan(kept).sum() == 4


def test_short_signals_are_left_alone() -> None:
    at, kept = envelope(np.array([3.0, 1.0]), 5)
    assert (at.tolist(), kept.tolist()) == ([0, 1], [3, 1])


def test_axes_of_one_sensor_share_a_panel() -> None:
    traces = [Trace(f"{s}_{a}", u) for s, u in (("left_wrist_acc", "m/s^2"), ("gyro", "rad/s")) for a in "xyz"]
    traces.append(Trace("heart_rate", "bpm"))
    assert panels(traces) == {"left wrist acc (m/s²)": [0, 1, 2], "gyro (rad/s)": [3, 4, 5], "heart rate (bpm)": [6]}
    assert [line_name(t) for t in traces[-2:]] == ["z", "heart rate"]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-7, 12, [-5, 0, 5, 10]),
        (3, 3, [3]),
        (0, 1e-4, [i * 2e-5 for i in range(6)]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    found = nice_ticks(low, high)
    assert found == pytest.approx(ticks)
    assert "-0" not in [f"{t:g}" for t in [*found, *nice_ticks(-0.05, 2)]]


def test_thinned_columns_keep_their_peaks_and_stay_few() -> None:
    signal = np.random.default_rng(0).normal(size=(100_000, 60))
    signal[54_321, 59] = 99.0
    lines = thin(signal, 50.0, [Trace(f"c{i}", "m/s^2") for i in range(60)], start=7.0)
    assert sum(len(line.times) for line in lines) <= 40_000
    peak = lines[59].values.argmax()
    assert lines[59].values[peak] == 99.0 and lines[59].times[peak] == pytest.approx(7 + 54_321 / 50)
    one = thin(signal[:100, :1], 50.0, [Trace("c", "")])[0]
    np.testing.assert_array_equal(one.values, signal[:100, 0])


def test_colours_agree_between_charts_and_text_is_readable_on_them() -> None:
    assert colours(["c", "a"], ["a", "b", "c"]) == {"a": PALETTE[0], "c": PALETTE[2]}
    assert list(colours([str(i) for i in range(17)]).values())[16] == PALETTE[0]
    known = [f"known {i}" for i in range(60)]
    shown = colours([known[3], known[19], known[35]], known)
    assert len(set(shown.values())) == 3, "of many names only those that are present are given colours"
    assert (ink("#F0E442"), ink("#332288")) == ("#000000", "#ffffff")
