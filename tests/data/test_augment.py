from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from otolith.data.augment import (
    channel_shuffle,
    jitter,
    magnitude_warp,
    random_rotations,
    resample,
    rotate,
    scale,
    smooth_curves,
    time_shift,
    time_warp,
)
from otolith.data.channels import triads
from otolith.data.recording import Recording, rest_magnitude

BODIES = {("wrist", "watch"): [(0, 1, 2), (3, 4, 5)], ("hip", "phone"): [(9, 7, 8)]}
ACC, GYRO, HIP, ALONE = [0, 1, 2], [3, 4, 5], [9, 7, 8], 6


def noise(batch: int = 4, samples: int = 50, channels: int = 10) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((batch, samples, channels)).astype(np.float32)


def ramp(samples: int = 10) -> NDArray[np.float32]:
    return np.arange(samples, dtype=np.float32)[None, :, None]


def test_neutral_parameters_change_nothing_and_input_is_kept() -> None:
    windows = noise()
    before = windows.copy()
    ones = np.ones_like(windows)
    results = {
        "jitter": jitter(windows, 0 * ones),
        "scale": scale(windows, ones[:, 0]),
        "shift": time_shift(windows, np.zeros(4, int)),
        "time warp": time_warp(windows, np.tile(np.arange(50.0), (4, 1))),
        "magnitude warp": magnitude_warp(windows, ones),
        "resample": resample(windows, np.ones(4)),
        "shuffle": channel_shuffle(windows, np.arange(10)),
        "rotate": rotate(windows, np.tile(np.eye(3, dtype=np.float32), (4, 1, 1)), BODIES),
    }
    for name, result in results.items():
        np.testing.assert_array_equal(result, before, err_msg=name)
        assert result.dtype == np.float32, name
        assert not np.shares_memory(result, windows), name
    np.testing.assert_array_equal(windows, before)


def test_known_answers() -> None:
    windows = noise(2, 5, 2)
    np.testing.assert_allclose(scale(windows, np.array([[2, 3], [1, 0]], np.float32))[0, :, 1], 3 * windows[0, :, 1])
    np.testing.assert_array_equal(channel_shuffle(windows, np.array([1, 0]))[:, :, 0], windows[:, :, 1])
    shifted = time_shift(np.repeat(ramp(5), 3, axis=0), np.array([2, -2, 9]))[:, :, 0]
    np.testing.assert_array_equal(shifted, [[0, 0, 0, 1, 2], [2, 3, 4, 4, 4], [0, 0, 0, 0, 0]])
    warped = time_warp(ramp(5), np.array([[-1, 0.25, 2.5, 3.75, 9]]))[0, :, 0]
    np.testing.assert_allclose(warped, [0, 0.25, 2.5, 3.75, 4])


def test_missing_values_stay_where_they_belong() -> None:
    windows = noise()
    windows[1, 20, 4] = np.nan
    turned = np.isnan(rotate(windows, random_rotations(np.random.default_rng(0), 4), BODIES))
    assert turned[1, 20, GYRO].all()
    assert turned.sum() == 3
    assert np.isnan(time_shift(windows, np.full(4, 3))).sum() == 1
    assert np.isnan(time_warp(windows, np.tile(np.arange(50) * 0.9, (4, 1)))).sum() <= 3
    coarse = np.isnan(resample(windows, np.full(4, 0.5)))
    assert coarse[1, :, 4].all()
    assert coarse.sum() == 50


def test_a_slow_sine_survives_a_lower_rate_and_a_fast_one_does_not() -> None:
    t = np.arange(200) / 50
    windows = np.stack([np.sin(2 * np.pi * f * t) for f in (1.0, 20.0)], axis=1)[None].astype(np.float32)
    windows = np.repeat(windows, 3, axis=0)
    coarse = resample(windows, np.array([0.5, 1.0, 0.3]))
    np.testing.assert_allclose(coarse[0, 5:-5, 0], windows[0, 5:-5, 0], atol=0.03)
    assert coarse[0, 5:-5, 1].std() < 0.1 * windows[0, :, 1].std()
    np.testing.assert_array_equal(coarse[1], windows[1])
    assert np.abs(coarse[2, 10:-10, 0]).max() < np.abs(coarse[0, 10:-10, 0]).max()
    np.testing.assert_allclose(resample(np.ones((2, 77, 1), np.float32), np.array([0.1, 0.001])), 1, rtol=1e-5)


def test_rotation_turns_all_sensors_of_a_body_alike() -> None:
    windows = noise()
    rotations = random_rotations(np.random.default_rng(1), 8).reshape(4, 2, 3, 3)
    turned = rotate(windows, rotations, BODIES)
    for b in range(4):
        np.testing.assert_allclose(turned[b][:, ACC], windows[b][:, ACC] @ rotations[b, 0].T, atol=1e-5)
        np.testing.assert_allclose(turned[b][:, GYRO], windows[b][:, GYRO] @ rotations[b, 0].T, atol=1e-5)
        np.testing.assert_allclose(turned[b][:, HIP], windows[b][:, HIP] @ rotations[b, 1].T, atol=1e-5)
    np.testing.assert_array_equal(turned[:, :, ALONE], windows[:, :, ALONE])
    for columns in (ACC, GYRO, HIP):
        np.testing.assert_allclose(
            np.linalg.norm(turned[:, :, columns], axis=2), np.linalg.norm(windows[:, :, columns], axis=2), rtol=1e-5
        )
    # The angle between acceleration and angular rate belongs to the movement, not to how the watch was put on.
    dot = (windows[:, :, ACC] * windows[:, :, GYRO]).sum(axis=2)
    np.testing.assert_allclose((turned[:, :, ACC] * turned[:, :, GYRO]).sum(axis=2), dot, atol=1e-4)


def test_rotation_known_answer() -> None:
    """A quarter turn about z takes x to y."""
    quarter = np.array([[[0, -1, 0], [1, 0, 0], [0, 0, 1]]], np.float32)
    windows = np.array([[[1, 0, 5]]], np.float32)
    np.testing.assert_array_equal(rotate(windows, quarter, {("a", ""): [(0, 1, 2)]}), [[[0, 1, 5]]])


def test_rotations_are_uniform() -> None:
    rotations = random_rotations(np.random.default_rng(0), 20_000).astype(np.float64)
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), np.broadcast_to(np.eye(3), rotations.shape),
                               atol=1e-5)  # fmt: skip
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-5)
    # Each entry has mean 0 and variance 1/3; each coordinate of a turned vector is uniform on [-1, 1] (Archimedes).
    np.testing.assert_allclose(rotations.mean(axis=0), 0, atol=5 / math.sqrt(3 * 20_000))
    for coordinate in rotations[:, :, 2].T:
        np.testing.assert_allclose(np.histogram(coordinate, 10, (-1, 1))[0] / 20_000, 0.1, atol=0.011)
    # The angle has distribution (a - sin a) / pi; trace = 1 + 2 cos a.
    angle = np.sort(np.arccos(np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    expected = (angle - np.sin(angle)) / np.pi
    assert np.abs(expected - np.arange(20_000) / 20_000).max() < 1.95 / math.sqrt(20_000)  # Kolmogorov, p = 0.001


@pytest.mark.parametrize("degrees", [0.0, 5.0, 30.0, 180.0])
def test_limited_rotations_stay_within_their_angle(degrees: float) -> None:
    most = math.radians(degrees)
    rotations = random_rotations(np.random.default_rng(0), 5000, most).astype(np.float64)
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-5)
    angle = np.arccos(np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert angle.max() <= most + 1e-3
    if degrees:
        share = np.sort((angle - np.sin(angle)) / (most - math.sin(most)))
        assert np.abs(share - np.arange(5000) / 5000).max() < 1.95 / math.sqrt(5000) + 1e-3


@given(samples=st.integers(2, 120), knots=st.integers(2, 12), level=st.floats(-3, 3))
def test_curves_pass_through_their_knots(samples: int, knots: int, level: float) -> None:
    np.testing.assert_allclose(smooth_curves(np.full((2, knots), level), samples), level, atol=1e-9)
    values = np.random.default_rng(knots).standard_normal((3, knots))
    curves = smooth_curves(values, (samples - 1) * (knots - 1) + 1)
    np.testing.assert_allclose(curves[:, :: samples - 1], values, atol=1e-9)


def test_rotation_keeps_gravity_in_real_recordings(spar_recordings: list[Recording]) -> None:
    """|acc| at rest is what the unit check reads; no rotation may change it."""
    rng = np.random.default_rng(0)
    for recording in spar_recordings[:5]:
        bodies = triads(recording.channels)
        acc = next(c for sensors in bodies.values() for c in sensors if recording.channels[c[0]].sensor == "acc")
        turned = rotate(recording.signal[None], random_rotations(rng, 1), bodies)[0]
        before = rest_magnitude(recording.signal[:, list(acc)], recording.rate)
        assert rest_magnitude(turned[:, list(acc)], recording.rate) == pytest.approx(before, rel=1e-4)
        assert np.abs(turned[:, list(acc)] - recording.signal[:, list(acc)]).max() > 1
