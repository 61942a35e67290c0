"""Token embeddings of every text that a model has read, so that it can be used again without the text encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from otolith.models.text import SentenceEncoder


class TextCache:
    """Texts and their token embeddings; unknown texts are encoded on first use.

    Embeddings are kept as float16, so a text reads the same whether encoded now or loaded from a checkpoint. In a
    release (`keep`) a text is one vector in the place of its tokens: the pooling of one token is that token.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, Tensor] = {}
        self._encoder: SentenceEncoder | None = None

    def __contains__(self, text: str) -> bool:
        return text in self._tokens

    @property
    def known(self) -> list[str]:
        """Every text that needs no text encoder, sorted."""
        return sorted(self._tokens)

    def keep(self, texts: Sequence[str], vectors: Tensor) -> None:
        """Takes one vector [N, 384] in the place of the tokens of each text."""
        self._tokens.update((text, vector[None].half()) for text, vector in zip(texts, vectors, strict=True))

    def tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token embeddings of `texts`.

        Returns:
            float32 [N, L, 384] padded with zeros, and bool [N, L], True where valid.

        Raises:
            MissingExtraError: A text is new and the text encoder is not installed.
        """
        self._encode([t for t in dict.fromkeys(texts) if t not in self._tokens])
        found = [self._tokens[t].float() for t in texts]
        length = max(len(t) for t in found)
        mask = torch.stack([torch.arange(length) < len(t) for t in found])
        return torch.nn.utils.rnn.pad_sequence(found, batch_first=True), mask

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Unit sentence embeddings [N, 384]: the mean over a text's tokens."""
        tokens, mask = self.tokens(texts)
        return normalize((tokens * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), dim=-1)

    def table(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """`sentences` as arrays by text, for the loader."""
        if not texts:
            return {}
        return dict(zip(texts, self.sentences(texts).numpy(), strict=True))

    def _encode(self, texts: list[str]) -> None:
        if not texts:
            return
        if self._encoder is None:
            from otolith.models.text import SentenceEncoder

            self._encoder = SentenceEncoder.load()
        tokens, mask = self._encoder.tokens(texts)
        for text, row, valid in zip(texts, tokens, mask, strict=True):
            self._tokens[text] = row[valid].half()

    def state(self) -> tuple[list[str], dict[str, Tensor]]:
        """Texts, and tensors `tokens` [sum of lengths, 384] float16 and `lengths` [texts]."""
        texts = self.known
        if not texts:
            return [], {}
        lengths = torch.tensor([len(self._tokens[t]) for t in texts])
        return texts, {"tokens": torch.cat([self._tokens[t] for t in texts]), "lengths": lengths}

    def add(self, texts: Sequence[str], tensors: dict[str, Tensor]) -> None:
        """Takes over what `state` returned."""
        if texts:
            parts = torch.split(tensors["tokens"], tensors["lengths"].tolist())
            self._tokens.update(zip(texts, parts, strict=True))
