"""LIMU-BERT of Xu et al. 2021 (SenSys, doi:10.1145/3485730.3485937): a BERT whose words are samples of the sensors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.models.networks.network import Pretrainable
from otolith.models.networks.spans import hide, reconstruction_error

DIM = 72
HIDDEN = 144
HEADS = 4
BLOCKS = 4
GRU_UNITS = (20, 20, 10)
DROPOUT = 0.5
"""Before the classes."""


class LimuBert(Pretrainable):
    """The encoder of samples, and on it the GRU classifier without its last layer (section 3; LIMU-GRU).

    Sizes are those of `base_v1` and `gru_v2` in the authors' configuration (dapowan/LIMU-BERT-Public). The paper
    divides acceleration by 9.8; here the caller z-scores.
    """

    reader: nn.ModuleList

    def __init__(self, channels: int, samples: int) -> None:
        super().__init__(channels, samples)
        self.encoder = SampleEncoder(channels, samples, BLOCKS)
        sizes = zip((DIM, *GRU_UNITS[:-1]), GRU_UNITS, strict=True)
        self.reader = nn.ModuleList(nn.GRU(before, after, batch_first=True) for before, after in sizes)
        self.dropout = nn.Dropout(DROPOUT)
        self.pretext = decoder(channels)
        self.width = GRU_UNITS[-1]

    def forward(self, windows: Tensor) -> Tensor:
        """Windows [B, W, C] to features [B, 10]; errors as in `check`."""
        self.check(windows)
        steps = self.encoder(windows)
        for gru in self.reader:
            steps = gru(steps)[0]
        out: Tensor = self.dropout(steps[:, -1])
        return out

    def pretraining_loss(self, windows: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        """Squared error of the samples to be predicted; the same from beginning to end."""
        self.check(windows)
        shown, chosen = hide(windows)
        return {"loss": reconstruction_error(self.pretext(self.encoder(shown)), windows, chosen)}


class SampleEncoder(nn.Module):
    """Each sample to a vector, normalised before and after its position is added, then blocks that share their weights.

    The position is learnt, one vector for each sample. One norm serves both places, as in the authors' code.
    """

    def __init__(self, channels: int, samples: int, blocks: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.embed = nn.Linear(channels, DIM)
        self.position = nn.Parameter(torch.randn(samples, DIM))
        self.norm = nn.LayerNorm(DIM)
        self.block = Block()

    def forward(self, windows: Tensor) -> Tensor:
        """[B, W, C] to [B, W, 72]."""
        x: Tensor = self.norm(self.norm(self.embed(windows)) + self.position)
        for _ in range(self.blocks):
            x = self.block(x)
        return x


class Block(nn.Module):
    """Self-attention and a feed-forward network, each with its residual normalised after; no dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)
        self.mlp = nn.Sequential(nn.Linear(DIM, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, DIM))
        self.norms = nn.ModuleList(nn.LayerNorm(DIM) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """[B, W, 72] to [B, W, 72]."""
        q, k, v = self.qkv(x).unflatten(2, (3, HEADS, DIM // HEADS)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = self.norms[0](x + self.out(seen))
        out: Tensor = self.norms[1](x + self.mlp(x))
        return out


def decoder(channels: int) -> nn.Sequential:
    """Vectors [..., 72] back to samples [..., C]."""
    return nn.Sequential(nn.Linear(DIM, DIM), nn.GELU(), nn.LayerNorm(DIM), nn.Linear(DIM, channels))
