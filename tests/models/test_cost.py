from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.models.cost import flops, parameters, size_mb
from otolith.models.encoder import SIZES, Encoder


class Attention(nn.Module):
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight


def test_a_shared_parameter_counts_once() -> None:
    assert parameters(nn.Linear(3, 5)) == 3 * 5 + 5
    assert parameters(nn.Conv1d(2, 4, 3)) == 4 * 2 * 3 + 4
    assert parameters(Shared()) == 16 + 4 + 4


def test_a_frozen_parameter_counts() -> None:
    assert parameters(nn.Linear(3, 5).requires_grad_(False)) == 20


def test_flops_of_a_linear_layer() -> None:
    # 7 rows, 5 outputs, each of 3 products and sums; the bias is elementwise.
    assert flops(nn.Linear(3, 5), torch.zeros(7, 3)) == 2 * 7 * 5 * 3


def test_flops_of_a_convolution() -> None:
    # 10 samples, kernel 3, stride 2, padding 1: 5 outputs of 4 channels, each over 2 channels of 3 samples.
    assert flops(nn.Conv1d(2, 4, 3, stride=2, padding=1), torch.zeros(1, 2, 10)) == 2 * 5 * 4 * 2 * 3


def test_flops_of_attention() -> None:
    # 2 heads, 5 queries, 7 keys, width 4: queries by keys, and weights by values.
    q, k, v = torch.zeros(1, 2, 5, 4), torch.zeros(1, 2, 7, 4), torch.zeros(1, 2, 7, 4)
    assert flops(Attention(), q, k, v) == 2 * (2 * 2 * 5 * 7 * 4)


def test_flops_of_a_transformer_layer_without_its_fast_path() -> None:
    d, f, n = 8, 16, 6
    layer = nn.TransformerEncoderLayer(d, 2, f, batch_first=True)
    projections = 2 * n * d * (3 * d + d)
    attention = 2 * (2 * n * n * d)
    feed_forward = 2 * (2 * n * d * f)
    before = torch.backends.mha.get_fastpath_enabled()
    assert flops(layer, torch.zeros(1, n, d)) == projections + attention + feed_forward
    assert torch.backends.mha.get_fastpath_enabled() == before


def test_the_mode_of_each_part_is_as_before() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.BatchNorm1d(3))
    model.train()
    model[1].eval()
    kept = model[2].running_mean.clone()
    flops(model, torch.ones(2, 3))
    assert [part.training for part in model.modules()] == [True, True, False, True]
    assert torch.equal(model[2].running_mean, kept)  # it ran in eval mode


def test_the_mode_is_as_before_when_the_forward_pass_fails() -> None:
    model = nn.Linear(3, 3).train()
    with pytest.raises(RuntimeError):
        flops(model, torch.zeros(1, 4))
    assert model.training
    assert torch.backends.mha.get_fastpath_enabled()


def test_flops_of_the_encoder_grow_with_its_channels() -> None:
    encoder = Encoder(SIZES["tiny"])
    counts = [
        flops(encoder, torch.zeros(1, 4, 64, c), torch.zeros(1, c, encoder.text.in_features), torch.ones(1))
        for c in (1, 3, 6)
    ]
    assert counts[0] > 0
    # Attention across channels makes it a little more than proportional.
    assert counts[1] > 2.9 * counts[0]
    assert counts[2] > 2 * counts[1]


def test_size_at_32_and_16_bits() -> None:
    assert size_mb(nn.Linear(1000, 500)) == pytest.approx((500_000 + 500) * 4 / 1e6)
    assert size_mb(nn.Linear(1000, 500), bits=16) == pytest.approx((500_000 + 500) * 2 / 1e6)


def test_size_at_8_bits() -> None:
    # Linear: one byte a weight, a scale for each of 500 rows, the bias in float32.
    assert size_mb(nn.Linear(1000, 500), bits=8) == pytest.approx((500_000 + 500 * 4 + 500 * 4) / 1e6)
    # A convolution's kernel has three dimensions and 4 output channels.
    assert size_mb(nn.Conv1d(2, 4, 3), bits=8) == pytest.approx((24 + 4 * 4 + 4 * 4) / 1e6)
    # A norm has vectors only.
    assert size_mb(nn.LayerNorm(10), bits=8) == size_mb(nn.LayerNorm(10)) == pytest.approx(20 * 4 / 1e6)


def test_other_numbers_of_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="8, 16 or 32, not 4"):
        size_mb(nn.Linear(2, 2), bits=4)
