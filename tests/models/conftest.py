"""Real windows as batches, for the tests of the models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from torch.nn.functional import pad

from otolith.data.loader import LoaderConfig, Request, Windows, describe_channels
from otolith.data.store import Dataset
from otolith.data.views import ChannelView
from otolith.data.windows import WindowIndex, index_windows
from otolith.models.text_cache import TextCache
from otolith.types import Batch


@pytest.fixture(scope="session")
def spar_index(spar_dataset: Dataset) -> WindowIndex:
    return index_windows(spar_dataset, seconds=4.0, step=2.0)


@pytest.fixture(scope="session")
def texts(spar_index: WindowIndex) -> TextCache:
    cache = TextCache()
    cache.table(describe_channels([spar_index], ChannelView()))
    return cache


@pytest.fixture(scope="session")
def spar_batch(spar_index: WindowIndex, texts: TextCache) -> Batch:
    """Five windows of four patches and six channels, spread over all people, exercises and both wrists."""
    table = texts.table(describe_channels([spar_index], ChannelView()))
    rows = np.linspace(0, len(spar_index) - 1, 5).astype(np.int64)
    return Windows([spar_index], table, LoaderConfig())[Request(rows, (0, 0, 0))]


def padded(batch: Batch, patches: int, channels: int, value: float = 50.0) -> Batch:
    """The batch with further patches and channels full of `value`, marked as invalid."""
    return replace(
        batch,
        patches=pad(batch.patches, (0, channels, 0, 0, 0, patches), value=value),
        patch_mask=pad(batch.patch_mask, (0, patches), value=False),
        channel_mask=pad(batch.channel_mask, (0, channels), value=False),
        channel_text=pad(batch.channel_text, (0, 0, 0, channels), value=0.3),
    )


@pytest.fixture(scope="session")
def add_padding() -> Callable[..., Batch]:
    return padded
