from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otolith.data.channels import GRAVITY
from otolith.data.signal import (
    add_gravity,
    covered,
    from_core_motion,
    lowpass,
    merge_streams,
    resample,
    scale_to_si,
    short_gap,
    spread,
    to_uniform,
)
from otolith.types import DataError, UnitError


def sine(frequency: float, rate: float, seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)[:, None]


def test_each_column_is_scaled_by_its_own_unit():
    si = scale_to_si(np.ones((2, 4)), ["g", "mg", "deg/s", "uT"])
    np.testing.assert_allclose(si[1], [9.80665, 0.00980665, np.pi / 180, 1])


def test_unknown_unit_is_refused():
    with pytest.raises(UnitError, match="unknown unit 'grams'"):
        scale_to_si(np.ones((2, 1)), ["grams"])


def test_core_motion_device_lying_face_up_reads_plus_one_g_on_z():
    """Core Motion's gravity points to the ground, (0, 0, -1); a specific force points away from it."""
    gravity = from_core_motion(np.array([[0.0, 0.0, -1.0]])) * GRAVITY
    np.testing.assert_allclose(add_gravity(np.zeros((1, 3)), gravity), [[0, 0, GRAVITY]])


def test_core_motion_device_in_free_fall_feels_nothing():
    """Falling, Core Motion's userAcceleration cancels its gravity, so the split adds up to what the sensor felt."""
    gravity = from_core_motion(np.array([[0.0, 0.0, -1.0]])) * GRAVITY
    user = from_core_motion(np.array([[0.0, 0.0, 1.0]])) * GRAVITY
    np.testing.assert_allclose(add_gravity(user, gravity), 0, atol=1e-12)


def test_gravity_in_g_is_refused():
    with pytest.raises(UnitError, match="magnitude 1 "):
        add_gravity(np.zeros((5, 3)), np.tile([0.0, 0.0, 1.0], (5, 1)))


@pytest.mark.parametrize(
    ("rate", "new_rate"), [(100, 50), (102.4, 50), (50, 20), (99.87, 50), (20, 50), (31.3, 50), (200, 20)]
)
def test_slow_motion_survives_a_change_of_rate(rate: float, new_rate: float):
    """2 Hz, the rhythm of steps, keeps amplitude and phase at every rate, up to both ends."""
    got = resample(sine(2, rate, 30), rate, new_rate)
    want = sine(2, new_rate, 30)
    assert abs(len(got) - len(want)) <= 1
    count = min(len(got), len(want))
    error = np.abs(got[:count] - want[:count])
    assert error[100:-100].max() < 0.002
    assert error.max() < 0.15


@pytest.mark.parametrize("frequency", [11, 13, 20, 24.5])
def test_what_the_new_rate_cannot_carry_is_removed(frequency: float):
    """Plain decimation from 50 Hz to 20 Hz would fold 13 Hz onto 7 Hz at full amplitude."""
    assert np.abs(resample(sine(frequency, 50, 20), 50, 20)[40:-40]).max() < 1e-3


def test_gravity_does_not_ring_at_the_ends():
    constant = np.full((200, 3), 9.81, dtype=np.float32)
    for new_rate in (20, 33, 64, 100):
        np.testing.assert_allclose(resample(constant, 50, new_rate), 9.81, rtol=1e-3)


def test_missing_samples_stay_missing_and_spoil_no_neighbour():
    signal = np.repeat(sine(1, 100, 10), 2, axis=1)
    whole = resample(signal, 100, 50)
    signal[300:400, 0] = np.nan
    signal[:, 1] = np.nan
    got = resample(signal, 100, 50)
    assert np.isnan(got[:, 1]).all()
    assert np.flatnonzero(np.isnan(got[:, 0])).tolist() == list(range(150, 200))
    clear = np.r_[0:120, 230:500]
    np.testing.assert_allclose(got[clear, 0], whole[clear, 0], atol=0.01)


@given(rows=st.integers(1, 40), rate=st.floats(5, 400), new_rate=st.floats(5, 400))
def test_resampling_any_length_keeps_duration_and_dtype(rows: int, rate: float, new_rate: float):
    got = resample(np.ones((rows, 2), dtype=np.float32), rate, new_rate)
    assert got.dtype == np.float32
    assert np.isfinite(got).all()
    if rows > 1:
        assert abs(len(got) - rows * new_rate / rate) <= 1.01


def test_same_rate_is_a_copy():
    signal = np.random.default_rng(0).normal(size=(20, 2))
    got = resample(signal, 50, 50)
    np.testing.assert_array_equal(got, signal)
    assert not np.shares_memory(got, signal)


def test_lowpass_separates_gravity_from_steps_and_keeps_holes():
    signal = 9.81 + sine(5, 50, 40)
    signal[1000:1010] = np.nan
    got = lowpass(signal, 50, 0.5)
    assert np.isnan(got).sum() == 10
    np.testing.assert_allclose(got[np.r_[200:900, 1200:1800]], 9.81, atol=0.02)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_lowpass_of_a_very_short_signal(rows: int):
    np.testing.assert_allclose(lowpass(np.ones((rows, 1)), 50, 5), 1, rtol=1e-6)


def test_jittered_clock_comes_out_uniform():
    rng = np.random.default_rng(0)
    times = 1e6 + np.arange(500) / 50 + rng.uniform(-0.004, 0.004, 500)
    signal, start = to_uniform(times, np.sin(2 * np.pi * times)[:, None], 50, max_gap=0.1)
    assert start == times[0]
    want = np.sin(2 * np.pi * (start + np.arange(len(signal)) / 50))
    np.testing.assert_allclose(signal[:, 0], want, atol=0.01)


def test_short_gap_is_bridged_and_long_gap_is_missing():
    times = np.arange(100) / 10
    keep = np.ones(100, dtype=bool)
    keep[20:22] = False  # 0.3 s between neighbours
    keep[50:60] = False  # 1.1 s
    signal, _ = to_uniform(times[keep], times[keep, None], 10, max_gap=0.5)
    missing = np.isnan(signal[:, 0])
    assert np.flatnonzero(missing).tolist() == list(range(50, 60))
    np.testing.assert_allclose(signal[~missing, 0], times[~missing], atol=1e-9)


def test_nan_is_a_missing_sample_of_its_own_channel():
    values = np.stack([np.arange(50.0), np.arange(50.0)], axis=1)
    values[10:30, 1] = np.nan
    values[40, 0] = np.nan
    signal, _ = to_uniform(np.arange(50) / 50, values, 50, max_gap=0.1)
    np.testing.assert_allclose(signal[:, 0], np.arange(50), atol=1e-9)
    assert np.flatnonzero(np.isnan(signal[:, 1])).tolist() == list(range(10, 30))


def test_repeated_times_are_averaged():
    signal, _ = to_uniform([0, 1, 1, 1, 2], np.array([[0.0], [1.0], [2.0], [np.nan], [3.0]]), 1, max_gap=5)
    np.testing.assert_allclose(signal[:, 0], [0, 1.5, 3])


def test_fast_stream_is_filtered_before_it_is_thinned():
    times = np.arange(2000) / 200
    signal, _ = to_uniform(times, sine(35, 200, 10), 50, max_gap=0.1)
    assert np.abs(signal[50:-50]).max() < 0.02


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        ([0, 1, 0.5, 2], "time goes back at sample 3"),
        ([0, 1, np.nan, 2], "time of sample 3 is not a number"),
        ([1, 1, 1, 1], "all samples have the same time"),
    ],
)
def test_unusable_times_are_refused(times: list[float], sentence: str):
    with pytest.raises(DataError, match=sentence):
        to_uniform(times, np.zeros((4, 1)), 50, max_gap=1)


def test_a_single_sample_is_refused():
    with pytest.raises(DataError, match="1 timed samples"):
        to_uniform([0.0], np.zeros((1, 1)), 50, max_gap=1)


def test_streams_on_different_clocks_are_aligned():
    """The same 1 Hz motion seen at 52 and 47 Hz, started at other times, agrees after merging."""
    acc_times, gyro_times = 10.0 + np.arange(1000) / 52, 10.137 + np.arange(1000) / 47
    acc, gyro = np.sin(2 * np.pi * acc_times)[:, None], np.cos(2 * np.pi * gyro_times)[:, None]
    signal, start = merge_streams([(acc_times, acc), (gyro_times, gyro)], 50, max_gap=0.1)
    assert start == pytest.approx(10.137)
    assert len(signal) == int((acc_times[-1] - start) * 50) + 1
    clock = start + np.arange(len(signal)) / 50
    np.testing.assert_allclose(signal, np.stack([np.sin(2 * np.pi * clock), np.cos(2 * np.pi * clock)], 1), atol=0.005)


def test_streams_that_share_no_time_are_refused():
    with pytest.raises(DataError, match="share no time"):
        merge_streams([([0, 1, 2], np.zeros((3, 1))), ([1000, 1001], np.zeros((2, 1)))], 50, max_gap=1)


def test_between_a_missing_sample_and_either_neighbour_nothing_is_made_up():
    signal = np.arange(20.0)[:, None]
    signal[10] = np.nan
    assert np.flatnonzero(np.isnan(resample(signal, 50, 100)[:, 0])).tolist() == [19, 20, 21]


def test_last_sample_just_beyond_the_end_is_not_missing():
    """Rounding puts the last point of the grid a little after the last sample, which is no gap."""
    times = np.arange(101) / 20
    times[-1] -= 1e-4
    signal, _ = to_uniform(times, times[:, None], rate=20, max_gap=0.2)
    assert len(signal) == 101 and np.isfinite(signal).all()


def test_samples_that_share_a_stamp_are_spread_at_the_measured_rate():
    """Whole seconds at 49.5 Hz, the first one cut off: the true times, but for where within a second they begin."""
    true = 0.63 + np.arange(1000) / 49.5
    times, rate = spread(np.floor(true))
    assert rate == pytest.approx(49.5, rel=2e-3)
    assert times[0] == 0 and (np.diff(times) > 0).all()
    np.testing.assert_allclose(times - times[0], true - true[0], atol=0.04)


def test_all_samples_at_one_time_have_no_rate():
    assert spread(np.zeros(5))[1] == 0


@pytest.mark.parametrize("times", [[0, 1e-9, 2e-9, 1e5], [0.0, 0.02, 0.04, 1e9], [0, 5e-324, 1e-323, 1.0]])
def test_hostile_times_take_no_memory(times: list[float]) -> None:
    with pytest.raises(DataError, match="more than can be held at once"):
        merge_streams([(times, np.ones((4, 3)))], 50.0, 0.1)


def test_a_short_gap_is_three_samples_of_a_clock_that_jitters():
    signal, _ = to_uniform(np.array([0, 1, 4, 5, 9]) / 50, np.arange(5.0)[:, None], 50, short_gap(50))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(signal)), [6, 7, 8])


def run(*stretches: tuple[float, float], rate: float = 10) -> np.ndarray:
    return np.concatenate([np.arange(first * rate, last * rate + 1) / rate for first, last in stretches])


def spans(clocks: list[np.ndarray], max_gap: float = 2, shortest: float = 1) -> list[list[tuple[float, float]]]:
    found = covered(clocks, max_gap, shortest)
    return [[(times[rows][0], times[rows][-1]) for times, rows in zip(clocks, used, strict=True)] for used in found]


def test_stretches_of_one_stream_end_at_long_gaps():
    assert spans([run((0, 5), (7, 9), (12, 12.5), (20, 22))]) == [[(0, 9)], [(20, 22)]]
    assert spans([run((0, 0.5))]) == []


def test_stretches_are_what_all_streams_cover():
    """Each stream keeps what merging needs around them, up to a gap, and no more than the length of one."""
    one, other = run((0, 10), (13, 30)), run((4, 25.5), (29.6, 40))
    assert spans([one, other]) == [[(2, 10), (4, 12)], [(13, 27.5), (11, 25.5)]]
    rows = zip([one, other], covered([one, other], 2, 1)[0], strict=True)
    signal, start = merge_streams([(times[used], times[used][:, None]) for times, used in rows], 10, max_gap=2)
    assert start == 4 and len(signal) == 61
    np.testing.assert_allclose(signal, np.repeat(np.arange(40, 101)[:, None] / 10, 2, axis=1))


def test_streams_that_meet_too_shortly_share_no_stretch():
    assert spans([run((0, 5)), run((4.5, 9))]) == []
    assert spans([run((0, 5)), run((8, 9))]) == []


def test_samples_of_equal_time_are_one():
    assert covered([np.array([0.0, 0, 0.5, 1, 1])], 2, 1) == [(slice(0, 5),)]
