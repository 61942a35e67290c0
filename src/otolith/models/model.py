"""The model as users hold it: encoder, window head, label bank and the texts that it knows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.models.encoder import Encoder, EncoderConfig
from otolith.models.heads import WindowHead
from otolith.models.io import Checkpoint, load_into, read_checkpoint, write_checkpoint
from otolith.models.label_bank import LabelBank, LabelBankConfig, class_scores
from otolith.models.text_cache import TextCache
from otolith.types import Batch, CheckpointError, ConfigError


class Otolith(nn.Module):
    """Windows of motion and words in one space.

    Attributes:
        encoder: Patches to tokens [B, P, C, D].
        head: Tokens to a unit vector [B, E] in the space of the texts.
        bank: Texts to prototypes in that space.
        texts: Token embeddings of the texts read so far.
        meta: How the model was made and what it expects: `stage`, `labels`, `loader`, `parent`, `threshold`, ...
    """

    def __init__(
        self,
        encoder: EncoderConfig,
        bank: LabelBankConfig | None = None,
        *,
        texts: TextCache | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        bank = bank or LabelBankConfig()
        self.encoder = Encoder(encoder)
        self.head = WindowHead(encoder.dim, encoder.heads, bank.dim)
        self.bank = LabelBank(bank)
        self.texts = texts or TextCache()
        self.meta: dict[str, Any] = dict(meta or {})

    def tokens(self, batch: Batch, *, augmented: bool = False, masked: Tensor | None = None) -> Tensor:
        """Tokens [B, P, C, D] of a batch, or of its augmented view."""
        patches = batch.augmented if augmented else batch.patches
        if patches is None:
            raise ValueError("the batch has no augmented view")
        patch_mask = _unless_full(batch.patch_mask)
        channel_mask = _unless_full(batch.channel_mask)
        out: Tensor = self.encoder(patches, batch.channel_text, batch.patch_seconds, patch_mask, channel_mask, masked)
        return out

    def embed(self, batch: Batch) -> Tensor:
        """Unit vectors [B, E] of a batch's windows, in the space of the texts."""
        out: Tensor = self.head(self.tokens(batch), batch.patch_mask, batch.channel_mask)
        return out

    def features(self, batch: Batch) -> Tensor:
        """What enrolment learns from [B, E + D]: the text-space vector and the mean token, each of unit length."""
        tokens = self.tokens(batch)
        valid = (batch.patch_mask[:, :, None] & batch.channel_mask[:, None, :])[..., None].to(tokens.dtype)
        mean = (tokens * valid).sum((1, 2)) / valid.sum((1, 2))
        mean = F.normalize(mean - mean.mean(-1, keepdim=True), dim=-1)
        return torch.cat([self.head(tokens, batch.patch_mask, batch.channel_mask), mean.float()], dim=-1)

    @torch.no_grad()
    def prototypes(self, sentences: Sequence[Sequence[str]]) -> Tensor:
        """Prototypes [L, K, E] of labels given in words.

        Args:
            sentences: Of each label, the sentences that name it; their embeddings are averaged. Sentences read in
                training need no text encoder.

        Raises:
            MissingExtraError: A sentence is new and the text encoder is not installed.
        """
        owner = torch.tensor([number for number, said in enumerate(sentences) for _ in said])
        tokens, mask = self.texts.tokens([sentence for said in sentences for sentence in said])
        device = self.bank.query.device
        return self.bank.prototypes(tokens.to(device), mask.to(device), owner.to(device), len(sentences))

    def require_words(self) -> None:
        """Says so where this model has not learnt what words mean.

        Raises:
            CheckpointError: It is of stage 1, which sees no words: its answers to them would be chance.
        """
        stage = self.meta.get("stage")
        if stage != "align":
            known = "of stage 1" if stage == "pretrain" else "not aligned"
            raise CheckpointError(f"the model is {known} and has not learnt what words mean: run otolith align first")

    def logits(self, embedding: Tensor, prototypes: Tensor) -> Tensor:
        """Scaled class scores [B, L]; their softmax is the model's belief."""
        return self.bank.scale() * class_scores(embedding, prototypes)

    def checkpoint_meta(self) -> dict[str, Any]:
        """What `save` writes beside the tensors."""
        return {
            **self.meta,
            "model": {"encoder": asdict(self.encoder.config), "bank": asdict(self.bank.config)},
            "texts": self.texts.state()[0],
        }

    def checkpoint_tensors(self) -> dict[str, Tensor]:
        """Weights as `model.*` and the known texts as `texts.*`."""
        weights = {f"model.{k}": v for k, v in self.state_dict().items()}
        return {**weights, **{f"texts.{k}": v for k, v in self.texts.state()[1].items()}}

    def save(self, path: Path | str) -> None:
        """Writes a checkpoint in one step."""
        write_checkpoint(Path(path), self.checkpoint_meta(), self.checkpoint_tensors())

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, where: str) -> Otolith:
        """Builds the model that a checkpoint describes.

        Raises:
            CheckpointError: The description is incomplete or does not fit the tensors.
        """
        meta = {k: v for k, v in checkpoint.meta.items() if k not in ("version", "model", "texts")}
        if "state" in meta:
            raise CheckpointError(f"{where} is what a training run resumes from: use best.safetensors beside it")
        try:
            sizes = checkpoint.meta["model"]
            model = cls(EncoderConfig(**sizes["encoder"]), LabelBankConfig(**sizes["bank"]), meta=meta)
            model.texts.add(checkpoint.meta["texts"], checkpoint.part("texts"))
        except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
            raise CheckpointError(f"{where} does not describe a model that this otolith can build: {error}") from error
        load_into(model, checkpoint.part("model"), where)
        return model.eval()

    @classmethod
    def from_pretrained(cls, name_or_path: Path | str) -> Otolith:
        """Loads a model for use, in eval mode.

        Args:
            name_or_path: A checkpoint file, or a folder that holds `model.safetensors` or, as a run does,
                `best.safetensors`.

        Raises:
            CheckpointError: Not there, damaged, foreign, or of another version.
        """
        return cls.from_checkpoint(read_checkpoint(Path(name_or_path)), str(name_or_path))

    def fingerprint(self) -> str:
        """SHA-256 of the weights, so that a child checkpoint can name its parent."""
        digest = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def _unless_full(mask: Tensor) -> Tensor | None:
    # Attention without a mask is quicker. On a GPU asking would wait for it, so there the mask always goes along.
    return None if mask.device.type == "cpu" and bool(mask.all()) else mask
