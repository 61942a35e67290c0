"""Which windows make up each batch: a pure function of (seed, epoch)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otolith.types import ConfigError


@dataclass(frozen=True)
class SamplingConfig:
    """How an epoch is drawn."""

    batch_size: int = 64
    """Windows in a batch."""
    temperature: float = 0.5
    """Exponent a of dataset sampling, p ~ n^a: 1 keeps the datasets' sizes, 0 gives each the same share."""
    balance_groups: bool = False
    """Whether each activity group of a dataset gets the same share (stage 2)."""

    def __post_init__(self) -> None:
        if self.batch_size < 2:
            raise ConfigError(
                f"sampling.batch_size must be at least 2 (the losses contrast windows), not {self.batch_size}"
            )
        if not 0 <= self.temperature <= 1:
            raise ConfigError(f"sampling.temperature must be in [0, 1], not {self.temperature}")


def epoch_batches(
    dataset: NDArray[np.int64],
    bucket: NDArray[np.int64],
    group: NDArray[np.int64],
    config: SamplingConfig,
    seed: int,
    epoch: int,
) -> NDArray[np.int64]:
    """The batches of one epoch.

    An epoch draws as many windows as there are, less what does not fill a batch. Within a cell (dataset, bucket and, if
    balanced, group) windows are drawn without replacement until all were used, then again. A batch never mixes buckets,
    so padding stays small.

    Args:
        dataset: [N] dataset of each window.
        bucket: [N] bucket of each window (its number of channels).
        group: [N] activity group of each window.
        config: Batch size, temperature, balance.
        seed: Seed of the run.
        epoch: Number of the epoch.

    Returns:
        [batches, batch_size] rows of windows. The same arguments give the same batches, whatever came before.
    """
    rng = np.random.default_rng([seed, epoch])
    cells = np.stack([dataset, bucket, group if config.balance_groups else np.zeros_like(group)], axis=1)
    keys, cell = np.unique(cells, axis=0, return_inverse=True)
    share = _cell_shares(keys, np.bincount(cell), config.temperature)
    drawn = [
        _draw(np.flatnonzero(cell == k), count, rng)
        for k, count in enumerate(_whole(share * len(dataset), len(dataset)))
    ]
    batches = []
    for b in np.unique(keys[:, 1]):
        rows = rng.permutation(np.concatenate([d for k, d in enumerate(drawn) if keys[k, 1] == b]))
        # Every batch has one size. The rest of a bucket is left for another epoch: filled up, its batch would hold
        # windows twice, which the losses would contrast with themselves. Only a bucket of less than one batch is.
        count = max(len(rows) // config.batch_size, min(len(rows), 1))
        batches.append(np.resize(rows, count * config.batch_size).reshape(-1, config.batch_size))
    out = np.concatenate(batches)
    return out[rng.permutation(len(out))]


def _cell_shares(keys: NDArray[np.int64], sizes: NDArray[np.int64], temperature: float) -> NDArray[np.float64]:
    """Share of each cell: its dataset's p ~ n^a, divided over buckets by size and over groups evenly."""
    share = np.zeros(len(keys))
    total = 0.0
    for d in np.unique(keys[:, 0]):
        mine = keys[:, 0] == d
        weight = float(sizes[mine].sum()) ** temperature
        total += weight
        for b in np.unique(keys[mine, 1]):
            cells = mine & (keys[:, 1] == b)
            share[cells] = weight * sizes[cells].sum() / sizes[mine].sum() / cells.sum()
    return share / total


def _whole(share: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers nearest to `share` that sum to `total` (largest remainder)."""
    floor = np.floor(share).astype(np.int64)
    rest = total - int(floor.sum())
    floor[np.argsort(floor - share, kind="stable")[:rest]] += 1
    return floor


def _draw(rows: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    rounds = -(-count // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(max(rounds, 1))])[:count]
