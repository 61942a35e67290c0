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
        patch_mask = _unless_full(batch.patch_mask)
        channel_mask = _unless_full(batch.channel_mask)
        where = (batch.channel_text, batch.patch_seconds, patch_mask, channel_mask, masked)
        out: Tensor = self.encoder(batch.patches, *where)
        return out

    def embed(self, batch: Batch) -> Tensor:
        """Unit vectors [B, E] of a batch's windows, in the space of the texts."""
        out: Tensor = self.head(self.tokens(batch), batch.patch_mask, batch.channel_mask)
        return out

    def features(self, batch: Batch) -> Tensor:
        """The text-space vector and the mean token [B, E + D], each of unit length."""
        return self._features(batch)[0]

    def channel_features(self, batch: Batch) -> Tensor:
        """`features`, then the mean token of each channel in order, together of unit length [B, E + D + C D].

        All windows must show the same channels. A few examples teach more by these than by one mean over channels that
        say different things.
        """
        return torch.cat(self._features(batch), dim=-1)

    def _features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        tokens = self.tokens(batch)
        valid = (batch.patch_mask[:, :, None] & batch.channel_mask[:, None, :])[..., None].to(tokens.dtype)
        by_channel = (tokens * valid).sum(1)
        mean = _centred(by_channel.sum(1) / valid.sum((1, 2)))
        vector = self.head(tokens, batch.patch_mask, batch.channel_mask)
        each = _centred((by_channel / valid.sum(1).clamp(min=1)).flatten(1))
        return torch.cat([vector, mean.float()], dim=-1), each.float()

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


def _unless_full(mask: Tensor) -> Tensor | None:
    # Attention without a mask is quicker. On a GPU asking would wait for it, so there the mask always goes along.
    return None if mask.device.type == "cpu" and bool(mask.all()) else mask
