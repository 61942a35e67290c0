"""What a bench measures: a model, or a network of the field, on each backend, with real segments to answer."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors.torch
from numpy.typing import NDArray
from torch import nn

from otolith.data.loader import references
from otolith.data.segments import SegmentConfig, Segments
from otolith.data.store import Dataset
from otolith.export.backends import BACKENDS, PYTORCH, Answer, Feed, open_file, open_module, parts
from otolith.export.certify import Job, export
from otolith.export.graph import example
from otolith.export.material import Floats
from otolith.export.memory import Ask
from otolith.export.metadata import Contract
from otolith.export.modules import REFERENCES, Recipe, WindowClassifier, reference, reference_windows
from otolith.export.onnx import write_onnx
from otolith.export.parity import Limits
from otolith.models.cost import flops, parameters
from otolith.types import DataError

SEGMENTS = 64
"""That each candidate answers in turn, one at a time or, for the throughput, as one batch."""

_ANY = Limits(None, 0.0)
"""A bench measures every file whose outputs are numbers, and says how often it agrees with PyTorch."""


@dataclass(frozen=True)
class Candidate:
    """One model on one backend.

    Attributes:
        model: Its name.
        backend: One of `BACKENDS`.
        answer: The open model.
        feeds: Segments, one at a time.
        batch: The same as one batch.
        ask: How a process of its own opens it.
        size_mb: Of its file [10^6 bytes]; in PyTorch of its weights and statistics as safetensors.
        parameters: Of the graph.
        mflops: Of one segment.
        agreement: Share of segments with the same label as PyTorch; None in PyTorch itself.
        samples: W.
        channels: C.
    """

    model: str
    backend: str
    answer: Answer
    feeds: tuple[Feed, ...]
    batch: Feed
    ask: Ask
    size_mb: float
    parameters: int
    mflops: float
    agreement: float | None
    samples: int
    channels: int

    @property
    def calls(self) -> list[Callable[[], object]]:
        """One call a segment."""
        return [lambda feed=feed: self.answer(feed) for feed in self.feeds]  # type: ignore[misc]

    @property
    def batched(self) -> list[Callable[[], object]]:
        """One call for all segments."""
        return [lambda: self.answer(self.batch)]


@dataclass(frozen=True)
class _Setting:
    """What all candidates of one model share."""

    name: str
    module: nn.Module
    checkpoint: Path
    recipe: Recipe
    contract: Contract
    feeds: tuple[Feed, ...]
    threads: int

    def candidate(self, backend: str, file: Path, agreement: float | None) -> Candidate:
        """The candidate of a backend; in PyTorch `file` is the checkpoint."""
        inside = backend == PYTORCH
        trials = self.contract.window_seconds is None
        samples, channels = self.contract.samples, len(self.contract.channels)
        weights = {name: value.contiguous() for name, value in self.module.state_dict().items()}
        return Candidate(
            model=self.name,
            backend=backend,
            answer=open_module(self.module) if inside else open_file(backend, file, self.threads),
            feeds=self.feeds,
            batch={name: np.concatenate([feed[name] for feed in self.feeds]) for name in self.feeds[0]},
            ask=Ask(backend, file, self.threads, self.feeds, self.recipe if inside else None),
            size_mb=(len(safetensors.torch.save(weights)) if inside else file.stat().st_size) / 1e6,
            parameters=parameters(self.module),
            mflops=flops(self.module, *example(samples, channels, trials=trials)) / 1e6,
            agreement=agreement,
            samples=samples,
            channels=channels,
        )


def of_model(
    name: str, checkpoint: Path, job: Job, config: SegmentConfig, backends: Sequence[str], threads: int, folder: Path
) -> Iterator[Candidate]:
    """A model on the backends, each file written by `otolith.export.certify.export`.

    Args:
        name: What the bench calls it.
        checkpoint: Where it was loaded from.
        job: What is exported, with the segments that are answered.
        config: What a segment is.
        backends: Of `BACKENDS`.
        threads: Of each runtime.
        folder: For the exported files; they must stay until all is measured.

    Raises:
        ParityError: An exported model answers with something that is not a number.
    """
    rows = spread(len(job.judged.signal))
    feeds = tuple(feed for row in rows for feed in job.judged.feeds(range(row, row + 1)))
    setting = _Setting(name, job.graph, checkpoint, Recipe(config, job.contract.channels), job.contract, feeds, threads)
    if PYTORCH in backends:
        yield setting.candidate(PYTORCH, checkpoint, None)
    for form in ("onnx", "litert"):
        precisions = [parts(backend)[1] for backend in BACKENDS if backend in backends and parts(backend)[0] == form]
        for made in export(job, folder / name, form, precisions, dict.fromkeys(precisions, _ANY)) if precisions else ():
            backend = f"{form}-{made.certificate['precision']}"
            yield setting.candidate(backend, made.file, float(made.certificate["agreement"]))


def of_references(
    dataset: Dataset, beside: SegmentConfig, labels: Sequence[str], backends: Sequence[str], threads: int, folder: Path
) -> Iterator[Candidate]:
    """`REFERENCES` in PyTorch and, where that is wanted, through ONNX Runtime in single precision.

    Args:
        dataset: Whose windows of two seconds they answer.
        beside: Of the model that they stand beside: they see the same channels.
        labels: That they tell apart.
        backends: As in `of_model`.
        threads: As in `of_model`.
        folder: As in `of_model`.

    Raises:
        DataError: The dataset has no window of two seconds.
    """
    config = reference_windows(beside.prepare.view)
    index = config.index(dataset)
    if not len(index):
        raise DataError(f"'{dataset.name}' has no window of {config.window_seconds:g} s to measure with")
    segments = Segments([index.take(spread(len(index)))], config)
    signal: Floats = segments.plain() * references(segments.channels)
    feeds: tuple[Feed, ...] = tuple({"signal": signal[row : row + 1]} for row in range(len(signal)))
    for name in REFERENCES:
        model, contract = reference(name, config, segments.channels, tuple(labels), signal)
        checkpoint = folder / name / "random.safetensors"
        checkpoint.parent.mkdir(parents=True)
        model.save(checkpoint)
        module = WindowClassifier(model).eval()
        setting = _Setting(name, module, checkpoint, Recipe(config, segments.channels), contract, feeds, threads)
        plain = setting.candidate(PYTORCH, checkpoint, None)
        yield plain
        if "onnx-fp32" in backends:
            file = folder / name / "fp32.onnx"
            with warnings.catch_warnings(action="ignore"):  # the exporter wonders how an LSTM keeps its weights
                write_onnx(module, contract, file)
            found = setting.candidate("onnx-fp32", file, None)
            yield replace(found, agreement=_agreement(plain, found))


def spread(count: int) -> NDArray[np.int64]:
    """At most `SEGMENTS` rows of so many, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, SEGMENTS).round().astype(np.int64))


def _agreement(plain: Candidate, exported: Candidate) -> float:
    """Share of the segments with the same label."""
    said, again = ([one.answer(feed).argmax() for feed in one.feeds] for one in (plain, exported))
    return float(np.mean(np.equal(said, again)))
