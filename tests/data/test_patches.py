from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from otolith.data.patches import patch_count, resample_matrix, to_patches
from otolith.types import PATCH_SAMPLES, ConfigError, DataError


def wave(rate: float, seconds: float) -> NDArray[np.float32]:
    """A signal below 4 Hz [1, T, 2] that rides on gravity, each sample in the middle of its interval."""
    t = (np.arange(round(rate * seconds)) + 0.5) / rate
    columns = [1 + 0.5 * np.sin(2 * np.pi * 1.7 * t + 0.3), 0.3 * np.cos(2 * np.pi * 3.6 * t)]
    return np.stack(columns, axis=1)[None].astype(np.float32)


@pytest.mark.parametrize("n", [1, 2, 3, 20, 50, 63, 64, 65, 100, 128, 200, 500])
def test_rows_sum_to_one_and_agree_with_torch(n: int) -> None:
    matrix = resample_matrix(n)
    assert matrix.shape == (PATCH_SAMPLES, n)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    signal = np.random.default_rng(n).standard_normal(n).astype(np.float32)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(signal)[None, None, None], size=(1, PATCH_SAMPLES), mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(matrix @ signal, theirs.numpy().ravel(), atol=2e-6)


def test_matrix_is_shared_and_read_only() -> None:
    assert resample_matrix(50) is resample_matrix(50)
    with pytest.raises(ValueError, match="read-only"):
        resample_matrix(50)[0, 0] = 2
    with pytest.raises(ValueError, match="0 samples"):
        resample_matrix(0)


def test_64_samples_are_unchanged() -> None:
    window = wave(64, 2)
    np.testing.assert_array_equal(to_patches(window, 64, 1.0).reshape(window.shape), window)


@pytest.mark.parametrize("rate", [20.0, 50.0, 64.0, 100.0, 200.0])
@pytest.mark.parametrize("seconds", [1.0, 0.5, 2.0])
def test_patches_hold_the_same_movement_at_every_rate(rate: float, seconds: float) -> None:
    patches = to_patches(wave(rate, 4), rate, seconds)
    truth = wave(PATCH_SAMPLES / seconds, 4).reshape(patches.shape)
    inner = slice(4, -4)  # the outermost half sample of the slower sensor is held, not known
    tolerance = 0.06 if rate < 50 or seconds > 1 else 0.02
    np.testing.assert_allclose(patches[:, :, inner], truth[:, :, inner], atol=tolerance)


def test_fast_vibration_is_removed_rather_than_folded() -> None:
    """90 Hz at 200 Hz would show as 26 Hz in 64 samples a second."""
    t = np.arange(400) / 200
    window = np.sin(2 * np.pi * 90 * t)[None, :, None].astype(np.float32)
    assert np.abs(to_patches(window, 200, 1.0)).max() < 0.1
    assert np.abs(window[:, ::3]).max() > 0.9


@pytest.mark.parametrize(
    ("samples", "rate", "seconds", "count"),
    [
        (200, 50, 1.0, 4),
        (199, 50, 1.0, 3),
        (199, 100, 2.0, 0),
        (256, 50, 2.56, 2),
        (25, 25, 0.5, 2),  # 12.5 samples a patch
        (12, 25, 0.5, 1),  # half a sample short
        (11, 25, 0.5, 0),
        (400, 100.0, 0.1, 40),
    ],
)
def test_patch_count(samples: int, rate: float, seconds: float, count: int) -> None:
    assert patch_count(samples, rate, seconds) == count
    if count:
        assert to_patches(np.ones((2, samples, 3), np.float32), rate, seconds).shape == (2, count, PATCH_SAMPLES, 3)


def test_patches_do_not_drift() -> None:
    """At 12.5 samples a patch, a ramp's patches begin where their time says, to half a sample."""
    ramp = np.arange(1000, dtype=np.float32)[None, :, None]
    patches = to_patches(ramp, 25, 0.5)[0, :, :, 0]
    np.testing.assert_allclose(patches.mean(axis=1), np.arange(80) * 12.5 + 5.75, atol=1.01)


@given(
    samples=st.integers(2, 300),
    rate=st.floats(10, 200),
    seconds=st.floats(0.2, 3),
    value=st.floats(-10, 10, width=32),
)
def test_constants_stay_at_any_rate_and_duration(samples: int, rate: float, seconds: float, value: float) -> None:
    window = np.full((1, samples, 1), value, np.float32)
    if patch_count(samples, rate, seconds) == 0:
        with pytest.raises(DataError, match="shorter than one patch"):
            to_patches(window, rate, seconds)
    else:
        np.testing.assert_allclose(to_patches(window, rate, seconds), value, rtol=1e-5)


def test_missing_values_stay_in_their_patch_and_channel() -> None:
    window = np.ones((1, 200, 2), np.float32)
    window[0, 60, 1] = np.nan
    missing = np.isnan(to_patches(window, 50, 1.0)).any(axis=2)[0]
    np.testing.assert_array_equal(missing, [[False, False], [False, True], [False, False], [False, False]])


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.01, float("nan"), float("inf")])
def test_impossible_patch_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match="patch_seconds"):
        patch_count(200, 50, seconds)


def test_windows_keep_their_order_and_are_not_modified() -> None:
    windows = np.random.default_rng(0).standard_normal((5, 130, 4)).astype(np.float32)
    before = windows.copy()
    together = to_patches(windows, 50, 0.8)
    np.testing.assert_array_equal(windows, before)
    # Another memory layout, and one window at a time.
    np.testing.assert_allclose(to_patches(np.asfortranarray(windows), 50, 0.8), together, atol=1e-6)
    for index in range(5):
        np.testing.assert_allclose(to_patches(windows[index : index + 1], 50, 0.8)[0], together[index], atol=1e-6)
