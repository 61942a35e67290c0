"""The whole model: encoder, window head, label bank, and the texts it knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.models.encoder import Encoder, EncoderConfig
from otolith.models.heads import WindowHead
from otolith.models.label_bank import LabelBankConfig
from otolith.models.saved import TextModel
from otolith.models.text_cache import TextCache
from otolith.types import Batch

CHANNELS_WEIGHT = 2.0
"""Of each look at the channels against the text-space vector, which says little of activities never trained on. Chosen
on SPAR, and on HAPT and UTD-MHAD left out of training."""


class Otolith(TextModel):
    """Windows of motion and words in one space.

    Attributes:
        encoder: Patches to tokens [B, P, C, D].
        head: Tokens to a unit vector [B, E] in the space of the texts.
        bank: Texts to prototypes in that space.
        texts: Token embeddings of the texts read so far.
        meta: How the model was made and what it expects: `stage`, `labels`, `loader`, `parent`, `threshold`, ...
    """

    kind = "encoder"

    def __init__(
        self,
        encoder: EncoderConfig,
        bank: LabelBankConfig | None = None,
        *,
        texts: TextCache | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        bank = bank or LabelBankConfig()
        # Encoder and head before the bank: a seed gives the weights that it always gave.
        parts = Encoder(encoder), WindowHead(encoder.dim, encoder.heads, bank.dim)
        super().__init__(bank, texts, meta)
        self.encoder, self.head = parts

    def tokens(self, batch: Batch, *, masked: Tensor | None = None) -> Tensor:
        """Tokens [B, P, C, D] of a batch; where `masked` [B, P, C], the encoder does not see the content."""
        out: Tensor = self.encoder(batch.patches, *_context(batch), masked)
        return out

    def embed(self, batch: Batch) -> Tensor:
        """Unit vectors [B, E] of a batch's windows, in the space of the texts."""
        return self._vector(self.tokens(batch), batch)

    def features(self, batch: Batch) -> Tensor:
        """The text-space vector and the mean token [B, E + D], each of unit length."""
        tokens = self.tokens(batch)
        valid = (batch.patch_mask[:, :, None] & batch.channel_mask[:, None, :])[..., None].to(tokens.dtype)
        mean = _centred((tokens * valid).sum((1, 2)) / valid.sum((1, 2)))
        return torch.cat([self._vector(tokens, batch), mean.float()], dim=-1)

    def channel_features(self, batch: Batch) -> Tensor:
        """What a few examples teach most by: the text-space vector, and three looks at each channel [B, E + 3 C D].

        Of each channel in order: its mean token, and mean and spread over the patches of its content before any
        attention. Attention carries what the activities of training had in common, content what the signal is; new
        activities need the latter. Each look has unit length over all channels, times `CHANNELS_WEIGHT`. All windows
        must show the same channels.
        """
        content = self.encoder.tokens(batch.patches)
        tokens = self.encoder.in_context(content, *_context(batch))
        valid = batch.patch_mask[:, :, None, None].to(tokens.dtype)
        count = valid.sum(1)
        mean = (content * valid).sum(1) / count
        spread = (((content - mean[:, None]) ** 2 * valid).sum(1) / count).sqrt()
        looks = (_centred(((tokens * valid).sum(1) / count).flatten(1)), _centred(mean.flatten(1)))
        by_channel = torch.cat([*looks, F.normalize(spread.flatten(1), dim=-1)], dim=-1)
        return torch.cat([self._vector(tokens, batch), CHANNELS_WEIGHT * by_channel.float()], dim=-1)

    def _vector(self, tokens: Tensor, batch: Batch) -> Tensor:
        out: Tensor = self.head(tokens, batch.patch_mask, batch.channel_mask)
        return out

    def answering(self) -> nn.ModuleList:
        """Encoder and head."""
        return nn.ModuleList([self.encoder, self.head])

    def sizes(self) -> dict[str, Any]:
        """Of the encoder and of the label bank."""
        return {"encoder": asdict(self.encoder.config), "bank": asdict(self.bank.config)}

    @classmethod
    def of_sizes(cls, sizes: Mapping[str, Any]) -> Self:
        """A model at random initialisation."""
        return cls(EncoderConfig(**sizes["encoder"]), LabelBankConfig(**sizes["bank"]))


def _centred(rows: Tensor) -> Tensor:
    return F.normalize(rows - rows.mean(-1, keepdim=True), dim=-1)


def _context(batch: Batch) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """What the encoder is told beside the patches."""
    masks = _unless_full(batch.patch_mask), _unless_full(batch.channel_mask)
    return batch.channel_text, batch.patch_seconds, *masks


def _unless_full(mask: Tensor) -> Tensor | None:
    # Attention without a mask is quicker. On a GPU asking would wait for it, so there the mask always goes along.
    return None if mask.device.type == "cpu" and bool(mask.all()) else mask
