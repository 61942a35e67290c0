"""The graph cuts and scales as the library does, for patches that fit, overlap by rounding, or are resampled."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from otolith.data.channels import six_axes
from otolith.data.loader import references
from otolith.data.patches import to_patches
from otolith.data.patching import PatchingConfig, patch
from otolith.export.graph import Cut, Graph
from otolith.export.metadata import joined

CHANNELS = six_axes("wrist", "watch")


class Through(torch.nn.Module):
    def forward(self, patches: torch.Tensor, seconds: torch.Tensor | None) -> torch.Tensor:
        return patches


def signal(samples: int) -> np.ndarray:
    return np.random.default_rng(0).normal(5, 3, (3, samples, 6)).astype(np.float32)


def cut_by(cut: Cut, values: np.ndarray, *, inside: bool) -> np.ndarray:
    return Graph(Through(), cut, CHANNELS, inside=inside)(torch.from_numpy(values)).numpy()


@pytest.mark.parametrize(("size", "samples"), [(16, 16), (20, 12), (7, 20), (300, 20)])
def test_segments_are_cut_as_in_training(size: int, samples: int) -> None:
    values, patching = signal(160), PatchingConfig(size=size, samples=samples)
    wanted = patch(values, values[..., :3], patching)[0]
    found = cut_by(Cut.of_segments(160, patching), values, inside=False)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("rate", "seconds", "samples"), [(50, 1.0, 200), (33.3, 0.7, 133), (100, 1.0, 400)])
def test_windows_are_cut_as_in_recognition(rate: float, seconds: float, samples: int) -> None:
    values = signal(samples)
    wanted = to_patches(values / references(CHANNELS), rate, seconds)
    found = cut_by(Cut.of_windows(samples, rate, seconds), values, inside=True)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_column_names_all_places_where_it_is_worn() -> None:
    left, right = six_axes("left wrist", "watch"), six_axes("right wrist", "watch")
    assert {c.placement for c in joined([right, left])} == {"left wrist or right wrist"}
    assert joined([left]) == left
