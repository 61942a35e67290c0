"""The student: an Inertial Transformer of a few hundred kilobytes that sees the sensors alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.types import ConfigError, DataError

LEAST_DEVIATION = 1e-3
"""A channel that hardly changes is divided by this, in reference units, and not by next to nothing."""

POSITIONS = ("learnable", "sinusoidal", "none")


@dataclass(frozen=True)
class StudentConfig:
    """Size and input of the student."""

    dim: int = 128
    """Width of a token, D."""
    layers: int = 2
    """Transformer layers, L."""
    heads: int = 4
    """Attention heads; divides `dim`."""
    mlp_ratio: float = 2.0
    """Hidden width of the feed-forward network over `dim`."""
    patch_samples: int = 20
    """Samples of a patch, S, whatever its size was."""
    patches: int = 8
    """The most patches of a segment: the number of learnable positions."""
    channels: int = 6
    """Columns of a patch, C."""
    triads: tuple[tuple[int, ...], ...] = ((0, 1, 2), (3, 4, 5))
    """Three-axis sensors whose magnitude is a further input: it does not depend on how the sensor is turned."""
    position: str = "learnable"
    """`learnable` (one vector a patch), `sinusoidal` (of the patch's centre), or `none`."""
    dropout: float = 0.1
    """On each residual branch, in training only."""

    def __post_init__(self) -> None:
        for name in ("dim", "layers", "heads", "patch_samples", "patches", "channels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"model.{name} must be at least 1, not {getattr(self, name)}")
        if self.dim % (2 * self.heads):
            raise ConfigError(f"model.dim {self.dim} must be a multiple of twice model.heads {self.heads}")
        if self.position not in POSITIONS:
            raise ConfigError(f"model.position must be one of {', '.join(POSITIONS)}, not '{self.position}'")
        if not (0 <= self.dropout < 1 and self.mlp_ratio > 0):
            raise ConfigError("model.dropout must be in [0, 1) and model.mlp_ratio positive")
        if any(len(triad) != 3 or not all(0 <= c < self.channels for c in triad) for triad in self.triads):
            raise ConfigError(f"model.triads must name three of the {self.channels} columns each, not {self.triads}")


@dataclass(frozen=True)
class Seen:
    """What a network makes of a batch.

    Attributes:
        feature: [B, D] the class token, normalised.
        attention: [B, P] how much the class token looks at each patch in the last layer, mean over heads; None unless
            asked for.
    """

    feature: Tensor
    attention: Tensor | None = None


class SensorTokens(nn.Module):
    """Patches of the sensors to tokens: magnitudes appended, z-scored with stored statistics, one linear embedding.

    The statistics are buffers, so that a checkpoint and an export carry them. They are those of the training people.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: StudentConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        inputs = config.channels + len(config.triads)
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("std", torch.ones(inputs))
        self.embed = nn.Linear(config.patch_samples * inputs + 1, dim)
        if config.position == "learnable":
            self.position = nn.Parameter(torch.randn(config.patches, dim) * 0.02)

    @torch.no_grad()
    def normalise_by(self, mean: Tensor, std: Tensor) -> None:
        """Stores the statistics of the training people [C + M] (`Segments.statistics`)."""
        self.mean.copy_(mean)
        self.std.copy_(std.clamp(min=LEAST_DEVIATION))

    def forward(self, patches: Tensor, centre: Tensor, seconds: Tensor) -> Tensor:
        """[B, P, S, C] in reference units, centres [B, P] and durations [B, P] to tokens [B, P, D].

        The duration is an input because resampling a patch, or a trial, to a fixed length hides it.

        Raises:
            DataError: Other channels, another patch length, or more patches than there are positions.
        """
        expected = (self.config.patch_samples, self.config.channels)
        if tuple(patches.shape[2:]) != expected or patches.shape[1] > self.config.patches:
            raise DataError(
                f"the model takes at most {self.config.patches} patches of {expected[0]} samples and {expected[1]} "
                f"channels, not {patches.shape[1]} of {patches.shape[2]} and {patches.shape[3]}"
            )
        # The constant keeps the gradient finite where a sensor reads exactly zero.
        sizes = [(patches[..., list(t)].square().sum(-1, keepdim=True) + 1e-12).sqrt() for t in self.config.triads]
        x = (torch.cat([patches, *sizes], dim=-1) - self.mean) / self.std
        duration = seconds.clamp(min=0.01).log()[..., None]
        tokens: Tensor = self.embed(torch.cat([x.flatten(2), duration], dim=-1))
        if self.config.position == "learnable":
            return tokens + self.position[: patches.shape[1]]
        return tokens + sinusoids(centre, tokens.shape[-1]) if self.config.position == "sinusoidal" else tokens


class InertialTransformer(nn.Module):
    """Class token and patches of the sensors through L pre-normalised transformer layers (Dosovitskiy et al. 2021,
    arXiv:2010.11929, section 3.1).
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = SensorTokens(config, config.dim)
        self.start = nn.Parameter(torch.zeros(config.dim))
        self.layers = layers(config.dim, config.heads, config.mlp_ratio, config.layers, config.dropout)
        self.norm = nn.LayerNorm(config.dim)

    def forward(
        self, patches: Tensor, patch_mask: Tensor, centre: Tensor, seconds: Tensor, *, attention: bool = False
    ) -> Seen:
        """Patches [B, P, S, C], which of them are there, their centres and their seconds [B, P]."""
        tokens = self.tokens(patches, centre, seconds)
        x = torch.cat([self.start.expand(len(tokens), 1, -1), tokens], dim=1)
        mask = F.pad(patch_mask, (1, 0), value=True)
        x, weight = run_layers(self.layers, x, mask, attention=attention)
        return Seen(self.norm(x[:, 0]), None if weight is None else weight[:, 0, 1:])


class Layer(nn.Module):
    """Self-attention over all tokens, then a feed-forward network, each pre-normalised and residual."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float, dropout: float) -> None:
        super().__init__()
        self.heads, hidden = heads, round(mlp_ratio * dim)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
        self.dropout = dropout

    def forward(self, x: Tensor, mask: Tensor | None, *, attention: bool = False) -> tuple[Tensor, Tensor | None]:
        """[B, N, D] to [B, N, D] and, where asked for, the attention [B, N, N], mean over heads.

        Args:
            x: Tokens.
            mask: [B, N], True where a token may be looked at; None allows all.
            attention: Whether the weights are wanted; computing them openly is slower.
        """
        b, n, d = x.shape
        q, k, v = self.qkv(self.norms[0](x)).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        allowed = None if mask is None else mask[:, None, None]
        weight = None
        if attention:
            scores = q.float() @ k.float().transpose(-1, -2) / math.sqrt(d // self.heads)
            weights = (scores if allowed is None else scores.masked_fill(~allowed, float("-inf"))).softmax(-1)
            y, weight = weights.to(v.dtype) @ v, weights.mean(1)
        else:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        x = x + self._drop(self.out(y.transpose(1, 2).reshape(b, n, d)))
        return x + self._drop(self.mlp(self.norms[1](x))), weight

    def _drop(self, y: Tensor) -> Tensor:
        """Dropout that takes a feature away from all tokens of a segment (Tompson 2015, arXiv:1411.4280, 3.2)."""
        if not self.training or not self.dropout:
            return y
        keep = torch.rand(y.shape[0], 1, y.shape[2], device=y.device) >= self.dropout
        return y * keep / (1 - self.dropout)


def layers(dim: int, heads: int, mlp_ratio: float, count: int, dropout: float) -> nn.ModuleList:
    """`count` layers of one size."""
    return nn.ModuleList(Layer(dim, heads, mlp_ratio, dropout) for _ in range(count))


def run_layers(
    stack: nn.ModuleList, x: Tensor, mask: Tensor, *, attention: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Tokens [B, N, D] through all layers, and the attention [B, N, N] of the last one where asked for."""
    # Attention without a mask is quicker; on a GPU asking would wait for it.
    allowed = None if mask.device.type == "cpu" and bool(mask.all()) else mask
    weight = None
    for number, layer in enumerate(stack, 1):
        x, weight = layer(x, allowed, attention=attention and number == len(stack))
    return x, weight


def sinusoids(place: Tensor, dim: int) -> Tensor:
    """Sines and cosines [..., D] of a place from 0 to 1 (Vaswani et al. 2017, section 3.5), wavelengths 2 to 0.02."""
    rates = torch.exp(torch.arange(0, dim, 2, device=place.device) * (math.log(100.0) / dim)) / 2
    angles = 2 * math.pi * place[..., None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
