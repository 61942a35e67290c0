"""Distilling a student that sees the sensors alone, from teachers that see more or know more, or from labels only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from otolith.data.labels import sentences
from otolith.data.loader import LoaderConfig, Windows, describe_channels
from otolith.data.segments import SegmentConfig, Segments
from otolith.models.calibration import calibrate
from otolith.models.model import Otolith
from otolith.models.pupil import Student, TeacherModel, TextStudent
from otolith.models.registry import load_model
from otolith.models.saved import Saved
from otolith.models.student import StudentConfig
from otolith.objectives.distillation import attention_transfer, cosine_distance, hard_answers, relational, soft_answers
from otolith.train.engine import begin, run_stage
from otolith.train.probe import embed_windows, macro_f1
from otolith.train.sources import Sources, check_chain, split_sources
from otolith.train.supervised import LabelObjective, SegmentRun, SegmentTask, fitted, mix, normalise, shares
from otolith.train.task import SCORE
from otolith.types import PATCH_SAMPLES, CheckpointError, ConfigError, SegmentBatch


@dataclass(frozen=True)
class DistilObjective(LabelObjective):
    """What the student learns from, and how much of each."""

    temperature: float = 3.0
    """T, by which the answers of student and teacher are softened."""
    alpha: float = 0.7
    """Weight of the teachers' answers; labels have the rest. Without a teacher of classes labels have all."""
    feature: float = 0.0
    """Weight of the relations between features (which segments are alike), from teachers of classes."""
    attention: float = 0.0
    """Weight of looking where the teachers look, tokens matched in time."""
    cosine: float = 1.0
    """Weight of the distance to the vectors of a text-aligned teacher."""
    relational: float = 1.0
    """Weight of the relations between those vectors."""

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = (self.feature, self.attention, self.cosine, self.relational)
        if self.temperature <= 0 or not 0 <= self.alpha <= 1 or min(weights) < 0:
            raise ConfigError("objective: temperature positive, alpha in [0, 1], weights 0 or more")


@dataclass(frozen=True)
class DistilConfig(SegmentRun):
    """Everything that defines a student's run."""

    teachers: tuple[str, ...] = ()
    """Checkpoints of `teach` (their answers are averaged), of `align` (one; the student keeps its space of words), or
    both; none learns from labels alone."""
    parent: str = ""
    """Student whose network training begins with; empty begins anew."""
    model: StudentConfig = field(default_factory=StudentConfig)
    """Size of a new student; what its input looks like follows from `segments`."""
    objective: DistilObjective = field(default_factory=DistilObjective)


class DistilModule(nn.Module):
    """The student, and beside it the teachers, which learn nothing; `forward` gives the losses."""

    def __init__(
        self,
        model: Student | TextStudent,
        objective: DistilObjective,
        labels: int,
        by_class: Sequence[TeacherModel],
        by_words: Otolith | None,
    ) -> None:
        super().__init__()
        self.model, self.objective, self.labels = model, objective, labels
        # Not registered as parts: they are neither trained nor saved, and stay in eval mode.
        self.teachers: tuple[list[TeacherModel], Otolith | None] = (list(by_class), by_words)
        for teacher in (*by_class, *([by_words] if by_words else [])):
            teacher.eval().requires_grad_(False)

    def forward(self, batch: SegmentBatch) -> dict[str, Tensor]:
        """Losses of a batch: `loss` and its parts. Unlabelled segments teach what needs no label."""
        parts: dict[str, Tensor] = {}
        if self.model.head is not None:
            parts |= self._by_class(batch)
        if self.teachers[1] is not None:
            parts |= self._by_words(batch, self.teachers[1])
        weights = self._weights()
        return {"loss": sum((weights[k] * v for k, v in parts.items()), start=torch.zeros(())), **parts}

    def _weights(self) -> dict[str, float]:
        about = self.objective
        alpha = about.alpha if self.teachers[0] else 0.0
        return {
            "labels": 1 - alpha,
            "answers": alpha,
            "feature": about.feature,
            "attention": about.attention,
            "cosine": about.cosine,
            "relational": about.relational,
        }

    def _by_class(self, batch: SegmentBatch) -> dict[str, Tensor]:
        assert batch.label is not None and self.model.head is not None
        about, teachers = self.objective, self.teachers[0]
        target = shares(batch.label, self.labels)
        batch, target = mix(batch, target, about.mixup, about.mixup_probability)
        seen = self.model.see(batch, attention=bool(about.attention and teachers))
        logits = self.model.head(seen.feature)
        labelled = target.sum(1) > 0.999
        parts = {"labels": hard_answers(logits[labelled], target[labelled], about.smoothing)}
        if not teachers:
            return parts
        with torch.no_grad():
            looked = [teacher.see(batch, attention=bool(about.attention)) for teacher in teachers]
            given = [_head(t)(s.feature) for t, s in zip(teachers, looked, strict=True)]
        parts["answers"] = soft_answers(logits, torch.stack(given).mean(0), about.temperature)
        if about.feature:
            parts["feature"] = torch.stack([relational(seen.feature, s.feature) for s in looked]).mean()
        if about.attention:
            assert seen.attention is not None
            time = (batch.centre, batch.patch_mask)
            each = [
                attention_transfer(seen.attention, *time, s.attention, *time) for s in looked if s.attention is not None
            ]
            parts["attention"] = torch.stack(each).mean()
        return parts

    def _by_words(self, batch: SegmentBatch, teacher: Otolith) -> dict[str, Tensor]:
        assert isinstance(self.model, TextStudent) and batch.window is not None
        with torch.no_grad():
            wanted = teacher.embed(batch.window)
        found = self.model.project(self.model.see(batch).feature)
        return {"cosine": cosine_distance(found, wanted), "relational": relational(found, wanted)}


def _head(model: TeacherModel) -> nn.Linear:
    assert model.head is not None
    return model.head


class DistilTask(SegmentTask):
    """The student for the engine: judged by its classes, or, if it has none, by words on held-out people."""

    stage = "distil"

    def __init__(
        self,
        model: Student | TextStudent,
        module: DistilModule,
        sources: Sources,
        config: DistilConfig,
        parents: Sequence[Mapping[str, Any]],
        loader: LoaderConfig | None,
    ) -> None:
        super().__init__(model, module, sources, config, parents)
        self.windows = loader
        if loader is not None and self.held_out is not None:
            indexes = [index.labelled(sources.labels) for index in sources.val]
            self.judged = Windows(indexes, sources.text, loader, labels=sources.labels)

    def evaluate(self) -> dict[str, float]:
        """Macro-F1 on validation subjects: of classes where the student has a head for them, else of words."""
        if not isinstance(self.saved, TextStudent) or self.saved.head is not None or self.held_out is None:
            return super().evaluate()
        model, labels = self.saved, self.sources.labels
        prototypes = model.prototypes([sentences(label) for label in labels])
        embedding = embed_windows(model, self.judged, model.embed)
        logits = model.logits(torch.from_numpy(embedding), prototypes.cpu()).cpu()
        model.meta["calibration"] = calibrate(logits, torch.from_numpy(self.judged.label))
        return {SCORE: macro_f1(self.judged.label, logits.argmax(1).numpy(), range(len(labels)))}

    def meta(self) -> dict[str, Any]:
        """Its description; a student of words says how `Recogniser` makes its windows."""
        about = super().meta()
        return about if self.windows is None else {**about, "loader": asdict(self.windows)}


def distil(config: DistilConfig, folder: Path, *, resume: bool = False) -> Path:
    """Trains a student.

    Args:
        config: The run.
        folder: Its folder.
        resume: Continue the run that is there.

    Returns:
        The best checkpoint.

    Raises:
        CheckpointError: A teacher is of another kind, sees other segments or other classes.
        ConfigError: There is nothing to learn from.
        LeakError: A teacher or the parent learnt from somebody who is held out here.
    """
    fabric, run = begin(config, folder, resume=resume)
    teachers = {file: load_model(file) for file in config.teachers}
    by_class, by_words = _sort(teachers, config)
    begun = {config.parent: load_model(config.parent)} if config.parent else {}
    sources = split_sources(config.data, config.segments.index)
    if not (sources.labels or by_words):
        raise ConfigError("no training segment has a label and no teacher knows words: there is nothing to learn from")
    parents = [model.parentage(file) for file, model in (teachers | begun).items()]
    for parent in parents:
        check_chain(parent["history"], sources)
    loader = None if by_words is None else _loader(config.segments)
    if by_words is not None and loader is not None:
        said = describe_channels(sources.train, loader.view, upright=by_words.upright)
        sources = replace(sources, text=by_words.texts.table(said))
    segments = _segments(config, sources, by_class, by_words)
    model = _student(config, segments, sources.labels, by_class, by_words)
    normalise(model, segments)
    for file, start in begun.items():
        _begin_with(model, start, file)
    for teacher in teachers.values():
        teacher.to(fabric.device)
    module = DistilModule(model, config.objective, len(sources.labels), by_class, by_words)
    task = DistilTask(model, module, sources, config, parents, loader)
    return run_stage(task, segments, config, run, fabric)


def _sort(teachers: Mapping[str, Saved], config: DistilConfig) -> tuple[list[TeacherModel], Otolith | None]:
    """Teachers of classes, and the one of words."""
    by_class: list[TeacherModel] = []
    by_words: Otolith | None = None
    for file, model in teachers.items():
        if isinstance(model, TeacherModel):
            if _cut(model.meta["segments"]) != _cut(json.loads(json.dumps(asdict(config.segments)))):
                raise CheckpointError(
                    f"{file} sees other segments than this student: use the same segments (samples, windows, patches) "
                    "for both"
                )
            by_class.append(model)
        elif isinstance(model, Otolith) and by_words is None:
            model.require_words()
            by_words = model
        else:
            raise CheckpointError(
                f"{file} is no teacher (its kind is '{model.kind}'), or the second one of words: give checkpoints of "
                "otolith teach, and one of otolith align at most"
            )
    return by_class, by_words


def _cut(segments: Mapping[str, Any]) -> dict[str, Any]:
    """What teacher and student must see alike: all but where things are kept."""
    return {**segments, "prepare": {k: v for k, v in segments["prepare"].items() if k != "cache"}}


def _loader(segments: SegmentConfig) -> LoaderConfig:
    """How `Recogniser` makes windows for a student of words: as long as its segments, patches as it was taught."""
    patching = segments.patching
    if segments.whole_trials or patching.dynamic or patching.samples != PATCH_SAMPLES:
        raise ConfigError(
            "a student of words sees windows as its teacher does: set segments.whole_trials false, and "
            f"segments.patching dynamic false, samples {PATCH_SAMPLES}"
        )
    seconds = patching.size / segments.samples * segments.window_seconds
    return LoaderConfig(segments.window_seconds, segments.step_seconds, (seconds,), segments.prepare.view)


def _segments(
    config: DistilConfig, sources: Sources, by_class: Sequence[TeacherModel], by_words: Otolith | None
) -> Segments:
    """What is trained on: everything where a teacher of words needs no label, else what has one."""
    indexes = sources.train if by_words else [index.labelled(sources.labels) for index in sources.train]
    return Segments(
        indexes,
        config.segments,
        labels=sources.labels,
        augment=config.augment,
        skeletons=any(teacher.sees_skeletons for teacher in by_class),
        text=sources.text if by_words else None,
        patch_seconds=float(by_words.meta["loader"]["patch_seconds"][0]) if by_words else 1.0,
        upright=by_words is not None and by_words.upright,
    )


def _student(
    config: DistilConfig,
    segments: Segments,
    labels: Sequence[str],
    by_class: Sequence[TeacherModel],
    by_words: Otolith | None,
) -> Student | TextStudent:
    sizes = fitted(config.model, segments)
    for teacher in by_class:
        if teacher.meta["labels"] != list(labels):
            raise CheckpointError("a teacher tells other classes apart than this student is to: give both the same")
    if by_words is None:
        return Student(sizes, len(labels))
    model = TextStudent(sizes, by_words.bank.config, len(labels) if by_class else 0, texts=by_words.texts)
    model.bank.load_state_dict(by_words.bank.state_dict())
    return model


def _begin_with(model: Student | TextStudent, begun: Saved, file: str) -> None:
    """Takes over a student's network, heads excluded.

    Raises:
        CheckpointError: It is no student, or of another size.
    """
    if not isinstance(begun, Student | TextStudent):
        raise CheckpointError(f"{file} is no student: a run begins with the network of one")
    try:
        model.net.load_state_dict(begun.net.state_dict())
    except RuntimeError as error:
        sentence = f"{file} is a student of another size or input: use the same model and segments"
        raise CheckpointError(sentence) from error
