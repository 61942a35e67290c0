"""What every model can do: be saved with its description and loaded again; and, if it knows words, be asked in them."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from otolith.models.io import Checkpoint, load_into, read_checkpoint, write_checkpoint
from otolith.models.label_bank import LabelBank, LabelBankConfig, class_scores
from otolith.models.text_cache import TextCache
from otolith.types import Batch, CheckpointError, ConfigError


class Saved(nn.Module):
    """A model that is one safetensors file.

    Attributes:
        kind: The key of its sizes in the description of a checkpoint.
        meta: How the model was made and what it expects: `stage`, `labels`, `loader`, `parent`, `history`, ...
    """

    kind: ClassVar[str]

    def __init__(self, meta: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.meta: dict[str, Any] = dict(meta or {})

    @abstractmethod
    def sizes(self) -> dict[str, Any]:
        """What `of_sizes` needs to build the same model again, as plain values."""

    @classmethod
    @abstractmethod
    def of_sizes(cls, sizes: Mapping[str, Any]) -> Self:
        """A model at random initialisation."""

    def checkpoint_meta(self) -> dict[str, Any]:
        """What `save` writes beside the tensors."""
        return {**self.meta, "model": self.sizes()}

    def checkpoint_tensors(self) -> dict[str, Tensor]:
        """Weights, as `model.*`."""
        return {f"model.{k}": v for k, v in self.state_dict().items()}

    def save(self, path: Path | str) -> None:
        """Writes a checkpoint in one step."""
        write_checkpoint(Path(path), self.checkpoint_meta(), self.checkpoint_tensors())

    def restore(self, checkpoint: Checkpoint) -> None:
        """Takes over what a checkpoint has beside weights and sizes."""

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, where: str) -> Self:
        """Builds the model that a checkpoint describes, in eval mode.

        Raises:
            CheckpointError: The description is incomplete or does not fit the tensors.
        """
        meta = {k: v for k, v in checkpoint.meta.items() if k not in ("version", "model", "texts")}
        if "state" in meta:
            raise CheckpointError(f"{where} is what a training run resumes from: use best.safetensors beside it")
        try:
            sizes = checkpoint.meta["model"]
            if sizes and cls.kind not in sizes:
                raise CheckpointError(f"{where} holds another kind of model ({', '.join(sizes)}), not {cls.__name__}")
            model = cls.of_sizes(sizes)
            model.meta = meta
            model.restore(checkpoint)
        except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
            raise CheckpointError(f"{where} does not describe a model that this otolith can build: {error}") from error
        load_into(model, checkpoint.part("model"), where)
        return model.eval()

    @classmethod
    def from_pretrained(cls, name_or_path: Path | str) -> Self:
        """Loads a model for use, in eval mode.

        Args:
            name_or_path: A checkpoint file; a folder that holds `model.safetensors` or, as a run does,
                `best.safetensors`; weights that come with the package (`otolith-small`, offline); or a model of the
                Hugging Face hub (`owner/name`, with the extra `hub`).

        Raises:
            CheckpointError: Not there, damaged, foreign, of another version, or of another kind.
            MissingExtraError: It could be a model of the hub, and the extra `hub` is not installed.
        """
        return cls.from_checkpoint(read_checkpoint(Path(name_or_path)), str(name_or_path))

    def untrained(self) -> Self:
        """The same architecture at random initialisation, in eval mode: a control."""
        return self.of_sizes(self.sizes()).eval()

    def fingerprint(self) -> str:
        """SHA-256 of the weights, so that a child checkpoint can name its parent."""
        digest = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def parentage(self, file: Path | str) -> dict[str, Any]:
        """What a child's checkpoint says of this model, its whole history included."""
        return {
            "file": Path(file).name,
            "weights_sha256": self.fingerprint(),
            "history": self.meta.get("history", {}),
            "stage": self.meta.get("stage"),
        }


class Reader(Saved):
    """A model that reads texts, and is saved with those that it has read.

    Attributes:
        texts: Their token embeddings.
    """

    def __init__(self, texts: TextCache | None, meta: Mapping[str, Any] | None) -> None:
        super().__init__(meta)
        self.texts = texts or TextCache()

    def checkpoint_meta(self) -> dict[str, Any]:
        """What `save` writes beside the tensors."""
        return {**super().checkpoint_meta(), "texts": self.texts.state()[0]}

    def checkpoint_tensors(self) -> dict[str, Tensor]:
        """Weights as `model.*` and the known texts as `texts.*`."""
        return {**super().checkpoint_tensors(), **{f"texts.{k}": v for k, v in self.texts.state()[1].items()}}

    def restore(self, checkpoint: Checkpoint) -> None:
        """Takes over the known texts."""
        self.texts.add(checkpoint.meta["texts"], checkpoint.part("texts"))

    def untrained(self) -> Self:
        """The same architecture at random initialisation that knows the same texts, in eval mode: a control."""
        model = super().untrained()
        model.texts = self.texts
        return model


class TextModel(Reader):
    """A model whose windows and words lie in one space.

    Attributes:
        reads_channels: Whether it reads what a channel is in words.
        bank: Texts to prototypes in that space.
    """

    reads_channels: ClassVar[bool] = True

    def __init__(self, bank: LabelBankConfig, texts: TextCache | None, meta: Mapping[str, Any] | None) -> None:
        super().__init__(texts, meta)
        self.bank = LabelBank(bank)

    @abstractmethod
    def embed(self, batch: Batch) -> Tensor:
        """Unit vectors [B, E] of a batch's windows, in the space of the texts."""

    @abstractmethod
    def features(self, batch: Batch) -> Tensor:
        """Windows of any channels as vectors [B, E + D]: the text-space vector and a feature, each of unit length."""

    def channel_features(self, batch: Batch) -> Tensor:
        """What enrolment learns from [B, F]: `features`; of a model that tells channels apart, one of each as well."""
        return self.features(batch)

    @property
    def upright(self) -> bool:
        """Whether it was trained to see channels along gravity and across it."""
        return bool(self.meta.get("loader", {}).get("upright", False))

    @abstractmethod
    def answering(self) -> nn.ModuleList:
        """The parts that embed a window; on a device the bank gives way to the prototypes of the wanted words."""

    @torch.no_grad()
    def pooled(self, texts: Sequence[str]) -> Tensor:
        """What this model's label bank takes from the tokens of each text, [N, E]; errors as in `prototypes`."""
        return self.bank.pool(*(tensor.to(self.bank.query.device) for tensor in self.texts.tokens(texts)))

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
        if stage not in ("align", "distil"):
            known = "of stage 1" if stage == "pretrain" else "not aligned"
            raise CheckpointError(f"the model is {known} and has not learnt what words mean: run otolith align first")

    def logits(self, embedding: Tensor, prototypes: Tensor) -> Tensor:
        """Scaled class scores [B, L]; their softmax is the model's belief."""
        return self.bank.scale() * class_scores(embedding, prototypes)
