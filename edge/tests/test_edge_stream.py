"""Streams: in any pieces, with every fault, without end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from injected import Injector
from otolith_edge import (
    UNKNOWN,
    EdgeError,
    Fault,
    Model,
    Segment,
    Settings,
    Stream,
    Units,
    Vocabulary,
    Window,
    recognise,
)

CALM = Settings(enter=0.5)


def stretch_of(signal: np.ndarray, model: Model, pieces: int, times: np.ndarray | None = None) -> list:
    stream = Stream(model, 50.0)
    clock = np.arange(len(signal)) / 50 if times is None else times
    events = []
    for first in range(0, len(signal), pieces):
        events += stream.push(clock[first : first + pieces], signal[first : first + pieces])
    return events + stream.finish()


def spoken(events: list) -> list:
    """Windows with the beliefs to the precision of a batch's arithmetic, and segments."""
    return [
        (type(e).__name__, round(e.start, 6), round(e.end, 6), e.label, round(e.confidence, 5))
        for e in events
        if isinstance(e, Window | Segment)
    ]


def test_timeline_of_a_recording(model: Model, steps) -> None:
    found = recognise(model, steps(20, 10, 15), 50.0)
    assert [s.label for s in found.segments] == ["up", "down", "up"]
    assert [s.start for s in found.segments] == pytest.approx([0, 20, 30], abs=0.51)
    assert found.segments[-1].end == pytest.approx(45)
    assert found.probabilities.shape == (len(found.starts), 2) == (44, 2)
    assert found.faults == {}


def test_pieces_make_no_difference(model: Model, steps) -> None:
    signal = steps(20, 10, 15)
    whole = spoken(stretch_of(signal, model, len(signal)))
    assert len(whole) > 40
    for pieces in (1, 13, 500):
        assert spoken(stretch_of(signal, model, pieces)) == whole


def test_another_rate_and_other_units(model: Model, steps) -> None:
    signal = steps(20, 10, rate=125.0)
    signal[:, 3:] += 1.0
    given = signal / np.array([9.80665] * 3 + [np.pi / 180] * 3)
    settings = Settings(units=Units("ms", {"acc": "g", "gyro": "deg/s"}))
    times = 1.7e12 + np.arange(len(signal)) * 8.0
    found = recognise(model, given, 125.0, times=times, settings=settings)
    plain = recognise(model, signal, 125.0)
    assert found.segments[0].start == pytest.approx(1.7e9)
    assert found.probabilities == pytest.approx(plain.probabilities, abs=1e-4)
    assert [s.label for s in found.segments] == ["up", "down"]


def test_a_wrong_unit_is_noticed(model: Model, steps) -> None:
    assert "implausible" in recognise(model, steps(10) / 9.80665, 50.0).faults
    fast = steps(10)
    fast[:, 3:] += 90.0
    assert recognise(model, fast, 50.0).faults == {"implausible": 1}


def test_nothing_is_said_about_a_gap(model: Model, steps) -> None:
    signal = steps(30)
    times = np.arange(len(signal)) / 50
    there = (times < 12) | (times >= 20)
    found = recognise(model, signal[there], 50.0, times=times[there])
    assert [(round(s.start, 2), round(s.end, 2)) for s in found.segments] == [(0, 12), (20, 30)]
    assert found.faults == {"gap": 1, "lost": 400}


def test_a_stretch_shorter_than_a_window_is_counted(model: Model, steps) -> None:
    signal = steps(30)
    times = np.arange(len(signal)) / 50
    there = (times < 12) | (times >= 13) & (times < 14) | (times >= 20)
    faults = recognise(model, signal[there], 50.0, times=times[there]).faults
    assert faults == {"gap": 2, "lost": 350, "short": 1}


def test_short_losses_are_bridged(model: Model, steps) -> None:
    signal = steps(30)
    kept = np.arange(len(signal)) % 10 != 5
    kept[-1] = True
    found = recognise(model, signal[kept], 50.0, times=np.flatnonzero(kept) / 50)
    assert len(found.segments) == 1 and found.faults == {"lost": int((~kept).sum())}


def test_reordered_and_copied_packets_change_nothing(model: Model, steps) -> None:
    signal = steps(20, 10)
    packets = np.arange(len(signal)).reshape(-1, 10)
    order = packets.copy()
    order[[40, 41]], order[[90, 91]] = packets[[41, 40]], packets[[91, 90]]
    arrival = np.insert(order, [60, 70], packets[[59, 30]], axis=0).ravel()
    clean = spoken(stretch_of(signal, model, 10))
    stream, events = Stream(model, 50.0), []
    for first in range(0, len(arrival), 10):
        rows = arrival[first : first + 10]
        events += stream.push(rows / 50, signal[rows])
    events += stream.finish()
    assert spoken(events) == clean
    assert stream.faults.counts == {"reordered": 20, "duplicated": 20}
    assert stream.used == len(signal)


def test_late_samples_are_counted_and_the_clock_stays(model: Model, steps) -> None:
    signal = steps(20)
    rows = np.arange(1000)
    arrival = np.concatenate([rows[:300], rows[350:500], rows[300:350], rows[500:]])  # three seconds late
    stream = Stream(model, 50.0)
    stream.push(arrival / 50, signal[arrival])
    stream.finish()
    assert stream.faults.counts == {"lost": 50, "gap": 1, "late": 50}


def test_a_stray_time_costs_one_sample(model: Model, steps) -> None:
    times = np.arange(1000) / 50
    times[500] += 1e6
    found = recognise(model, steps(20), 50.0, times=times)
    assert found.faults == {"astray": 1, "lost": 1} and len(found.segments) == 1


@pytest.mark.parametrize("jump", [3600.0, -3600.0, -5.0])
def test_a_jump_of_the_clock_loses_nothing(model: Model, steps, jump: float) -> None:
    times = np.arange(1500) / 50
    times[700:] += jump
    stream = Stream(model, 50.0)
    events = stream.push(times, steps(30)) + stream.finish()
    assert stream.faults.counts == {"clock_jump": 1} and stream.used == 1500
    spans = [(e.start, e.end) for e in events if isinstance(e, Segment)]
    assert spans == [pytest.approx((0, 14)), pytest.approx((14 + jump, 30 + jump))]


def test_a_straggler_does_not_hide_a_jump(model: Model, steps) -> None:
    """A packet that comes late while the new clock is not yet believed, and belongs to it."""
    times = np.arange(1500) / 50
    times[700:] -= 3600.0
    order = np.concatenate([np.arange(710), np.arange(720, 760), np.arange(710, 720), np.arange(760, 1500)])
    stream = Stream(model, 50.0)
    stream.push(times[order], steps(30)[order])
    stream.finish()
    assert stream.used == 1500 and stream.faults.counts["clock_jump"] == 1 and "late" not in stream.faults.counts


def test_conflicting_samples_are_averaged(model: Model, steps) -> None:
    signal = steps(10, noise=0.0)
    times = np.repeat(np.arange(500) / 50, 2)
    twice = np.repeat(signal, 2, axis=0)
    twice[::2, 0] += 1
    twice[1::2, 0] -= 1
    found = recognise(model, twice, 50.0, times=times)
    assert found.faults == {"conflicting": 500}
    assert found.probabilities[:, 0] == pytest.approx(1 / (1 + np.exp(-6.0)), abs=1e-5)


def test_missing_values_of_one_sensor(model: Model, steps) -> None:
    signal = steps(30)
    signal[100:102, 3] = np.nan  # short enough to be bridged
    signal[500:600, 3:] = np.inf  # counts as none
    found = recognise(model, signal, 50.0)
    assert found.faults == {"missing_values": 102, "dropout": 1}
    assert [(s.start, s.end) for s in found.segments] == [pytest.approx((0, 10)), pytest.approx((12, 30))]


def test_times_that_are_none(model: Model, steps) -> None:
    times = np.arange(500) / 50
    times[[100, 101]] = np.nan, np.inf
    assert recognise(model, steps(10), 50.0, times=times).faults == {"untimed": 2, "lost": 2}


def test_a_clock_that_stands_still_does_not_fill_the_memory(model: Model, steps) -> None:
    stream = Stream(model, 50.0)
    stream.push(np.arange(500) / 50, steps(10))
    for _ in range(20):
        stream.push(np.full(500, 3.0), np.random.default_rng(0).standard_normal((500, 6)))
    assert stream.faults.counts["late"] > 8_000
    assert len(stream._inbox._times) < 100
    for _ in range(36):
        stream.push(np.full(500, 9.98), np.random.default_rng(0).standard_normal((500, 6)))
        assert len(stream._inbox._times) <= 16_384
    stream.push(np.arange(500, 1000) / 50, steps(10))
    stream.finish()
    assert stream.received == stream.used + sum(stream.faults.counts[k] for k in ("late", "conflicting", "duplicated"))


@pytest.mark.parametrize("seed", range(2))
def test_every_injected_fault_is_counted_and_nothing_good_is_lost(model: Model, steps, seed: int) -> None:
    injector = Injector(50.0, seed=seed)
    signal = steps(*[20] * 8)
    stream, events = Stream(model, 50.0), []
    for block in range(3):
        times = (np.arange(len(signal)) + block * len(signal)) / 50
        for t, v in injector.block(times, signal, jumps=block < 2):
            events += stream.push(t, v)
    events += stream.finish()
    short = stream.faults.counts.pop("short", 0)
    assert stream.faults.counts == dict(injector.expected)
    assert stream.received == injector.sent and stream.used == injector.good
    spoken = sum(e.count for e in events if isinstance(e, Fault))
    assert spoken == sum(injector.expected.values()) + short


@pytest.mark.parametrize("seed", range(8))
def test_no_nonsense_breaks_it(model: Model, seed: int) -> None:
    """Whatever comes is used or counted."""
    rng = np.random.default_rng(seed)
    stream = Stream(model, 50.0)
    clock = np.arange(3000) / 50
    wild = rng.random(3000) < 0.05
    clock[wild] += rng.choice([-1e12, -70, -3, -0.3, 0.3, 3, 70, 1e12, 1e300, np.nan], wild.sum())
    values = rng.standard_normal((3000, 6)) * rng.choice([1, 1e30], (3000, 1), p=[0.99, 0.01])
    values[rng.random((3000, 6)) < 0.02] = np.nan
    for first in range(0, 3000, 37):
        stream.push(clock[first : first + 37], values[first : first + 37])
    stream.finish()
    counts = stream.faults.counts
    left_out = sum(counts.get(k, 0) for k in ("duplicated", "conflicting", "late", "astray", "untimed"))
    assert stream.used + left_out == stream.received == 3000


def test_words_swapped_within_a_stream(words: Model, steps, tmp_path: Path) -> None:
    axes = np.eye(6, dtype=np.float32)[:, None]
    first = Vocabulary(("x", "y"), axes[:2], 1.0, 1.0, 0.0)
    second = Vocabulary(("sideways", "x"), axes[1::-1], 1.0, 1.0, 0.0)
    signal, times = steps(40), np.arange(2000) / 50
    stream = Stream(words, 50.0, first)
    events = stream.push(times[:1000], signal[:1000]) + stream.swap(second)
    events += stream.push(times[1000:], signal[1000:]) + stream.finish()
    segments = [e for e in events if isinstance(e, Segment)]
    assert [s.label for s in segments] == ["x", "x"] and stream.labels == ("sideways", "x")
    assert segments[0].end == segments[1].start and segments[1].end == pytest.approx(40)


def test_abstention_by_the_calibrated_threshold(words: Model, steps) -> None:
    axes = np.eye(6, dtype=np.float32)[:, None]
    unsure = Vocabulary(("x", "y"), axes[:2], 0.1, 1.0, 0.99)
    found = recognise(words, steps(10), 50.0, vocabulary=unsure)
    assert set(found.label.tolist()) == {UNKNOWN} and [s.label for s in found.segments] == [UNKNOWN]


def test_settings_that_cannot_be_used(model: Model, write, steps) -> None:
    with pytest.raises(EdgeError, match="did you mean 'deg/s'"):
        Stream(model, 50.0, settings=Settings(units=Units(sensors={"gyro": "degs/s"})))
    with pytest.raises(EdgeError, match="cannot be in 'deg/s'"):
        Stream(model, 50.0, settings=Settings(units=Units(sensors={"acc": "deg/s"})))
    with pytest.raises(EdgeError, match="leave not above enter"):
        Stream(model, 50.0, settings=Settings(enter=0.3, leave=0.4))
    with pytest.raises(EdgeError, match="step 0 must be positive"):
        Settings(step=0.0)
    with pytest.raises(EdgeError, match="unit of the times"):
        Stream(model, 50_000.0)
    whole = Model.load(write(window_seconds=None))
    with pytest.raises(EdgeError, match="how long a window is"):
        Stream(whole, 50.0)
    assert len(recognise(whole, steps(10), 50.0, settings=Settings(window_seconds=3.0)).starts) == 8


@pytest.mark.slow
@pytest.mark.parametrize("faulty", [False, True])
def test_a_day_in_flat_memory(write, steps, tmp_path: Path, faulty: bool) -> None:
    """Twenty-four hours at 50 Hz as fast as they go; memory after an hour is memory after a day."""
    np.save(tmp_path / "signal.npy", steps(*[30] * 60))
    script = Path(__file__).parents[1] / "benchmarks" / "day.py"
    arguments = ["run", "-m", str(write()), "-i", str(tmp_path / "signal.npy"), *(["--faults"] if faulty else [])]
    run = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=True)
    said = json.loads(run.stdout)
    assert said["used"] == said["good"] and not said["torch"]
    assert said["resident_mb"]["end"] < said["resident_mb"]["1"] + 2
    said["faults"].pop("short", None)
    assert said["faults"] == (said["injected"] or {})
