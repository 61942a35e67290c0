"""The reference for training-step time: a plain re-creation of the public encoder that Otolith's design grew from.

No code of it is used here. Re-created from its architecture, at the same size (at `base` width 384, 8 heads, 4 blocks,
feed-forward width 1536; dropout 0.1), in the state of March 2026:

- Stem: two convolutions of kernel 5 at full length (64 samples; 1 to 32 to 64 channels), each with group norm, GELU and
  dropout, then the mean over time and one linear layer with GELU and dropout.
- Attention: separate linear layers for queries, keys and values; dropout on the attention weights, which keeps
  `scaled_dot_product_attention` from its fused kernel on a CPU, so that the weights are written out; masks are always
  passed, also where all is valid.
- Block: time attention, channel attention, a feed-forward network with dropout inside; normalised after each sum.
- Heads: reconstruction by one linear layer; a contrastive projection (512, 256) of every token, pooled over the
  channels after it; InfoNCE over both views at once (2N x 2N).
- Loss: squared error over all positions, masked afterwards; each part divided by its running mean.

Left out, in favour of the reference: its z-scoring and cutting of patches window by window inside the training loop
(`bench_loader.py` counts them), and its monitoring of gradient norms after every step.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.models.encoder import EncoderConfig
from otolith.models.text import EMBEDDING
from otolith.types import PATCH_SAMPLES, Batch


class ReferenceStem(nn.Module):
    """One channel's patch to a token."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((1, 32), (32, 64)):
            convolution = nn.Conv1d(before, after, 5, padding=2, bias=False)
            layers += [convolution, nn.GroupNorm(1, after), nn.GELU(), nn.Dropout(dropout)]
        self.convolutions = nn.Sequential(*layers)
        self.out = nn.Sequential(nn.Linear(64, dim), nn.GELU(), nn.Dropout(dropout))

    def forward(self, patches: Tensor) -> Tensor:
        """[B, P, 64, C] to [B, P, C, D]."""
        b, p, s, c = patches.shape
        x = self.convolutions(patches.permute(0, 1, 3, 2).reshape(b * p * c, 1, s))
        out: Tensor = self.out(x.mean(-1)).reshape(b, p, c, -1)
        return out


class ReferenceAttention(nn.Module):
    """Self-attention over the middle axis of [N, L, D]."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """[N, L, D] with mask [N, L] to [N, L, D]."""
        n, length, d = x.shape
        q, k, v = (
            layer(x).view(n, length, self.heads, d // self.heads).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :], dropout_p=dropout)
        out: Tensor = self.out(y.transpose(1, 2).reshape(n, length, d))
        return out


class ReferenceBlock(nn.Module):
    """Time attention, channel attention, feed-forward network; post-normalised."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        d, hidden, dropout = config.dim, config.ffn_ratio * config.dim, config.dropout
        self.time = ReferenceAttention(d, config.heads, dropout)
        self.channel = ReferenceAttention(d, config.heads, dropout)
        self.ffn = nn.Sequential(
            nn.Linear(d, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, d), nn.Dropout(dropout)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(3))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, patch_mask: Tensor, channel_mask: Tensor) -> Tensor:
        """[B, P, C, D] to [B, P, C, D]."""
        b, p, c, d = x.shape
        over_time = x.permute(0, 2, 1, 3).reshape(b * c, p, d)
        y = self.time(over_time, patch_mask[:, None].expand(b, c, p).reshape(b * c, p))
        x = self.norms[0](x + self.drop(y.reshape(b, c, p, d).permute(0, 2, 1, 3)))
        y = self.channel(x.reshape(b * p, c, d), channel_mask[:, None].expand(b, p, c).reshape(b * p, c))
        x = self.norms[1](x + self.drop(y.reshape(b, p, c, d)))
        out: Tensor = self.norms[2](x + self.drop(self.ffn(x)))
        return out


class ReferenceEncoder(nn.Module):
    """Patches to tokens, as described at the top of this file."""

    positions: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        d = config.dim
        self.stem = ReferenceStem(d, config.dropout)
        self.words = nn.Identity() if d == EMBEDDING else nn.Linear(EMBEDDING, d)
        self.text = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Linear(d, d))
        self.scales = nn.Parameter(torch.full((2,), 0.1))
        self.hidden = nn.Parameter(torch.zeros(d))
        self.padding = nn.Parameter(torch.zeros(d))
        self.blocks = nn.ModuleList(ReferenceBlock(config) for _ in range(config.blocks))
        self.register_buffer("positions", _positions(5000, d))

    def forward(self, batch: Batch, patches: Tensor, masked: Tensor | None) -> Tensor:
        """[B, P, 64, C] and the hidden patches [B, P] to [B, P, C, D]."""
        x = self.stem(patches)
        if masked is not None:
            x = torch.where(masked[:, :, None, None], self.hidden.to(x.dtype), x)
        x = torch.where(batch.patch_mask[:, :, None, None], x, self.padding.to(x.dtype))
        x = x + self.scales[0] * self.positions[: x.shape[1], None]
        # Where the channels are the same in every window they are projected once.
        same = bool((batch.channel_text == batch.channel_text[:1]).all())
        words = self.words(batch.channel_text[:1] if same else batch.channel_text)
        x = x + self.scales[1] * (words + self.text(words))[:, None]
        for block in self.blocks:
            x = block(x, batch.patch_mask, batch.channel_mask)
        assert isinstance(x, Tensor)
        return x


class ReferencePretraining(nn.Module):
    """Stage 1: two passes, one with hidden patches and one of the augmented view, and both losses."""

    means: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.encoder = ReferenceEncoder(config)
        self.projection = nn.Sequential(nn.Linear(config.dim, 512), nn.ReLU(), nn.Linear(512, 256))
        self.reconstruction = nn.Linear(config.dim, PATCH_SAMPLES)
        self.register_buffer("means", torch.ones(2))

    def forward(self, batch: Batch) -> Tensor:
        """The loss. Patches hidden in all channels count as hidden."""
        assert batch.masked is not None and batch.augmented is not None
        masked = batch.masked.all(2)
        tokens = self.encoder(batch, batch.patches, masked)
        views = (self.projection(tokens), self.projection(self.encoder(batch, batch.augmented, None)))
        losses = torch.stack([self._masked(tokens, batch, masked), _contrast(*views, batch)])
        with torch.no_grad():
            self.means.mul_(0.99).add_(0.01 * losses)
        return (losses / (self.means + 1e-8)).sum()

    def _masked(self, tokens: Tensor, batch: Batch, masked: Tensor) -> Tensor:
        guess = self.reconstruction(tokens).permute(0, 1, 3, 2).float()
        mean = batch.patches.mean(2, keepdim=True)
        deviation = (batch.patches - mean).square().mean(2, keepdim=True).sqrt().clamp(min=1e-6)
        error = F.mse_loss(guess, (batch.patches - mean) / deviation, reduction="none").mean(2)
        channels = batch.channel_mask[:, None].float()
        error = (error * channels).sum(2) / channels.sum(2).clamp(min=1)
        chosen = masked & batch.patch_mask
        return (error * chosen).sum() / chosen.sum().clamp(min=1)


def _contrast(a: Tensor, b: Tensor, batch: Batch) -> Tensor:
    channels = batch.channel_mask[:, None, :, None].float()
    pooled = [F.normalize((x * channels).sum(2) / channels.sum(2), dim=-1)[batch.patch_mask] for x in (a, b)]
    both, n = torch.cat(pooled), len(pooled[0])
    similar = (both @ both.t() / 0.2).masked_fill(torch.eye(2 * n, dtype=torch.bool), float("-inf"))
    return F.cross_entropy(similar, torch.cat([torch.arange(n, 2 * n), torch.arange(n)]))


def _positions(most: int, dim: int) -> Tensor:
    angles = torch.arange(most)[:, None] * torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
