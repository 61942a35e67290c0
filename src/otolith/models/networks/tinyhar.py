"""TinyHAR of Zhou et al. 2022 (ISWC, doi:10.1145/3544794.3558467): a light network of five small parts."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.models.networks.network import Network

FILTERS = 20
"""Of each channel, F; the authors' configuration (teco-kit/ISWC22-HAR, configs/model.yaml)."""
KERNEL = 5
STRIDES = (1, 2, 1, 2)
HEADS = 4
HEAD_WIDTH = 16
HIDDEN = 16
"""Of the feed-forward network."""
DROPOUT = 0.1


class TinyHar(Network):
    """Convolutions of each channel by itself, attention across channels at each time, fusion, an LSTM, and a pooling
    over time (section 3).

    The order of the channels matters in the fusion alone.
    """

    shortest: ClassVar[int] = 25

    def __init__(self, channels: int, samples: int) -> None:
        super().__init__(channels, samples)
        layers: list[nn.Module] = []
        for number, stride in enumerate(STRIDES):
            convolution = nn.Conv2d(FILTERS if number else 1, FILTERS, (KERNEL, 1), stride=(stride, 1))
            layers += [convolution, nn.ReLU(), nn.BatchNorm2d(FILTERS)]
        self.convolutions = nn.Sequential(*layers)
        self.across = AcrossChannels()
        self.dropout = nn.Dropout(DROPOUT)
        self.width = 2 * FILTERS
        self.fusion = nn.Linear(channels * FILTERS, self.width)
        self.lstm = nn.LSTM(self.width, self.width, batch_first=True)
        self.pool = OverTime(self.width)

    def forward(self, windows: Tensor) -> Tensor:
        """Windows [B, W, C] to features [B, 40]; errors as in `check`."""
        self.check(windows)
        maps = self.convolutions(windows[:, None]).permute(0, 2, 3, 1)  # [B, T, C, F]
        tokens = self.dropout(self.across(maps.flatten(0, 1)).view(maps.shape))
        steps = F.relu(self.fusion(tokens.flatten(2)))
        out: Tensor = self.pool(self.lstm(steps)[0])
        return out


class AcrossChannels(nn.Module):
    """One pre-normalised transformer block over the channels of one moment, without positions."""

    def __init__(self) -> None:
        super().__init__()
        inner = HEADS * HEAD_WIDTH
        self.norms = nn.ModuleList(nn.LayerNorm(FILTERS) for _ in range(2))
        self.qkv, self.out = nn.Linear(FILTERS, 3 * inner, bias=False), nn.Linear(inner, FILTERS)
        self.mlp = nn.Sequential(nn.Linear(FILTERS, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, FILTERS))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, F] to [N, C, F]."""
        count, channels, _ = x.shape
        q, k, v = self.qkv(self.norms[0](x)).view(count, channels, 3, HEADS, HEAD_WIDTH).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.out(seen)
        out: Tensor = x + self.mlp(self.norms[1](x))
        return out


class OverTime(nn.Module):
    """The last step, and a learnt share of a weighted mean of all steps; the share begins at zero."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, 1, bias=False))
        self.share = nn.Parameter(torch.zeros(1))

    def forward(self, steps: Tensor) -> Tensor:
        """[B, T, D] to [B, D]."""
        weights = self.score(steps).softmax(1)
        out: Tensor = steps[:, -1] + self.share * (weights * steps).sum(1)
        return out
