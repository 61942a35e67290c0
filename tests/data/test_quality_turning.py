"""Gravity turned back by the gyroscope, on motion whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from otolith.data.channels import GRAVITY
from otolith.data.quality.turning import DEGREES, MIRRORS, SCALES, Turned, column, turned

RATE = 50.0


@pytest.fixture(scope="module")
def motion() -> tuple[np.ndarray, np.ndarray]:
    """Twenty seconds of a body that turns about all axes while it is shaken to and fro: acc and gyro [T, 3]."""
    fine = 20
    time = np.arange(0, 20, 1 / RATE / fine)
    rate = np.stack([1.5 * np.sin(0.9 * time), 1.2 * np.cos(0.7 * time), 0.8 + 0 * time], axis=1)
    steps = Rotation.from_rotvec(rate / RATE / fine)
    orientation, frames = Rotation.identity(), []
    for k in range(len(time)):
        if k % fine == 0:
            frames.append(orientation)
        orientation = orientation * steps[k]
    shaken = np.stack([3 * np.sin(2 * np.pi * 1.8 * time[::fine]), 0 * time[::fine], 0 * time[::fine]], axis=1)
    world = shaken + np.array([0, 0, GRAVITY])
    acc = np.array([frame.inv().apply(force) for frame, force in zip(frames, world, strict=True)])
    return acc.astype(np.float32), rate[::fine].astype(np.float32)


def best(found: Turned | None) -> int:
    assert found is not None
    return int(np.argmin(np.median(found.misfit(GRAVITY), axis=0)))


@pytest.mark.parametrize("factor", [1.0, 2.0, 0.5, DEGREES, 1 / DEGREES])
def test_the_factor_of_a_wrong_unit_is_found(factor: float, motion: tuple[np.ndarray, np.ndarray]) -> None:
    acc, gyro = motion
    found = turned(acc, (gyro / factor).astype(np.float32), RATE)
    assert best(found) == column(factor)
    assert found is not None
    assert np.median(found.misfit(GRAVITY)[:, column(factor)]) < 0.03
    assert np.median(found.misfit(GRAVITY)[:, column(factor * 2)]) > 0.2


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_the_factor_of_a_wrong_rate_is_found(factor: float, motion: tuple[np.ndarray, np.ndarray]) -> None:
    assert best(turned(*motion, RATE * factor)) == column(factor)


@pytest.mark.parametrize("mirror", MIRRORS)
def test_mirrored_axes_are_found(mirror: tuple[int, int, int], motion: tuple[np.ndarray, np.ndarray]) -> None:
    acc, gyro = motion
    assert best(turned(acc, gyro * np.array(mirror, np.float32), RATE)) == len(SCALES) + MIRRORS.index(mirror)


def test_the_sign_of_the_whole_vector_cannot_be_seen(motion: tuple[np.ndarray, np.ndarray]) -> None:
    acc, gyro = motion
    right, wrong = turned(acc, gyro, RATE), turned(-acc, gyro, RATE)
    assert right is not None and wrong is not None
    np.testing.assert_allclose(right.misfit(GRAVITY), wrong.misfit(GRAVITY), atol=1e-5)


def test_the_length_of_gravity_is_that_of_the_unit(motion: tuple[np.ndarray, np.ndarray]) -> None:
    acc, gyro = motion
    found = turned(acc / np.float32(GRAVITY), gyro, RATE)
    assert found is not None
    assert np.median(found.mean[:, column(1)]) == pytest.approx(1, abs=0.02)
    assert np.median(found.misfit(1.0)[:, column(1)]) < 0.03 < 0.8 < np.median(found.misfit(GRAVITY).min(axis=1))


def test_a_day_in_parts_is_the_same(motion: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the windows at the seams between parts are lost."""
    acc, gyro = (np.concatenate([x] * 6) for x in motion)
    whole = turned(acc, gyro, RATE)
    monkeypatch.setattr("otolith.data.quality.turning._PART_SECONDS", 40.0)
    parts = turned(acc, gyro, RATE)
    assert whole is not None and parts is not None
    assert parts.mean.shape == whole.mean.shape == (12, len(SCALES) + len(MIRRORS))
    assert parts.speed == pytest.approx(whole.speed, rel=0.1)
    assert best(parts) == best(whole) == column(1)


def test_windows_that_cannot_be_trusted_are_left_out(motion: tuple[np.ndarray, np.ndarray]) -> None:
    acc, gyro = (x.copy() for x in motion)
    assert turned(acc[:60], gyro[:60], RATE) is None  # too short
    running = acc * (1 + 2 * np.sin(2 * np.pi * 2.5 * np.arange(len(acc)) / RATE))[:, None]
    assert turned(running.astype(np.float32), gyro, RATE) is None  # too violent
    clipped = acc.copy()
    clipped[::100, 0] = 3 * GRAVITY
    assert turned(clipped, gyro, RATE) is None
    gyro[::100] = np.nan
    assert turned(acc, gyro, RATE) is None
