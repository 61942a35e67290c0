"""The teacher: a transformer over what a camera saw of the body and what the sensors felt (ST-ConvT)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.models.student import Seen, SensorTokens, StudentConfig, layers, run_layers, sinusoids
from otolith.types import ConfigError, DataError


@dataclass(frozen=True)
class TeacherConfig:
    """Size and input of the teacher."""

    dim: int = 256
    """Width of a token, D."""
    layers: int = 4
    """Transformer layers, L."""
    heads: int = 8
    """Attention heads; divides `dim`."""
    mlp_ratio: float = 2.0
    """Hidden width of the feed-forward network over `dim`."""
    joints: int = 20
    """Joints of the skeleton, J; 0 sees the sensors alone."""
    frames: int = 32
    """Frames of the skeleton, F."""
    stride: int = 4
    """Frames in one token, even; divides `frames`."""
    width: int = 192
    """Features of a moment after the convolution over the joints."""
    dropout: float = 0.2
    """On each residual branch, in training only."""
    sensors: StudentConfig = field(default_factory=StudentConfig)
    """What the patches of the sensors look like; its sizes are not used."""

    def __post_init__(self) -> None:
        for name in ("dim", "layers", "heads", "frames", "stride", "width"):
            if getattr(self, name) < 1:
                raise ConfigError(f"model.{name} must be at least 1, not {getattr(self, name)}")
        if self.joints < 0 or self.dim % (2 * self.heads) or self.frames % self.stride or self.stride % 2:
            raise ConfigError(
                "model: dim must be a multiple of twice heads, frames of an even stride, joints 0 or more"
            )
        if not (0 <= self.dropout < 1 and self.mlp_ratio > 0):
            raise ConfigError("model.dropout must be in [0, 1) and model.mlp_ratio positive")


class SkeletonTokens(nn.Module):
    """Skeleton to tokens: a convolution over all joints and five frames at a time, then one strided over time.

    Positions and velocities of all joints are its inputs, each with a weight of its own in place of the fixed graph of
    Yan et al. 2018, ST-GCN (arXiv:1801.07455, section 3.3): one body has one set of joints.
    """

    def __init__(self, config: TeacherConfig) -> None:
        super().__init__()
        self.config = config
        self.joints = nn.Conv1d(6 * config.joints, config.width, 5, stride=2, padding=2)
        self.norm = nn.LayerNorm(config.width)  # not over the batch: in it, bodies that were not seen would count
        self.embed = nn.Conv1d(config.width, config.dim, config.stride // 2, stride=config.stride // 2)

    def forward(self, skeleton: Tensor) -> Tensor:
        """[B, F, J, 3], without NaN, to [B, F / stride, D].

        Raises:
            DataError: Another number of frames or joints.
        """
        if tuple(skeleton.shape[1:3]) != (self.config.frames, self.config.joints):
            raise DataError(
                f"the teacher takes skeletons of {self.config.frames} frames and {self.config.joints} joints, not "
                f"{skeleton.shape[1]} and {skeleton.shape[2]}"
            )
        speed = F.pad(skeleton.diff(dim=1), (0, 0, 0, 0, 1, 0)) * 5  # of the order of the positions
        x = torch.cat([skeleton, speed], dim=-1).flatten(2).transpose(1, 2)  # [B, 6 J, F]
        x = F.gelu(self.norm(self.joints(x).transpose(1, 2))).transpose(1, 2)
        tokens: Tensor = self.embed(x).transpose(1, 2)
        places = (torch.arange(tokens.shape[1], device=tokens.device) + 0.5) / tokens.shape[1]
        return tokens + sinusoids(places, tokens.shape[-1])


class Teacher(nn.Module):
    """One transformer over the tokens of both; its feature is the class token beside the mean of each modality.

    Segments of which no skeleton was seen are told apart by the tokens' mask; the mean of what is not there is zero.
    """

    def __init__(self, config: TeacherConfig) -> None:
        super().__init__()
        self.config = config
        d = config.dim
        self.sensors = SensorTokens(config.sensors, d)
        self.start = nn.Parameter(torch.zeros(d))
        self.kind = nn.Parameter(torch.randn(2, d) * 0.02)
        self.layers = layers(d, config.heads, config.mlp_ratio, config.layers, config.dropout)
        self.norm = nn.LayerNorm(d)
        if config.joints:
            self.skeleton = SkeletonTokens(config)
        self.width = d * (3 if config.joints else 2)

    def forward(
        self,
        patches: Tensor,
        patch_mask: Tensor,
        centre: Tensor,
        seconds: Tensor,
        skeleton: Tensor | None = None,
        *,
        attention: bool = False,
    ) -> Seen:
        """Patches as in `InertialTransformer`, and the skeleton [B, F, J, 3], NaN where none was seen.

        Raises:
            DataError: The teacher looks at skeletons and there is none.
        """
        felt = self.sensors(patches, centre, seconds) + self.kind[0]
        parts, masks = [felt], [patch_mask]
        if self.config.joints:
            if skeleton is None:
                raise DataError("this teacher sees sensors and skeleton: give it segments with a skeleton")
            there = skeleton.flatten(1).isfinite().all(1)
            seen = self.skeleton(torch.where(there[:, None, None, None], skeleton, 0)) + self.kind[1]
            parts.append(seen)
            masks.append(there[:, None].expand(-1, seen.shape[1]))
        x = torch.cat([self.start.expand(len(felt), 1, -1), *parts], dim=1)
        x, weight = run_layers(self.layers, x, F.pad(torch.cat(masks, dim=1), (1, 0), value=True), attention=attention)
        x, feature, first = self.norm(x), [], 1
        for part, mask in zip(parts, masks, strict=True):
            tokens, weights = x[:, first : first + part.shape[1]], mask[..., None].to(x.dtype)
            feature.append((tokens * weights).sum(1) / weights.sum(1).clamp(min=1))
            first += part.shape[1]
        looked = None if weight is None else weight[:, 0, 1 : 1 + felt.shape[1]]
        return Seen(torch.cat([x[:, 0], *feature], dim=-1), looked)
