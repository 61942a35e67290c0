"""Classifiers that are trained from labels: a network on windows, or the encoder, with a head over the classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from otolith.models.encoder import Encoder, EncoderConfig
from otolith.models.heads import WindowHead
from otolith.models.networks import NETWORKS, Pretrainable
from otolith.models.saved import Reader, Saved
from otolith.models.student import LEAST_DEVIATION, Seen
from otolith.models.text_cache import TextCache
from otolith.types import ConfigError, DataError, SegmentBatch


class NetworkClassifier(Saved):
    """One of `NETWORKS` on windows that are z-scored with stored statistics, and a head over classes.

    Attributes:
        net: Windows [B, W, C] to features [B, net.width].
        head: Features to logits; None where the network only learns to represent.
    """

    kind: ClassVar[str] = "network"
    mean: Tensor
    std: Tensor

    def __init__(
        self, network: str, channels: int, samples: int, labels: int, *, meta: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(meta)
        if network not in NETWORKS:
            raise ConfigError(f"there is no network '{network}': use {', '.join(NETWORKS)}")
        self.network, self.channels, self.samples = network, channels, samples
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))
        self.net: Any = NETWORKS[network](channels, samples)
        self.head: nn.Linear | None = nn.Linear(self.net.width, labels) if labels else None
        if labels and isinstance(self.net, Pretrainable):
            self.net.pretext = nn.Identity()  # of pretraining alone: it would be counted, saved and never taught

    @property
    def trunk(self) -> nn.Module:
        """What a frozen network keeps: all of it, or what pretraining has taught."""
        trunk: nn.Module = self.net.encoder if isinstance(self.net, Pretrainable) else self.net
        return trunk

    @torch.no_grad()
    def normalise_by(self, mean: Tensor, std: Tensor) -> None:
        """Stores the statistics of the training people (`Segments.statistics`); those of magnitudes are left out."""
        self.mean.copy_(mean[: self.channels])
        self.std.copy_(std[: self.channels].clamp(min=LEAST_DEVIATION))

    def windows(self, batch: SegmentBatch) -> Tensor:
        """The batch's windows [B, W, C], z-scored.

        Raises:
            DataError: Other channels or another length than those it was made for.
        """
        windows = batch.patches.flatten(1, 2)
        if tuple(windows.shape[1:]) != (self.samples, self.channels):
            raise DataError(
                f"the model takes windows of {self.samples} samples and {self.channels} channels, not "
                f"{windows.shape[1]} and {windows.shape[2]}: use the segments it was trained with"
            )
        out: Tensor = (windows - self.mean) / self.std
        return out

    def see(self, batch: SegmentBatch, *, attention: bool = False) -> Seen:
        """The feature [B, D] of each segment; errors as in `windows`."""
        return Seen(self.net(self.windows(batch)))

    def sizes(self) -> dict[str, Any]:
        """Of the network and of its head."""
        about = {"name": self.network, "channels": self.channels, "samples": self.samples}
        return {self.kind: about, "labels": self.head.out_features if self.head else 0}

    @classmethod
    def of_sizes(cls, sizes: Mapping[str, Any]) -> Self:
        """A model at random initialisation."""
        about = sizes[cls.kind]
        return cls(str(about["name"]), int(about["channels"]), int(about["samples"]), int(sizes["labels"]))


class EncoderClassifier(Reader):
    """The encoder with attention pooling and a head over classes: any channels, each told apart by its words.

    Attributes:
        encoder: Patches to tokens [B, P, C, D].
        pool: Tokens to the feature [B, D] of a window.
        head: Features to logits.
        patch_seconds: Duration of a patch.
        upright: Whether it sees channels along gravity and across it.
    """

    kind: ClassVar[str] = "encoder_classifier"

    def __init__(
        self,
        config: EncoderConfig,
        labels: int,
        patch_seconds: float = 0.5,
        upright: bool = False,
        *,
        texts: TextCache | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(texts, meta)
        self.encoder = Encoder(config)
        self.pool = WindowHead(config.dim, config.heads, config.dim)
        self.head: nn.Linear | None = nn.Linear(config.dim, labels)
        self.patch_seconds, self.upright = patch_seconds, upright
        self.encoder.mask_token.requires_grad_(False)  # nothing is hidden from it

    @property
    def trunk(self) -> nn.Module:
        """What a frozen network keeps."""
        return self.encoder

    def see(self, batch: SegmentBatch, *, attention: bool = False) -> Seen:
        """The feature [B, D] of each segment, which must come with its window (`Segments(text=...)`)."""
        window = batch.window
        if window is None:
            raise ValueError("the encoder sees windows with the words for their channels, and the batch has none")
        arguments = (window.patches, window.channel_text, window.patch_seconds, window.patch_mask, window.channel_mask)
        pooled = self.pool(self.encoder(*arguments), window.patch_mask, window.channel_mask)
        # A head over classes wants values of unit size, not vectors of unit length.
        return Seen(pooled * math.sqrt(pooled.shape[-1]))

    def sizes(self) -> dict[str, Any]:
        """Of the encoder, its patches and its head."""
        assert self.head is not None
        about = {**asdict(self.encoder.config), "patch_seconds": self.patch_seconds, "upright": self.upright}
        return {self.kind: about, "labels": self.head.out_features}

    @classmethod
    def of_sizes(cls, sizes: Mapping[str, Any]) -> Self:
        """A model at random initialisation."""
        about = dict(sizes[cls.kind])
        seconds, upright = float(about.pop("patch_seconds")), bool(about.pop("upright", False))
        return cls(EncoderConfig(**about), int(sizes["labels"]), seconds, upright)
