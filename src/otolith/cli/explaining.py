"""`otolith explain`: what a model's answers rest on, and how far each explanation can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otolith.cli.recognition import Model
from otolith.types import ConfigError, DataError, LeakError

if TYPE_CHECKING:
    from otolith.data.segments import SegmentConfig
    from otolith.data.windows import WindowIndex
    from otolith.evaluate.results import Provenance, Row
    from otolith.explain.question import Vocabulary
    from otolith.explain.run import Settings
    from otolith.explain.similarity import Look
    from otolith.models.saved import Saved


def explain(
    model: Model,
    data: Annotated[Path, typer.Option("--data", "-d", help="Converted dataset.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for figures, arrays and faithfulness.csv.")],
    method: Annotated[
        list[str] | None, typer.Option("--method", help="ig, rollout or occlusion; several times; all by default.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="What a signal is held against: mean (of the training people), zero or blurred.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many segments, evenly spread; all by default.")] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Teacher's checkpoint: does the student look where it looks?")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Of a student of words: activities to tell apart, separated by commas.")
    ] = None,
    draw: Annotated[int, typer.Option(help="Segments whose maps are drawn, evenly spread.")] = 4,
    results: Annotated[
        Path | None, typer.Option(help="Results CSV to add to, in place of faithfulness.csv in the folder.")
    ] = None,
    seen: Annotated[
        bool, typer.Option("--seen", help="Explain everybody, also people whom the model has seen; results say so.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of random orders and random weights.")] = 0,
) -> None:
    """Explain a model's answers for people whom it has not seen, and test the explanations."""
    from otolith.data.store import Dataset
    from otolith.evaluate.explanation_rows import summary
    from otolith.evaluate.results import ResultsFile
    from otolith.explain.question import Vocabulary
    from otolith.models.registry import load_model

    _check(output, limit, draw)
    loaded, dataset = load_model(model), Dataset.open(data)
    other = load_model(teacher) if teacher else None
    vocabulary = Vocabulary.of(loaded, labels.split(",") if labels else ())
    settings = choose(loaded, other, method or [], baseline, seed)
    index = _at_most(judged(segments_of(loaded).index(dataset), loaded.meta, seen=seen), limit)
    task = Task(loaded, other, index, vocabulary, settings, seen)
    file = ResultsFile(results or output / "faithfulness.csv")
    known = file.of(task.provenance())
    rows, figures = task.run(output, draw)
    if not known:
        file.append(rows)
    typer.echo(summary(rows))
    note = " holds these rows already; nothing was added" if known else f": {len(rows)} rows"
    typer.echo(f"{len(index)} segments, {figures} figures in {output}; {file.path}{note}")


@dataclass(frozen=True)
class Task:
    """What is to be explained.

    Attributes:
        model: Whose answers.
        teacher: Whose attention the model's is compared with.
        index: Which segments.
        vocabulary: What may be answered.
        settings: How.
        seen: Whether people whom the model has seen may be among them.
    """

    model: Saved
    teacher: Saved | None
    index: WindowIndex
    vocabulary: Vocabulary
    settings: Settings
    seen: bool

    def provenance(self) -> Provenance:
        """What the numbers depend on."""
        from otolith.evaluate.results import Provenance

        identity = {
            "weights": self.model.fingerprint(), "teacher": self.teacher.fingerprint() if self.teacher else "",
            "limit": len(self.index), "seen": self.seen, "labels": self.vocabulary.labels, **vars(self.settings),
        }  # fmt: skip
        return Provenance.collect(identity, [self.index.dataset.sha256])

    def run(self, output: Path, draw: int) -> tuple[list[Row], int]:
        """Explains, writes figures and arrays; the rows, and how many figures."""
        from rich.console import Console

        from otolith.evaluate.explanation_files import write
        from otolith.evaluate.explanation_rows import measured
        from otolith.explain.run import explain_segments
        from otolith.train.supervised import as_seen_by

        labels = self.vocabulary.labels
        with Console(stderr=True).status("preparing") as status:
            segments = as_seen_by(self.model, [self.index], segments_of(self.model), labels=labels)
            found = explain_segments(self.model, segments, self.vocabulary, self.settings, progress=status.update)
            rows = measured(
                found, labels, self.model, self.index.dataset.name, self.settings.seed, self.provenance(),
                seen=self.seen, looks=self._looks(),
            )  # fmt: skip
            status.update("drawing")
            figures = write(output, found, rows, segments, self.model, labels, self.settings, draw)
        return rows, figures

    def _looks(self) -> tuple[Look, Look] | None:
        """Where student and teacher look in the same segments."""
        from otolith.explain.similarity import looks
        from otolith.train.supervised import as_seen_by

        if self.teacher is None:
            return None
        one, other = (
            looks(model, as_seen_by(model, [self.index], segments_of(model))) for model in (self.model, self.teacher)
        )
        return one, other


def judged(index: WindowIndex, meta: Mapping[str, Any], *, seen: bool) -> WindowIndex:
    """Segments of people who had no part in the model: an explanation of what was learnt by heart flatters it.

    Args:
        index: Of everybody.
        meta: Of the model.
        seen: Whether everybody is wanted all the same.

    Raises:
        LeakError: The model has seen everybody, or was trained on another dataset with the same recordings.
    """
    from otolith.data.leaks import share_recordings
    from otolith.evaluate.study import check_unseen
    from otolith.train.sources import subjects_in

    if seen:
        return index
    dataset, history = index.dataset, meta.get("history") or {}
    twin = next((name for name in history if name != dataset.name and share_recordings(dataset.name, name)), None)
    used = subjects_in(history, dataset.name, dataset.sha256, ("train", "val", "tuned")) or set()
    rest = index.of_subjects(set(index.subject.tolist()) - used)
    if twin or not len(rest):
        how = f"was trained on '{twin}', which holds the recordings of" if twin else "has seen everybody of"
        raise LeakError(
            f"the model {how} '{dataset.name}': explain its answers for other people, or for these with --seen"
        )
    check_unseen(meta, rest)
    return rest


def segments_of(model: Saved) -> SegmentConfig:
    """What a segment is to a model; where its training kept prepared recordings is of no concern here."""
    from dataclasses import replace

    from otolith.config import build
    from otolith.data.segments import SegmentConfig

    config = build(SegmentConfig, dict(model.meta["segments"]))
    return replace(config, prepare=replace(config.prepare, cache=""))


def choose(model: Saved, teacher: Saved | None, methods: list[str], baseline: str | None, seed: int) -> Settings:
    """Methods and baseline: those that are wanted, else all that the model can have.

    Raises:
        ConfigError: Something is wanted that does not exist or that the model cannot have.
    """
    from otolith.explain.baselines import BASELINES
    from otolith.explain.methods import METHODS, applicable
    from otolith.explain.run import Settings
    from otolith.models.classifier import EncoderClassifier
    from otolith.models.pupil import Student, TeacherModel, TextStudent

    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise ConfigError(f"--method must be one of {', '.join(METHODS)}, not '{unknown[0]}'")
    cannot = [name for name in methods if name not in applicable(model)]
    if cannot:
        raise ConfigError(
            f"--method {cannot[0]} needs the attention of a student, a teacher or an encoder: use ig or occlusion"
        )
    if baseline is not None and baseline not in BASELINES:
        raise ConfigError(f"--baseline must be one of {', '.join(BASELINES)}, not '{baseline}'")
    if baseline == "mean" and isinstance(model, EncoderClassifier):
        raise ConfigError("--baseline mean: the encoder keeps no mean of its training people: use zero or blurred")
    if teacher is not None and not (isinstance(teacher, TeacherModel) and isinstance(model, Student | TextStudent)):
        raise ConfigError(
            f"--teacher compares a student with a teacher of otolith teach, not '{model.kind}' with '{teacher.kind}'"
        )
    usual = "blurred" if isinstance(model, EncoderClassifier) else "mean"
    return Settings(tuple(dict.fromkeys(methods)) or applicable(model), baseline or usual, seed)


def _at_most(index: WindowIndex, limit: int | None) -> WindowIndex:
    import numpy as np

    if limit is None or limit >= len(index):
        return index
    return index.take(np.linspace(0, len(index) - 1, limit).round().astype(np.int64))


def _check(output: Path, limit: int | None, draw: int) -> None:
    if output.is_file():
        raise DataError(f"--output {output} is a file: name a folder")
    if limit is not None and limit < 1:
        raise ConfigError(f"--limit must be 1 or more, not {limit}")
    if draw < 0:
        raise ConfigError(f"--draw must be 0 or more, not {draw}")
