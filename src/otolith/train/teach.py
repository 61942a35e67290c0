"""Teaching the teacher: a network that sees skeleton and sensors learns the classes from labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from otolith.data.segments import Segments
from otolith.models.pupil import TeacherModel, answers
from otolith.models.teacher import TeacherConfig
from otolith.objectives.distillation import hard_answers
from otolith.train.engine import begin, run_stage
from otolith.train.sources import split_sources
from otolith.train.supervised import LabelObjective, SegmentRun, SegmentTask, fitted, mix, normalise, shares
from otolith.types import ConfigError, SegmentBatch


@dataclass(frozen=True)
class TeachObjective(LabelObjective):
    """Learning from labels with two modalities."""

    hide: float = 0.2
    """Probability that a segment shows one modality alone, so that the teacher leans on neither (Neverova et al. 2016,
    ModDrop, arXiv:1501.00102)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.hide < 1:
            raise ConfigError(f"objective.hide must be in [0, 1), not {self.hide}")


@dataclass(frozen=True)
class TeachConfig(SegmentRun):
    """Everything that defines a teacher's run."""

    model: TeacherConfig = field(default_factory=TeacherConfig)
    """Size; `joints: 0` sees the sensors alone."""
    objective: TeachObjective = field(default_factory=TeachObjective)


class TeachModule(nn.Module):
    """The teacher; `forward` gives the loss."""

    def __init__(self, model: TeacherModel, objective: TeachObjective, labels: int) -> None:
        super().__init__()
        self.model, self.objective, self.labels = model, objective, labels

    def forward(self, batch: SegmentBatch) -> dict[str, Tensor]:
        """Cross-entropy of a batch, part of it mixed, part of it with one modality hidden."""
        assert batch.label is not None
        target = shares(batch.label, self.labels)
        batch, target = mix(batch, target, self.objective.mixup, self.objective.mixup_probability)
        batch = hide_modality(batch, self.objective.hide)
        return {"loss": hard_answers(answers(self.model, batch), target, self.objective.smoothing)}


def hide_modality(batch: SegmentBatch, probability: float) -> SegmentBatch:
    """The batch with the sensors or the skeleton of some segments, drawn evenly, as if it had not been there."""
    if batch.skeleton is None or not probability:
        return batch
    drawn = torch.rand(len(batch), device=batch.patches.device)
    seen = batch.skeleton.flatten(1).isfinite().all(1)  # a segment without a skeleton keeps its sensors
    unseen, unfelt = drawn < probability / 2, (drawn > 1 - probability / 2) & seen
    skeleton = batch.skeleton.masked_fill(unseen[:, None, None, None], float("nan"))
    return replace(batch, skeleton=skeleton, patch_mask=batch.patch_mask & ~unfelt[:, None])


class TeachTask(SegmentTask):
    """The teacher for the engine."""

    stage = "teach"


def teach(config: TeachConfig, folder: Path, *, resume: bool = False) -> Path:
    """Trains a teacher.

    Args:
        config: The run.
        folder: Its folder.
        resume: Continue the run that is there.

    Returns:
        The best checkpoint.

    Raises:
        ConfigError: No training segment has a label.
        DataError: The dataset has no skeleton, and the teacher looks at skeletons.
    """
    fabric, run = begin(config, folder, resume=resume)
    sources = split_sources(config.data, config.segments.index)
    if not sources.labels:
        raise ConfigError("no training segment has a label: a teacher learns from labels")
    skeletons = config.model.joints > 0
    labelled = [index.labelled(sources.labels) for index in sources.train]
    segments = Segments(labelled, config.segments, labels=sources.labels, augment=config.augment, skeletons=skeletons)
    sizes = replace(
        config.model,
        sensors=fitted(config.model.sensors, segments),
        frames=config.segments.prepare.frames,
        joints=segments.joints,
    )
    model = TeacherModel(sizes, len(sources.labels))
    normalise(model, segments)
    module = TeachModule(model, config.objective, len(sources.labels))
    task = TeachTask(model, module, sources, config)
    return run_stage(task, segments, config, run, fabric)
