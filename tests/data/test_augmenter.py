from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from otolith.data.augmenter import AugmentConfig, Augmenter
from otolith.types import ConfigError

BODIES = {("wrist", "watch"): [(0, 1, 2), (3, 4, 5)], ("hip", "phone"): [(9, 7, 8)]}
OFF = AugmentConfig(jitter=0, scale=0, shift=0, time_warp=0, magnitude_warp=0, resample=0, rotation=0)
KINDS = ("jitter", "scale", "shift", "time_warp", "magnitude_warp", "resample", "rotation")


def movement(batch: int = 6, samples: int = 200) -> NDArray[np.float32]:
    """Smooth signals on ten channels, another phase in each."""
    t = np.arange(samples) / 50
    phase = np.arange(batch)[:, None, None] + np.arange(10)
    return (1 + np.sin(2 * np.pi * 1.3 * t[:, None] + phase)).astype(np.float32)


def changed(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray((before != after).any(axis=(1, 2)))


def test_equal_generators_give_equal_views_and_input_is_kept() -> None:
    windows = movement()
    before = windows.copy()
    augmenter = Augmenter(AugmentConfig(), BODIES)
    first, same, other = (augmenter.views(windows, 50, np.random.default_rng(s)) for s in (3, 3, 4))
    for one, two, third in zip(first, same, other, strict=True):
        np.testing.assert_array_equal(one, two)
        assert (one != third).any()
        assert one.shape == windows.shape
        assert one.dtype == np.float32
        assert np.isfinite(one).all()
    np.testing.assert_array_equal(windows, before)
    assert not any(np.shares_memory(view, windows) for view in first)


def test_all_off_is_the_identity() -> None:
    windows = movement()
    rng = np.random.default_rng(0)
    for view in (Augmenter(OFF, BODIES)(windows, 50, rng), *Augmenter(OFF, BODIES).views(windows, 50, rng)):
        np.testing.assert_array_equal(view, windows)


@pytest.mark.parametrize("kind", KINDS)
def test_probability_is_that_of_a_window(kind: str) -> None:
    windows = movement(1000, 60)
    result = Augmenter(replace(OFF, **{kind: 0.3}), BODIES)(windows, 50, np.random.default_rng(0))
    # A shift by no sample at all is one of 21.
    assert changed(windows, result).mean() == pytest.approx(0.3, abs=0.05)
    everyone = Augmenter(replace(OFF, **{kind: 1.0}), BODIES)(windows, 50, np.random.default_rng(0))
    assert changed(windows, everyone).mean() > 0.9


def test_strength_is_in_the_stated_unit() -> None:
    windows = movement(100)
    rng = np.random.default_rng(0)
    added = Augmenter(replace(OFF, jitter=1.0, jitter_sigma=0.07), BODIES)(windows, 50, rng) - windows
    assert added.std() == pytest.approx(0.07, rel=0.02)
    gain = Augmenter(replace(OFF, scale=1.0, scale_sigma=0.1), BODIES)(windows + 1, 50, rng) / (windows + 1)
    assert np.log(gain[:, 0]).std() == pytest.approx(0.1, rel=0.15)
    rising = np.tile(np.arange(200, dtype=np.float32)[None, :, None], (500, 1, 10))
    delay = (rising - Augmenter(replace(OFF, shift=1.0, shift_seconds=0.2), BODIES)(rising, 50, rng))[:, 100, 0]
    assert delay.min() == -10
    assert delay.max() == 10
    times = Augmenter(replace(OFF, time_warp=1.0), BODIES)(rising, 50, rng)[:, :, 0]
    assert (np.diff(times, axis=1) > 0).all(), "time never stands still or goes back"
    np.testing.assert_allclose(times[:, [0, -1]], np.tile([0, 199], (500, 1)), atol=1e-3)
    assert 1 < np.abs(times - rising[:, :, 0]).max(axis=1).mean() < 25


@pytest.mark.parametrize("kind", ["scale", "magnitude_warp"])
def test_axes_of_one_sensor_share_their_gain(kind: str) -> None:
    windows = movement(20) + 1
    gain = Augmenter(replace(OFF, **{kind: 1.0}), BODIES)(windows, 50, np.random.default_rng(0)) / windows
    for x, y, z in ((0, 1, 2), (3, 4, 5), (9, 7, 8)):
        np.testing.assert_allclose(gain[:, :, x], gain[:, :, y], rtol=1e-5)
        np.testing.assert_allclose(gain[:, :, x], gain[:, :, z], rtol=1e-5)
    for one, other in ((0, 3), (3, 7), (6, 0), (6, 7)):
        assert np.abs(gain[:, :, one] - gain[:, :, other]).max() > 0.01
    assert (gain > 0).all()


def test_views_turn_together_by_default() -> None:
    windows = movement(50)
    turning = replace(OFF, rotation=1.0)
    a, b = Augmenter(turning, BODIES).views(windows, 50, np.random.default_rng(0))
    np.testing.assert_array_equal(a, b)
    assert changed(windows, a).all()
    a, b = Augmenter(replace(turning, shared_rotation=False), BODIES).views(windows, 50, np.random.default_rng(0))
    assert changed(a, b).all()
    np.testing.assert_allclose(np.linalg.norm(a[:, :, :3], axis=2), np.linalg.norm(b[:, :, :3], axis=2), rtol=1e-4)


def test_first_view_is_the_original() -> None:
    windows = movement(50)
    a, b = Augmenter(replace(AugmentConfig(), rotation=0.0, jitter=1.0), BODIES).views(
        windows, 50, np.random.default_rng(0)
    )
    np.testing.assert_array_equal(a, windows)
    assert changed(windows, b).all()


def test_bodies_turn_apart_and_scalars_stay() -> None:
    windows = np.tile(movement(30)[:, :, :1], (1, 1, 10))
    turned = Augmenter(replace(OFF, rotation=1.0), BODIES)(windows, 50, np.random.default_rng(0))
    np.testing.assert_array_equal(turned[:, :, [0, 1, 2]], turned[:, :, [3, 4, 5]])
    assert changed(turned[:, :, [0, 1, 2]], turned[:, :, [9, 7, 8]]).all()
    np.testing.assert_array_equal(turned[:, :, 6], windows[:, :, 6])


def test_small_angles_stay_small() -> None:
    windows = np.tile(np.array([1, 0, 0], np.float32), (200, 20, 1))
    config = replace(OFF, rotation=1.0, rotation_degrees=10.0)
    turned = Augmenter(config, {("wrist", ""): [(0, 1, 2)]})(windows, 50, np.random.default_rng(0))
    assert np.degrees(np.arccos(turned[:, :, 0])).max() < 10.1
    assert changed(windows, turned).all()


@pytest.mark.parametrize(("samples", "channels"), [(2, 1), (8, 3), (33, 2)])
def test_short_windows_and_no_bodies(samples: int, channels: int) -> None:
    config = replace(AugmentConfig(), **dict.fromkeys(KINDS, 1.0))
    windows = movement(3)[:, :samples, :channels]
    result = Augmenter(config, {})(windows, 20, np.random.default_rng(0))
    assert result.shape == windows.shape
    assert np.isfinite(result).all()


def test_order_is_a_permutation_only_when_asked_for() -> None:
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(Augmenter(OFF, BODIES).order(10, rng), np.arange(10))
    order = Augmenter(replace(OFF, shuffle=1.0), BODIES).order(10, rng)
    np.testing.assert_array_equal(np.sort(order), np.arange(10))
    assert (order != np.arange(10)).any()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jitter", 1.1),
        ("scale", -0.1),
        ("jitter_sigma", float("nan")),
        ("resample_lowest", 0.0),
        ("rotation_degrees", 181),
        ("warp_seconds", 0),
        ("rotation", "0.5"),
        ("rotation", True),
        ("shared_rotation", 1),
    ],
)
def test_impossible_settings_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"augment\.{name}"):
        AugmentConfig(**{name: value})
