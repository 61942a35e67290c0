from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from otolith.data.sampling import SamplingConfig, epoch_batches
from otolith.types import ConfigError

# Three datasets of unequal size; the second has two kinds of recordings (buckets); activity groups are unbalanced.
SIZES = (4000, 1000, 250)
DATASET = np.repeat([0, 1, 2], SIZES)
BUCKET = np.where(DATASET == 0, 6, np.where(np.arange(len(DATASET)) % 4 == 0, 9, 6))
GROUP = np.where(np.arange(len(DATASET)) % 10 == 0, 1, 0)


def draw(config: SamplingConfig, seed: int = 0, epoch: int = 0) -> NDArray[np.int64]:
    return epoch_batches(DATASET, BUCKET, GROUP, config, seed, epoch)


def test_is_a_function_of_seed_and_epoch() -> None:
    config = SamplingConfig(batch_size=32)
    expected = draw(config, 3, 5)
    np.random.default_rng(0).random(1000)
    assert np.array_equal(draw(config, 3, 5), expected)
    for other in ((3, 6), (4, 5)):
        assert not np.array_equal(draw(config, *other), expected)


@pytest.mark.parametrize("temperature", [0.0, 0.5, 0.8, 1.0])
def test_datasets_share_by_temperature(temperature: float) -> None:
    batches = draw(SamplingConfig(batch_size=32, temperature=temperature))
    counts = np.bincount(DATASET[batches.ravel()])
    weight = np.array(SIZES, dtype=float) ** temperature
    expected = weight / weight.sum() * len(DATASET)
    assert np.abs(counts - expected).max() <= 32  # each bucket leaves out what fills no batch
    assert len(DATASET) - 2 * 32 < batches.size <= len(DATASET)


@pytest.mark.parametrize("balance", [False, True])
def test_groups_are_balanced_on_demand(balance: bool) -> None:
    rows = draw(SamplingConfig(batch_size=32, balance_groups=balance)).ravel()
    for dataset in range(3):
        share = GROUP[rows[DATASET[rows] == dataset]].mean()
        assert share == pytest.approx(0.5 if balance else GROUP[dataset == DATASET].mean(), abs=0.04)


def test_a_batch_never_mixes_buckets() -> None:
    for row in draw(SamplingConfig(batch_size=48, balance_groups=True)):
        assert len(set(BUCKET[row].tolist())) == 1


def test_batches_of_the_buckets_are_mixed_over_the_epoch() -> None:
    buckets = BUCKET[draw(SamplingConfig(batch_size=16))][:, 0]
    wide = np.flatnonzero(buckets == 9)
    assert wide.min() < len(buckets) / 4 and wide.max() > len(buckets) * 3 / 4


def test_nothing_twice_before_all_once() -> None:
    rows = draw(SamplingConfig(batch_size=35, temperature=1.0)).ravel()
    times = np.bincount(rows, minlength=len(DATASET))
    # All exactly once, but for those that fill no batch of their bucket.
    assert times.max() == 1 and (times == 0).sum() < 2 * 35
    times = np.bincount(draw(SamplingConfig(batch_size=35, temperature=0.0)).ravel(), minlength=len(DATASET))
    for dataset in range(3):
        for bucket in (6, 9):
            cell = times[(dataset == DATASET) & (bucket == BUCKET)]
            # Rounds begin when all were drawn; only the rest of the bucket is missing from the last ones.
            assert cell.size == 0 or (cell.max() - cell)[cell < cell.max() - 1].sum() <= 2 * 35


@pytest.mark.parametrize("size", [16, 17, 31])
def test_no_window_twice_in_a_batch(size: int) -> None:
    """The losses would contrast a window with itself."""
    for epoch in range(20):
        one = np.zeros(size, dtype=np.int64)
        batches = epoch_batches(one, one, one, SamplingConfig(batch_size=16), seed=0, epoch=epoch)
        assert batches.shape == (1, 16) and all(len(set(rows.tolist())) == 16 for rows in batches)


def test_a_bucket_of_less_than_one_batch_is_filled_up() -> None:
    few = np.zeros(5, dtype=np.int64)
    (batch,) = epoch_batches(few, few, few, SamplingConfig(batch_size=8), seed=0, epoch=0)
    assert len(batch) == 8 and np.bincount(batch).min() == 1


@given(
    cells=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(0, 2), st.integers(1, 20)), min_size=1),
    batch_size=st.integers(2, 9),
    temperature=st.floats(0, 1),
    balance=st.booleans(),
)
def test_any_mixture(
    cells: list[tuple[int, int, int, int]], batch_size: int, temperature: float, balance: bool
) -> None:
    dataset, bucket, group = (np.concatenate([np.full(c[3], c[k]) for c in cells]) for k in range(3))
    config = SamplingConfig(batch_size, temperature, balance)
    epochs = [epoch_batches(dataset, bucket, group, config, seed=1, epoch=e) for e in range(2)]
    for batches in epochs:
        assert batches.shape == (len(epochs[0]), batch_size)  # the number of batches is that of every epoch
        assert batches.min() >= 0 and batches.max() < len(dataset)
        assert all(len(set(bucket[row].tolist())) == 1 for row in batches)


def test_values_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="batch_size must be at least 2"):
        SamplingConfig(batch_size=1)
    for temperature in (-0.1, 1.1):
        with pytest.raises(ConfigError, match="temperature"):
            SamplingConfig(temperature=temperature)
