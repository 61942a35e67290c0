"""Heads on the encoder's tokens: reconstruction and projection (stage 1), window embedding (stage 2 and after)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.types import PATCH_SAMPLES


class ReconstructionHead(nn.Module):
    """Tokens to the z-scored samples of their patches."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, PATCH_SAMPLES))

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, P, C, D] to [B, P, 64, C]."""
        out: Tensor = self.layers(tokens).transpose(2, 3)
        return out


class ProjectionHead(nn.Module):
    """Tokens to one unit vector a patch, for the contrastive loss (Chen et al. 2020, SimCLR, section 2.1)."""

    def __init__(self, dim: int, out: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, out))

    def forward(self, tokens: Tensor, channel_mask: Tensor) -> Tensor:
        """[B, P, C, D] and [B, C] to [B, P, out]: mean over valid channels, projected, unit length."""
        weight = channel_mask[:, None, :, None].to(tokens.dtype)
        mean = (tokens * weight).sum(2) / weight.sum(2)
        return F.normalize(self.layers(mean), dim=-1)


class WindowHead(nn.Module):
    """Tokens of a window to one unit vector in the space of the label texts.

    Attention pooling with one learnable query a head (as in CoCa, Yu et al. 2022, section 3.2); with the queries at
    their initial zero it is the mean over all valid tokens.
    """

    def __init__(self, dim: int, heads: int, out: int) -> None:
        super().__init__()
        self.heads = heads
        self.key = nn.Linear(dim, heads)
        self.value = nn.Linear(dim, dim)
        self.layers = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, out))
        nn.init.zeros_(self.key.weight)
        nn.init.zeros_(self.key.bias)

    def forward(self, tokens: Tensor, patch_mask: Tensor, channel_mask: Tensor) -> Tensor:
        """[B, P, C, D], [B, P], [B, C] to [B, out]."""
        b, p, c, d = tokens.shape
        valid = (patch_mask[:, :, None] & channel_mask[:, None, :]).reshape(b, p * c, 1)
        flat = tokens.reshape(b, p * c, d)
        scores = self.key(flat).masked_fill(~valid, float("-inf"))
        weight = torch.softmax(scores.float(), dim=1).to(flat.dtype)  # [B, PC, H]
        value = self.value(flat).view(b, p * c, self.heads, d // self.heads)
        pooled = torch.einsum("bnh,bnhe->bhe", weight, value).reshape(b, d)
        return F.normalize(self.layers(pooled).float(), dim=-1)
