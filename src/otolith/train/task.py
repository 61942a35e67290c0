"""A stage of training, as the engine sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, ClassVar

from torch import Tensor, nn

from otolith.models.saved import Saved
from otolith.train.sources import Sources, lineage

SCORE = "macro_f1"
"""The metric that chooses the best checkpoint: on held-out subjects, never the loss on seen labels."""


class Task(ABC):
    """One stage: which weights are trained, by which loss, judged how.

    Args:
        model: What users will load.
        module: The model and what else has weights or buffers in training; its `forward` turns a batch into losses,
            of which `loss` is trained on.
        sources: The data.
        loader: The dataclass that says what a window is.
        parent: Description of the checkpoint that training began from, its `history` included.
    """

    stage: ClassVar[str]

    def __init__(
        self,
        model: Saved,
        module: nn.Module,
        sources: Sources,
        loader: Any,
        parent: dict[str, Any] | None = None,
    ) -> None:
        self.saved, self.module, self.sources, self.loader, self.parent = model, module, sources, loader, parent

    @abstractmethod
    def evaluate(self) -> dict[str, float]:
        """Metrics on held-out subjects; `macro_f1` chooses the best checkpoint, without it the latest is the best."""

    def tensors(self) -> dict[str, Tensor]:
        """Tensors of the checkpoint that users load."""
        return self.saved.checkpoint_tensors()

    def meta(self) -> dict[str, Any]:
        """Its description."""
        return {
            **self.saved.checkpoint_meta(),
            "stage": self.stage,
            "labels": self.sources.labels,
            "loader": asdict(self.loader),
            "data": self.sources.describe(),
            "history": lineage(self.parent, self.sources),
            "parent": self.parent,
        }
