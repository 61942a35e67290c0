from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from otolith.data.channels import Channel, six_axes, triad
from otolith.data.loader import LoaderConfig, Windows, describe_channels
from otolith.data.store import Dataset
from otolith.data.upright import add_upright, bodies, with_upright
from otolith.data.windows import index_windows
from otolith.export.graph import _with_upright

SIX = six_axes("waist", "smartphone")


@pytest.fixture
def walk(spar_dataset: Dataset) -> np.ndarray:
    """Real windows [B, T, 6]: a smart-watch."""
    index = index_windows(spar_dataset, 3.0, 3.0)
    windows: np.ndarray = spar_dataset.gather(index.recording[:8], index.start[:8], int(index.length[0]))
    return windows


def test_made_channels_are_the_same_whichever_way_the_sensor_is_worn(walk: np.ndarray) -> None:
    turn = Rotation.random(rng=np.random.default_rng(0)).as_matrix()
    turned = np.concatenate([walk[..., :3] @ turn.T, walk[..., 3:] @ turn.T], axis=-1).astype(np.float32)
    assert not np.allclose(turned, walk, atol=0.1)
    assert np.allclose(add_upright(turned, SIX)[..., 6:], add_upright(walk, SIX)[..., 6:], atol=1e-3)


def test_a_sensor_at_rest_feels_gravity_along_and_nothing_across() -> None:
    rest = np.tile(np.array([3.0, 0.0, 4.0, 0.0, 0.0, 1.0], np.float32), (1, 50, 1))
    made = add_upright(rest, SIX)[0, 0, 6:]
    assert made == pytest.approx([5.0, 0.0, 0.8, 0.6], abs=1e-5)  # what turns about z turns about the tilted vertical


def test_the_words_say_what_the_channels_are() -> None:
    names = [channel.description for channel in with_upright(SIX)[6:]]
    assert names == [
        "accelerometer vertical axis with gravity, smartphone at the waist",
        "accelerometer horizontal axis with gravity, smartphone at the waist",
        "gyroscope vertical axis, smartphone at the waist",
        "gyroscope horizontal axis, smartphone at the waist",
    ]


def test_nothing_is_made_where_gravity_is_not_in_the_signal() -> None:
    linear: tuple[Channel, ...] = triad("acc", "waist", gravity=False)
    assert with_upright(linear) == linear
    windows = np.ones((2, 10, 3), np.float32)
    assert np.array_equal(add_upright(windows, linear), windows)


def test_free_fall_is_finite_and_the_graph_says_the_same(walk: np.ndarray) -> None:
    windows = np.concatenate([walk, np.zeros_like(walk[:1])])
    made = add_upright(windows, SIX)
    assert np.isfinite(made).all()
    graph = _with_upright(torch.from_numpy(windows), list(bodies(SIX)))
    assert np.allclose(graph.numpy(), made, atol=1e-5)


def test_a_loader_shows_them_and_counts_them(spar_dataset: Dataset) -> None:
    index = index_windows(spar_dataset, 3.0, 3.0)
    config = LoaderConfig(3.0, upright=True)
    said = describe_channels([index], config.view, upright=True)
    windows = Windows([index], {text: np.ones(4, np.float32) for text in said}, config)
    batch, _ = next(windows.batches(4))
    assert batch.patches.shape[-1] == 10 and (windows.bucket() == 10).all()
    acceleration, vertical = batch.patches[..., :3], batch.patches[..., 6]
    assert torch.allclose(vertical.mean((1, 2)), acceleration.mean((1, 2)).norm(dim=-1), atol=0.02)
