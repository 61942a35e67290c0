"""The dual-branch encoder: patches of any number of channels to tokens, over time and across sensors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from otolith.models.layers import Block, PatchStem, time_position
from otolith.models.text import EMBEDDING
from otolith.types import ConfigError


@dataclass(frozen=True)
class EncoderConfig:
    """Size of the encoder."""

    dim: int = 384
    """Width of a token, D."""
    heads: int = 8
    """Attention heads; divides `dim`."""
    blocks: int = 4
    """Blocks of temporal attention, cross-channel attention and feed-forward network."""
    ffn_ratio: int = 4
    """Hidden width of the feed-forward network over `dim`."""
    dropout: float = 0.1
    """Dropout on each residual branch, in training only."""

    def __post_init__(self) -> None:
        for name in ("dim", "heads", "blocks", "ffn_ratio"):
            if getattr(self, name) < 1:
                raise ConfigError(f"model.{name} must be at least 1, not {getattr(self, name)}")
        if self.dim % (2 * self.heads):
            raise ConfigError(f"model.dim {self.dim} must be a multiple of twice model.heads {self.heads}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"model.dropout must be in [0, 1), not {self.dropout}")


SIZES: dict[str, EncoderConfig] = {
    "base": EncoderConfig(),
    "small": EncoderConfig(dim=192, heads=4),
    "tiny": EncoderConfig(dim=96, heads=4, blocks=2),
}
"""Named sizes; `base` is the seed design."""

NOISE_FLOOR = 0.01
"""Scale [g, rad/s] below which a patch is at rest: z-scoring does not blow sensor noise up to unit variance."""

MEAN_FREQUENCIES = (1.5, 3.0, 6.0)
"""Angular frequencies [1/g, 1/(rad/s)] at which a patch's mean is also given as sine and cosine: tilts of a few
degrees, which tell sitting from standing, are small on the scale of g (Gorishniy et al. 2022, arXiv:2203.05556, section
3.3)."""


def normalise(patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Z-scores each patch of each channel, and keeps what that takes away.

    Args:
        patches: [B, P, 64, C] in reference units.

    Returns:
        z-scored patches [B, P, 64, C], mean [B, P, C], scale [B, P, C] (never below `NOISE_FLOOR`).
    """
    mean = patches.mean(dim=2)
    scale = (patches.var(dim=2, unbiased=False) + NOISE_FLOOR**2).sqrt()
    return (patches - mean[:, :, None]) / scale[:, :, None], mean, scale


class Encoder(nn.Module):
    """Dual-branch transformer over the grid of patches x channels.

    Each channel of each patch is one token: its z-scored shape through a convolutional stem, plus its mean and scale
    (which carry gravity, hence posture, and amplitude), plus the time of the patch, plus a gated embedding of the
    channel's description in words. Nothing depends on the number or order of channels: permuting channels with their
    descriptions permutes the output.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        d = config.dim
        self.stem = PatchStem(d)
        self.statistics = nn.Sequential(nn.Linear(3 + 2 * len(MEAN_FREQUENCIES), d), nn.GELU(), nn.Linear(d, d))
        self.content = nn.LayerNorm(d)
        self.text = nn.Linear(EMBEDDING, d)
        self.gate_token = nn.Linear(d, d)
        self.gate_text = nn.Linear(d, d, bias=False)
        self.mask_token = nn.Parameter(torch.zeros(d))
        self.blocks = nn.ModuleList(
            Block(d, config.heads, config.ffn_ratio, config.dropout) for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(d)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(
        self,
        patches: Tensor,
        channel_text: Tensor,
        patch_seconds: Tensor,
        patch_mask: Tensor | None = None,
        channel_mask: Tensor | None = None,
        masked: Tensor | None = None,
    ) -> Tensor:
        """Encodes.

        Args:
            patches: [B, P, 64, C] in reference units.
            channel_text: [B, C, E] sentence embeddings of the channels' descriptions.
            patch_seconds: [B] duration of a patch.
            patch_mask: [B, P], True where valid; None when all are.
            channel_mask: [B, C], True where valid; None when all are.
            masked: [B, P, C], True where the content is hidden from the encoder.

        Returns:
            [B, P, C, D]. Values at invalid positions mean nothing.
        """
        x = self.tokens(patches) if masked is None else self._visible(patches, masked)
        return self.in_context(x, channel_text, patch_seconds, patch_mask, channel_mask)

    def in_context(
        self,
        x: Tensor,
        channel_text: Tensor,
        patch_seconds: Tensor,
        patch_mask: Tensor | None = None,
        channel_mask: Tensor | None = None,
    ) -> Tensor:
        """What `forward` makes of the content of patches [B, P, C, D], as `tokens` gives it; arguments as there."""
        # Sentence embeddings have unit length; unit variance makes a channel's words as loud as its content.
        text = self.text(channel_text * math.sqrt(channel_text.shape[-1]))[:, None]
        gate = torch.sigmoid(self.gate_token(x) + self.gate_text(text))
        position = time_position(patch_seconds, x.shape[1], x.shape[3])
        x = x + gate * text + position[:, :, None].to(x.dtype)
        for block in self.blocks:
            x = block(x, patch_mask, channel_mask)
        out: Tensor = self.norm(x)
        return out

    def _visible(self, patches: Tensor, masked: Tensor) -> Tensor:
        """`tokens` where not `masked`, else the mask token."""
        # What is hidden is not computed: in a small model the stem is a large part.
        seen = ~masked
        shown = self.tokens(patches.transpose(2, 3)[seen][:, None, :, None])[:, 0, 0]
        x = self.mask_token.to(shown.dtype).expand(*masked.shape, -1).clone()
        x[seen] = shown
        return x

    def tokens(self, patches: Tensor) -> Tensor:
        """Content of each patch and channel [B, P, C, D]: shape, mean and scale."""
        z, mean, scale = normalise(patches)
        waves = [wave(f * mean) for f in MEAN_FREQUENCIES for wave in (torch.sin, torch.cos)]
        statistics = torch.stack([mean, scale, scale.log(), *waves], dim=-1)
        out: Tensor = self.content(self.stem(z) + self.statistics(statistics))
        return out
