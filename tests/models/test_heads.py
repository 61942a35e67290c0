from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize, pad

from otolith.models.heads import ProjectionHead, ReconstructionHead, WindowHead


@pytest.fixture
def tokens() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(3, 4, 5, 16)


def test_reconstruction_reads_one_token_at_a_time(tokens: torch.Tensor) -> None:
    head = ReconstructionHead(16)
    out = head(tokens)
    assert out.shape == (3, 4, 64, 5)
    torch.testing.assert_close(out[1, 2, :, 3], head.layers(tokens[1, 2, 3]), atol=1e-6, rtol=1e-5)


def test_projection_ignores_padded_channels(tokens: torch.Tensor) -> None:
    head = ProjectionHead(16, out=8)
    mask = torch.ones(3, 5, dtype=torch.bool)
    expected = head(tokens, mask)
    assert expected.shape == (3, 4, 8)
    torch.testing.assert_close(expected.norm(dim=-1), torch.ones(3, 4))
    padded = head(pad(tokens, (0, 0, 0, 3), value=9.0), pad(mask, (0, 3), value=False))
    torch.testing.assert_close(padded, expected)
    assert not torch.allclose(head(pad(tokens, (0, 0, 0, 3), value=9.0), pad(mask, (0, 3), value=True)), expected)


def test_window_head_ignores_padding(tokens: torch.Tensor) -> None:
    head = WindowHead(16, 2, 12)
    torch.nn.init.normal_(head.key.weight)  # attention that is not uniform
    patch_mask, channel_mask = torch.ones(3, 4, dtype=torch.bool), torch.ones(3, 5, dtype=torch.bool)
    expected = head(tokens, patch_mask, channel_mask)
    torch.testing.assert_close(expected.norm(dim=-1), torch.ones(3))
    padded = head(
        pad(tokens, (0, 0, 0, 2, 0, 3), value=9.0),
        pad(patch_mask, (0, 3), value=False),
        pad(channel_mask, (0, 2), value=False),
    )
    torch.testing.assert_close(padded, expected, atol=1e-6, rtol=1e-5)


def test_window_head_starts_as_a_mean(tokens: torch.Tensor) -> None:
    head = WindowHead(16, 2, 12)
    patch_mask = torch.tensor([[True] * 4, [True, True, False, False], [True] * 4])
    channel_mask = torch.ones(3, 5, dtype=torch.bool)
    mean = torch.stack([head.value(t[m]).mean((0, 1)) for t, m in zip(tokens, patch_mask, strict=True)])
    torch.testing.assert_close(
        head(tokens, patch_mask, channel_mask), normalize(head.layers(mean), dim=-1), atol=1e-6, rtol=1e-5
    )


def test_window_head_does_not_depend_on_order(tokens: torch.Tensor) -> None:
    head = WindowHead(16, 2, 12)
    torch.nn.init.normal_(head.key.weight)
    patch_mask, channel_mask = torch.ones(3, 4, dtype=torch.bool), torch.ones(3, 5, dtype=torch.bool)
    torch.testing.assert_close(
        head(tokens[:, :, [3, 1, 4, 0, 2]], patch_mask, channel_mask),
        head(tokens, patch_mask, channel_mask),
        atol=1e-6,
        rtol=1e-5,
    )
