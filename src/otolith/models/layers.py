"""The parts of the encoder: attention over one axis of the token grid, the block, and the embeddings."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AxisAttention(nn.Module):
    """Multi-head self-attention along one axis of a token grid [B, P, C, D] (Vaswani et al. 2017, section 3.2).

    Args:
        dim: Width D of a token.
        heads: Number of heads; divides `dim`.
        axis: `time` attends over the P patches of each channel, `channel` over the C channels of each patch.
    """

    def __init__(self, dim: int, heads: int, axis: str) -> None:
        super().__init__()
        if axis not in ("time", "channel"):
            raise ValueError(f"axis must be time or channel, not {axis!r}")
        self.heads, self.axis = heads, axis
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.attend = Attend()

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Attends.

        Args:
            x: [B, P, C, D].
            mask: [B, P] (time) or [B, C] (channel), True where a token may be looked at; None allows all.

        Returns:
            [B, P, C, D].
        """
        b, p, c, d = x.shape
        qkv = self.qkv(x).view(b, p, c, 3, self.heads, d // self.heads)
        # [3, B, other, H, L, d]: the axis not attended over joins the batch.
        qkv = qkv.permute(3, 0, 2, 4, 1, 5) if self.axis == "time" else qkv.permute(3, 0, 1, 4, 2, 5)
        other, length = qkv.shape[2], qkv.shape[4]
        q, k, v = qkv.reshape(3, b * other, self.heads, length, d // self.heads).unbind(0)
        keys = None if mask is None else mask.repeat_interleave(other, dim=0)[:, None, None, :]
        y = self.attend(q, k, v, keys).view(b, other, self.heads, length, d // self.heads)
        y = y.permute(0, 3, 1, 2, 4) if self.axis == "time" else y.permute(0, 1, 3, 2, 4)
        out: Tensor = self.out(y.reshape(b, p, c, d))
        return out


class Attend(nn.Module):
    """Scaled dot-product attention. It has no weights; it is a module so that a hook sees what passes through it."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, keys: Tensor | None) -> Tensor:
        """Queries, keys and values [N, H, L, d] to [N, H, L, d]; `keys` [N, 1, 1, L] is True where one may look."""
        # On CPU, fused attention in bf16 at these lengths (4 to 52 tokens) is five times slower than fp32.
        if q.device.type == "cpu" and q.dtype != torch.float32:
            with torch.autocast("cpu", enabled=False):
                return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=keys).to(q.dtype)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=keys)

    @staticmethod
    def weights(q: Tensor, k: Tensor, keys: Tensor | None) -> Tensor:
        """How `forward` weighs the values: [N, H, L, L], each row sums to 1."""
        scores = q.float() @ k.float().transpose(-1, -2) / math.sqrt(q.shape[-1])
        return (scores if keys is None else scores.masked_fill(~keys, float("-inf"))).softmax(-1)


class Block(nn.Module):
    """Temporal attention, then cross-channel attention, then a feed-forward network, each pre-normalised."""

    def __init__(self, dim: int, heads: int, ffn_ratio: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.time = AxisAttention(dim, heads, "time")
        self.channel = AxisAttention(dim, heads, "channel")
        self.ffn = nn.Sequential(nn.Linear(dim, ffn_ratio * dim), nn.GELU(), nn.Linear(ffn_ratio * dim, dim))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, patch_mask: Tensor | None, channel_mask: Tensor | None) -> Tensor:
        """[B, P, C, D] to [B, P, C, D]; masks as in `AxisAttention`."""
        x = x + self.drop(self.time(self.norms[0](x), patch_mask))
        x = x + self.drop(self.channel(self.norms[1](x), channel_mask))
        out: Tensor = x + self.drop(self.ffn(self.norms[2](x)))
        return out


class PatchStem(nn.Module):
    """One channel's patch of 64 samples to a token, by two convolutions of kernel 5 shared by all channels."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, 32, 5, stride=2, padding=2)
        self.conv2 = nn.Conv1d(32, 64, 5, stride=2, padding=2)
        self.linear = nn.Linear(64 * 16, dim)

    def forward(self, patches: Tensor) -> Tensor:
        """[B, P, 64, C] to [B, P, C, D]."""
        b, p, s, c = patches.shape
        x = patches.transpose(2, 3).reshape(b * p * c, 1, s)
        x = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        out: Tensor = self.linear(x.flatten(1)).view(b, p, c, -1)
        return out


def time_position(patch_seconds: Tensor, patches: int, dim: int) -> Tensor:
    """Sinusoidal position of each patch's centre in seconds (Vaswani et al. 2017, section 3.5).

    Seconds rather than indices, so that a time means the same whatever the patch duration.

    Args:
        patch_seconds: [B], duration of a patch.
        patches: P.
        dim: D, even.

    Returns:
        [B, P, D].
    """
    centres = (torch.arange(patches, device=patch_seconds.device) + 0.5) * patch_seconds[:, None]
    # Wavelengths from 1 s to 1000 s.
    rates = torch.exp(torch.arange(0, dim, 2, device=patch_seconds.device) * (-math.log(1000.0) / dim))
    angles = 2 * math.pi * centres[..., None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
