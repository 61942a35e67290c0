from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from otolith.data.channels import GRAVITY
from otolith.data.patches import resample_matrix
from otolith.data.patching import (
    PatchingConfig,
    dynamic_bounds,
    fixed_bounds,
    motion,
    patch,
    take_patches,
)
from otolith.data.recording import Recording
from otolith.types import ConfigError

Floats = NDArray[np.float32]
DYNAMIC = PatchingConfig(dynamic=True)
W = 160


@pytest.fixture(scope="module")
def watch(spar_recordings: list[Recording]) -> Floats:
    """Segments of 3.2 s [B, 160, 6] in reference units: each a part of one recording, over all people."""
    cut = [r.signal[: len(r.signal) // W * W].reshape(-1, W, 6)[:4] for r in spar_recordings[::5]]
    return (np.concatenate(cut) / np.array([GRAVITY] * 3 + [1] * 3, np.float32)).astype(np.float32)


def bounds_of(signal: Floats, config: PatchingConfig = DYNAMIC) -> NDArray[np.int64]:
    return dynamic_bounds(motion(signal[..., :3], config.largest), config)


def naive_bounds(level: Floats, config: PatchingConfig) -> list[tuple[int, int]]:
    found, start = [], 0
    while start < len(level):
        share = min(max((float(level[start]) - config.low) / (config.high - config.low), 0), 1)
        length = round(config.largest - share * (config.largest - config.smallest))
        if len(level) - start - length < config.smallest:
            length = len(level) - start
        found.append((start, length))
        start += length
    return found


def there(row: NDArray[np.int64]) -> list[tuple[int, int]]:
    return [(start, length) for start, length in row.tolist() if length]


# Motion


@pytest.mark.parametrize("span", [1, 7, 30, 500])
def test_motion_by_the_definition(span: int) -> None:
    acceleration = np.random.default_rng(span).normal(1, 0.3, (3, 50, 3)).astype(np.float32)
    got = motion(acceleration, span)
    assert got.shape == (3, 50) and got.dtype == np.float32
    for b in range(3):
        for t in range(50):
            sizes = [float(np.linalg.norm(a.astype(float))) for a in acceleration[b, t : t + span]]
            mean = sum(sizes) / len(sizes)
            expected = (sum((s - mean) ** 2 for s in sizes) / len(sizes)) ** 0.5
            assert got[b, t] == pytest.approx(expected, abs=1e-6)


def test_motion_does_not_depend_on_how_the_sensor_is_turned(watch: Floats) -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0].astype(np.float32)
    np.testing.assert_allclose(motion(watch[:, :, :3] @ turn, 30), motion(watch[:, :, :3], 30), atol=1e-4)


def test_small_motion_on_top_of_a_large_constant_is_kept() -> None:
    """A ripple of 1 mg on 8 g: the difference of two sums of squares in single precision would lose it."""
    ripple = 8 + 1e-3 * np.tile([1.0, -1.0], 5000)
    acceleration = np.stack([ripple, 0 * ripple, 0 * ripple], axis=1)[None].astype(np.float32)
    np.testing.assert_allclose(motion(acceleration, 30)[0, :-30], 1e-3, rtol=1e-2)


# Where to cut


@given(
    seed=st.integers(0, 2**32 - 1),
    samples=st.integers(1, 200),
    sizes=st.tuples(st.integers(2, 40), st.integers(0, 40)),
    rows=st.integers(1, 4),
)
def test_dynamic_patches_cover_each_segment_without_gap_or_overlap(
    seed: int, samples: int, sizes: tuple[int, int], rows: int
) -> None:
    config = PatchingConfig(dynamic=True, smallest=sizes[0], largest=sum(sizes))
    level = np.random.default_rng(seed).uniform(0, 0.3, (rows, samples)).astype(np.float32)
    bounds = dynamic_bounds(level, config)
    assert bounds.shape[1] <= config.most(samples)
    for row, segment in zip(bounds, level, strict=True):
        found = there(row)
        assert found == naive_bounds(segment, config)
        assert found[0][0] == 0 and sum(found[-1]) == samples
        assert all(a + n == b for (a, n), (b, _) in pairwise(found))
        *inner, last = (length for _, length in found)
        assert all(config.smallest <= n <= config.largest for n in inner)
        assert min(config.smallest, samples) <= last < config.largest + config.smallest
        assert not row[len(found) :, 1].any()  # what is no patch comes last


def test_the_size_falls_linearly_between_the_thresholds() -> None:
    level = np.array([0, 0.08, 0.11, 0.14, 0.2, 5], np.float32)[:, None].repeat(300, axis=1)
    assert dynamic_bounds(level, DYNAMIC)[:, 0, 1].tolist() == [30, 30, 25, 20, 10, 10]


@pytest.mark.parametrize("samples", [5, 10, 160, 165, 169, 170])
def test_the_most_patches_occur_in_the_wildest_segment(samples: int) -> None:
    assert dynamic_bounds(np.ones((1, samples), np.float32), DYNAMIC).shape[1] == DYNAMIC.most(samples)
    fixed = PatchingConfig(size=20)
    assert fixed_bounds(1, samples, fixed.size).shape[1] == fixed.most(samples)


def test_real_patches_are_small_in_motion_and_large_at_rest(watch: Floats) -> None:
    bounds, level = bounds_of(watch), motion(watch[:, :, :3], DYNAMIC.largest)
    sizes: dict[str, list[int]] = {"rest": [], "between": [], "motion": []}
    for row, segment in zip(bounds, level, strict=True):
        for start, length in there(row)[:-1]:  # the last one takes the rest
            at = segment[start]
            kind = "rest" if at <= DYNAMIC.low else "motion" if at >= DYNAMIC.high else "between"
            sizes[kind].append(length)
    assert min(len(found) for found in sizes.values()) > 10  # all three are common in real exercises
    assert set(sizes["rest"]) == {30} and set(sizes["motion"]) == {10} and len(set(sizes["between"])) > 10
    counts = (bounds[..., 1] > 0).sum(1)
    assert counts.min() < 8 < counts.max()


def test_after_z_scoring_all_patches_would_be_small(watch: Floats) -> None:
    """This is why motion is measured before: z-scored acceleration has no rest, and no unit for the thresholds."""
    standard = (watch - watch.mean(1, keepdims=True)) / watch.std(1, keepdims=True)
    sizes = bounds_of(standard)[:, :-1, 1]
    assert np.mean(sizes[sizes > 0] <= 11) > 0.9
    raw = bounds_of(watch)[:, :-1, 1]
    assert np.mean(raw[raw > 0] <= 11) < 0.6


# Taking


def test_a_patch_of_the_wanted_size_is_copied_as_it_is(watch: Floats) -> None:
    bounds = np.array([[[3, 20], [23, 20], [140, 20]]]).repeat(len(watch), axis=0)
    got = take_patches(watch, bounds, 20)
    for number, start in enumerate((3, 23, 140)):
        np.testing.assert_array_equal(got[:, number], watch[:, start : start + 20])


@pytest.mark.parametrize("length", [20, 21, 30, 47, 160])
def test_a_straight_line_stays_one(length: int) -> None:
    line = np.arange(W, dtype=np.float32)[None, :, None] * np.array([1, -2], np.float32)
    start = (W - length) // 2
    got = take_patches(line, np.array([[[start, length]]]), 20)[0, 0]
    middle = start + (np.arange(20) + 0.5) * length / 20 - 0.5
    np.testing.assert_allclose(got, middle[:, None] * [1, -2], rtol=1e-5)


@given(length=st.integers(1, 20), start=st.integers(0, 40), seed=st.integers(0, 1000))
def test_smaller_patches_equal_the_resampling_matrix(length: int, start: int, seed: int) -> None:
    segment = np.random.default_rng(seed).normal(size=(2, 60, 3)).astype(np.float32)
    bounds = np.array([[[start, length]]]).repeat(2, axis=0)
    expected = resample_matrix(length, 20) @ segment[:, start : start + length]
    np.testing.assert_allclose(take_patches(segment, bounds, 20)[:, 0], expected, atol=1e-5)


def test_each_segment_has_its_own_patches(watch: Floats) -> None:
    bounds = bounds_of(watch)
    together = take_patches(watch, bounds, 20)
    for row in range(0, len(watch), 17):
        for number, (start, length) in enumerate(there(bounds[row])):
            alone = take_patches(watch[row : row + 1, start : start + length], np.array([[[0, length]]]), 20)
            np.testing.assert_allclose(together[row, number], alone[0, 0], atol=1e-6)
        assert not together[row, len(there(bounds[row])) :].any()


# All of it


def test_fixed_patches_are_the_segment_in_pieces(watch: Floats) -> None:
    patches, mask, centres, lengths = patch(watch, watch[..., :3], PatchingConfig(size=20))
    np.testing.assert_array_equal(patches, watch.reshape(-1, 8, 20, 6))
    assert mask.all() and mask.shape == (len(watch), 8)
    np.testing.assert_allclose(centres, np.tile((np.arange(8) + 0.5) / 8, (len(watch), 1)), rtol=1e-6)
    assert lengths.shape == (len(watch), 8) and (lengths == 1 / 8).all()


def test_what_is_left_after_the_last_fixed_patch_is_dropped(watch: Floats) -> None:
    patches, mask, centres, lengths = patch(watch, watch[..., :3], PatchingConfig(size=50))
    assert patches.shape == (len(watch), 3, 20, 6) and mask.all()
    np.testing.assert_allclose(centres[0], [25 / 160, 75 / 160, 125 / 160], rtol=1e-6)
    np.testing.assert_allclose(lengths, 50 / 160, rtol=1e-6)  # of the whole segment, what is dropped included


def test_masks_centres_and_lengths_of_dynamic_patches(watch: Floats) -> None:
    patches, mask, centres, lengths = patch(watch, watch[..., :3], DYNAMIC)
    bounds = bounds_of(watch)
    assert patches.dtype == centres.dtype == lengths.dtype == np.float32
    assert patches.shape[:2] == mask.shape == centres.shape == lengths.shape
    assert not mask.all() and mask[:, 0].all()
    for row, present, centre, length in zip(bounds, mask, centres, lengths, strict=True):
        found = there(row)
        assert present.tolist() == [True] * len(found) + [False] * (len(row) - len(found))
        np.testing.assert_allclose(centre[present], [(start + n / 2) / W for start, n in found], rtol=1e-6)
        np.testing.assert_allclose(length[present], [n / W for _, n in found], rtol=1e-6)
        assert not length[~present].any()
    np.testing.assert_allclose(lengths.sum(1), 1, rtol=1e-6)  # together the whole segment
    assert centres.min() > 0 and centres.max() <= 1 and np.isfinite(patches).all()


@pytest.mark.parametrize(
    "wrong",
    [{"size": 1}, {"samples": 1}, {"smallest": 1}, {"smallest": 31}, {"low": -0.1}, {"low": 0.2}, {"high": 0.05}],
)
def test_impossible_patches_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"^patching: [^\n]+ must be [^\n]+$"):
        PatchingConfig(**wrong)  # type: ignore[arg-type]
