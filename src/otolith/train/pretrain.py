"""Stage 1: masked reconstruction and patch-level contrast on unlabelled windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from otolith.data.loader import MaskConfig, Windows
from otolith.models.heads import ProjectionHead, ReconstructionHead
from otolith.models.model import Otolith
from otolith.objectives.contrastive import patch_infonce
from otolith.objectives.masked import masked_reconstruction
from otolith.train.engine import StageConfig, begin, run_stage
from otolith.train.probe import probe_macro_f1
from otolith.train.sources import Sources, evaluation_windows, open_sources
from otolith.train.task import SCORE, Task
from otolith.types import Batch, ConfigError


@dataclass(frozen=True)
class PretrainObjective:
    """Weights of the two losses."""

    masked_weight: float = 1.0
    """Of the masked reconstruction."""
    contrastive_weight: float = 1.0
    """Of the patch-level InfoNCE."""
    temperature: float = 0.2
    """Of the InfoNCE."""

    def __post_init__(self) -> None:
        weights = (self.masked_weight, self.contrastive_weight)
        if min(weights) < 0 or sum(weights) == 0 or self.temperature <= 0:
            raise ConfigError("objective: weights must not be negative nor both zero, and the temperature positive")


@dataclass(frozen=True)
class PretrainConfig(StageConfig):
    """Everything that defines a stage-1 run."""

    mask: MaskConfig = field(default_factory=MaskConfig)
    objective: PretrainObjective = field(default_factory=PretrainObjective)


class PretrainModule(nn.Module):
    """The model with the two heads of stage 1; `forward` gives the losses."""

    def __init__(self, model: Otolith, objective: PretrainObjective, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.objective, self.names = model, objective, list(names)
        dim = model.encoder.config.dim
        self.reconstruction = ReconstructionHead(dim)
        self.projection = ProjectionHead(dim)
        unused: list[nn.Module] = [model.head, model.bank]
        if not objective.contrastive_weight:
            unused.append(self.projection)
        for part in unused:
            part.requires_grad_(False)  # data-parallel training waits for the gradient of every other weight

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of a batch with masks and an augmented view: `loss`, its parts, the masked loss of each dataset."""
        assert batch.masked is not None and batch.dataset is not None
        tokens, *augmented = self._tokens(batch, batch.masked)
        prediction = self.reconstruction(tokens)
        masked = masked_reconstruction(prediction, batch.patches, batch.masked)
        losses = {"masked": masked}
        total = self.objective.masked_weight * masked
        if augmented:
            losses["contrastive"] = self._contrast(batch, batch.masked, tokens, augmented[0])
            total = total + self.objective.contrastive_weight * losses["contrastive"]
        with torch.no_grad():
            for number in batch.dataset.unique().tolist():
                rows = batch.dataset == number
                losses[f"masked/{self.names[number]}"] = masked_reconstruction(
                    prediction[rows], batch.patches[rows], batch.masked[rows]
                )
        return {"loss": total, **losses}

    def _tokens(self, batch: Batch, masked: Tensor) -> tuple[Tensor, ...]:
        """Tokens of the masked view and, for the contrast, of the augmented one: one pass over both is quicker."""
        if not self.objective.contrastive_weight:
            return (self.model.tokens(batch, masked=masked),)
        assert batch.augmented is not None
        both = Batch(
            patches=torch.cat([batch.patches, batch.augmented]),
            patch_mask=batch.patch_mask.repeat(2, 1),
            channel_mask=batch.channel_mask.repeat(2, 1),
            channel_text=batch.channel_text.repeat(2, 1, 1),
            patch_seconds=batch.patch_seconds.repeat(2),
        )
        tokens = self.model.tokens(both, masked=torch.cat([masked, torch.zeros_like(masked)]))
        return tokens.chunk(2)

    def _contrast(self, batch: Batch, masked: Tensor, tokens: Tensor, augmented: Tensor) -> Tensor:
        """The masked view against the augmented one; a patch hidden in all channels is no anchor."""
        seen = (~masked & batch.channel_mask[:, None]).any(2) & batch.patch_mask
        a, b = (self.projection(view, batch.channel_mask) for view in (tokens, augmented))
        return patch_infonce(a, b, seen, self.objective.temperature)


class PretrainTask(Task):
    """Stage 1 for the engine; judged by a linear probe on held-out subjects."""

    stage = "pretrain"

    def __init__(self, model: Otolith, config: PretrainConfig, sources: Sources) -> None:
        self.model = model
        super().__init__(model, PretrainModule(model, config.objective, sources.names), sources, config.loader)
        self.reference = evaluation_windows(sources.train, sources, config.loader, limit=1500)
        self.held_out = evaluation_windows(sources.val, sources, config.loader, limit=1500)

    def evaluate(self) -> dict[str, float]:
        """Macro-F1 of a ridge probe fitted on training subjects' frozen features, on validation subjects."""
        score = probe_macro_f1(self.model, self.reference, self.held_out, self.sources.labels)
        return {} if score is None else {SCORE: score}


def pretrain(config: PretrainConfig, folder: Path, *, resume: bool = False) -> Path:
    """Runs stage 1.

    Args:
        config: The run.
        folder: Its folder.
        resume: Continue the run that is there.

    Returns:
        The best checkpoint.
    """
    fabric, run = begin(config, folder, resume=resume)
    model = Otolith(config.model)
    sources = open_sources(config.data, config.loader, model.texts)
    task = PretrainTask(model, config, sources)
    windows = Windows(sources.train, sources.text, config.loader, augment=config.augment, views=True, mask=config.mask)
    return run_stage(task, windows, config, run, fabric)
