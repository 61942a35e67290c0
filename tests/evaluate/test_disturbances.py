"""What goes wrong with sensors, with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from otolith.evaluate.disturbances import DISTURBANCES, half_rate, missing, no_gyroscope, noise, rotated

RNG = np.random.default_rng(0)
SEGMENTS: NDArray[np.float32] = RNG.standard_normal((5, 40, 6)).astype(np.float32) * np.float32(3)


def fresh() -> np.random.Generator:
    return np.random.default_rng(1)


def test_noise_has_the_size_that_its_name_says() -> None:
    added = noise(SEGMENTS, fresh(), sigma=0.2) - SEGMENTS
    assert added.std() == pytest.approx(0.2 * SEGMENTS.std(), rel=0.05)


def test_a_lost_stretch_holds_the_value_before_it() -> None:
    changed = missing(SEGMENTS, fresh(), share=0.1)
    for before, after in zip(SEGMENTS, changed, strict=True):
        lost = np.flatnonzero((before != after).any(axis=1))
        assert len(lost) == 4 and np.ptp(lost) == 3
        assert (after[lost] == before[lost[0] - 1]).all()


def test_turning_keeps_lengths_and_turns_both_sensors_alike() -> None:
    changed = rotated(SEGMENTS, fresh(), degrees=90)
    for first in (0, 3):
        part = slice(first, first + 3)
        np.testing.assert_allclose(
            np.linalg.norm(changed[..., part], axis=2), np.linalg.norm(SEGMENTS[..., part], axis=2), rtol=1e-4
        )
    dot = (SEGMENTS[..., :3] * SEGMENTS[..., 3:]).sum(2)
    np.testing.assert_allclose((changed[..., :3] * changed[..., 3:]).sum(2), dot, atol=1e-3)
    assert np.abs(changed - SEGMENTS).max() > 1


@pytest.mark.parametrize("samples", [40, 41])
def test_half_the_rate_keeps_every_second_sample_and_straight_lines(samples: int) -> None:
    line = np.linspace(0, 1, samples, dtype=np.float32)[None, :, None].repeat(6, axis=2)
    np.testing.assert_allclose(half_rate(line, fresh()), line, atol=1e-6)
    wild = RNG.standard_normal((2, samples, 6)).astype(np.float32)
    changed = half_rate(wild, fresh())
    assert (changed[:, ::2] == wild[:, ::2]).all()
    np.testing.assert_allclose(changed[:, 1], (wild[:, 0] + wild[:, 2]) / 2, rtol=1e-5)


def test_a_lost_gyroscope_gives_nothing_and_nothing_else_changes() -> None:
    changed = no_gyroscope(SEGMENTS, fresh())
    assert np.isnan(changed[..., 3:]).all() and (changed[..., :3] == SEGMENTS[..., :3]).all()


@pytest.mark.parametrize("name", DISTURBANCES)
def test_each_keeps_shape_and_input_and_repeats_itself(name: str) -> None:
    before = SEGMENTS.copy()
    one, two = (DISTURBANCES[name](SEGMENTS, fresh()) for _ in range(2))
    assert (before == SEGMENTS).all() and one.shape == SEGMENTS.shape and one.dtype == np.float32
    np.testing.assert_array_equal(one, two)
    assert not (one == SEGMENTS).all()
