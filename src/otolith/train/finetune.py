"""Fine-tuning: a network, or the encoder, with a head over classes learns from labels; anew or from a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from otolith.data.segments import Segments
from otolith.models.classifier import EncoderClassifier, NetworkClassifier
from otolith.models.model import Otolith
from otolith.models.networks import NETWORKS
from otolith.models.registry import ENCODERS, load_model
from otolith.models.saved import Saved
from otolith.objectives.distillation import hard_answers
from otolith.train.engine import begin, run_stage
from otolith.train.sources import Sources, check_chain, split_sources
from otolith.train.supervised import (
    LabelObjective,
    SegmentRun,
    SegmentTask,
    as_seen_by,
    check_whole_windows,
    mix,
    normalise,
    shares,
)
from otolith.types import CheckpointError, ConfigError, SegmentBatch

Classifier = NetworkClassifier | EncoderClassifier


@dataclass(frozen=True)
class FineTuneConfig(SegmentRun):
    """Everything that defines a fine-tuning run."""

    network: str = "otolith-small"
    """A size of the encoder (`otolith-tiny`, `otolith-small`, `otolith-base`) or one of `NETWORKS`."""
    parent: str = ""
    """Checkpoint that it begins with: of `pretrain` or `align` for the encoder, of `reconstruct` for a network; empty
    begins anew."""
    freeze: bool = False
    """Learn the head, and what reads the encoder's output, alone."""
    patch_seconds: float = 0.5
    """Duration of the encoder's patches."""
    upright: bool = False
    """Whether the encoder sees channels along gravity and across it; beginning with a checkpoint, what that one saw."""
    objective: LabelObjective = field(default_factory=LabelObjective)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in (*ENCODERS, *NETWORKS):
            raise ConfigError(f"there is no network '{self.network}': use {', '.join((*ENCODERS, *NETWORKS))}")
        if self.network in NETWORKS:
            check_whole_windows(self.segments, self.network)


class FineTuneModule(nn.Module):
    """The classifier; `forward` gives the loss."""

    def __init__(self, model: Classifier, objective: LabelObjective, labels: int, *, freeze: bool) -> None:
        super().__init__()
        self.model, self.objective, self.labels, self.freeze = model, objective, labels, freeze
        if freeze:
            model.trunk.requires_grad_(False)

    def train(self, mode: bool = True) -> FineTuneModule:
        """As `nn.Module.train`; a frozen network stays in eval mode."""
        super().train(mode)
        if self.freeze:
            self.model.trunk.eval()
        return self

    def forward(self, batch: SegmentBatch) -> dict[str, Tensor]:
        """Cross-entropy of a batch, part of it mixed."""
        assert batch.label is not None and self.model.head is not None
        target = shares(batch.label, self.labels)
        batch, target = mix(batch, target, self.objective.mixup, self.objective.mixup_probability)
        return {"loss": hard_answers(self.model.head(self.model.see(batch).feature), target, self.objective.smoothing)}


class FineTuneTask(SegmentTask):
    """Fine-tuning for the engine."""

    stage = "finetune"


def finetune(config: FineTuneConfig, folder: Path, *, resume: bool = False) -> Path:
    """Trains a classifier.

    Args:
        config: The run.
        folder: Its folder.
        resume: Continue the run that is there.

    Returns:
        The best checkpoint.

    Raises:
        CheckpointError: The parent is of another kind or size.
        ConfigError: No training segment has a label.
        LeakError: The parent learnt from somebody who is held out here.
    """
    fabric, run = begin(config, folder, resume=resume)
    parent = load_model(config.parent) if config.parent else None
    sources = split_sources(config.data, config.segments.index)
    if not sources.labels:
        raise ConfigError("no training segment has a label: fine-tuning learns from labels")
    parents = [] if parent is None else [parent.parentage(config.parent)]
    for about in parents:
        check_chain(about["history"], sources)
    model, segments = _prepare(config, sources, parent)
    module = FineTuneModule(model, config.objective, len(sources.labels), freeze=config.freeze)
    task = FineTuneTask(model, module, sources, config, parents)
    return run_stage(task, segments, config, run, fabric)


def _prepare(config: FineTuneConfig, sources: Sources, parent: Saved | None) -> tuple[Classifier, Segments]:
    """The model at its start, and what it trains on."""
    labelled = [index.labelled(sources.labels) for index in sources.train]
    count = len(sources.labels)
    training: dict[str, Any] = {"labels": sources.labels, "augment": config.augment}
    model: Classifier
    if config.network in ENCODERS:
        begun = parent if isinstance(parent, Otolith | EncoderClassifier) else None
        upright, texts = (begun.upright, begun.texts) if begun else (config.upright, None)
        model = EncoderClassifier(ENCODERS[config.network], count, config.patch_seconds, upright, texts=texts)
        segments = as_seen_by(model, labelled, config.segments, **training)
    else:
        segments = Segments(labelled, config.segments, **training)
        model = NetworkClassifier(config.network, len(segments.channels), config.segments.samples, count)
        normalise(model, segments)
    if parent is not None:
        _begin_with(model, parent, config.parent)
    return model, segments


def _begin_with(model: Classifier, parent: Saved, file: str) -> None:
    """Takes over the parent's network, heads excluded.

    Raises:
        CheckpointError: It is another network, or of another size.
    """
    weights: Any = None
    if isinstance(model, EncoderClassifier) and isinstance(parent, Otolith | EncoderClassifier):
        weights = parent.encoder.state_dict()
    elif isinstance(model, NetworkClassifier) and isinstance(parent, NetworkClassifier):
        weights = parent.trunk.state_dict() if parent.network == model.network else None
    try:
        if weights is None:
            raise RuntimeError("it is another network")
        model.trunk.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{file} cannot begin '{model.kind}': {str(error).splitlines()[0]}") from error
