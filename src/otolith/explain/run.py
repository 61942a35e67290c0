"""Explains the segments of people, and measures how far each explanation can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from otolith.data.loader import Request
from otolith.data.segments import Segments
from otolith.explain.baselines import baseline
from otolith.explain.faithfulness import Curves, curves
from otolith.explain.methods import Explanation, explain
from otolith.explain.question import Question, Vocabulary, joined, of_target
from otolith.explain.randomisation import cascade, rank_correlation

_BATCH = 64
_CHECKED = 54
"""Segments, evenly spread, whose maps are made again with random weights."""


@dataclass(frozen=True)
class Settings:
    """How segments are explained."""

    methods: tuple[str, ...]
    """Names in `METHODS`."""
    baseline: str = "mean"
    """One of `BASELINES`."""
    seed: int = 0
    """Of random orders and random weights."""


@dataclass(frozen=True)
class Found:
    """What one method gave for N segments.

    Attributes:
        explanation: Of all segments.
        curves: Deletion and insertion.
        correlation: Of each part, from the answer to the input, once it and all before it are randomised: Spearman's
            correlation with the map of the trained model, of the values and of their sizes, [M] each.
    """

    explanation: Explanation
    curves: Curves
    correlation: dict[str, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Explained:
    """N explained segments.

    Attributes:
        signal: [N, P, S, C] in reference units.
        mask: [N, P], True where there is a patch.
        time: [N, P, S] seconds within the segment.
        target: [N] the class that is explained: the model's own answer.
        belief: [N] its probability.
        found: By method.
    """

    signal: Tensor
    mask: Tensor
    time: Tensor
    target: Tensor
    belief: Tensor
    found: dict[str, Found] = field(default_factory=dict)


def explain_segments(
    model: Any,
    segments: Segments,
    vocabulary: Vocabulary,
    settings: Settings,
    progress: Callable[[str], None] = lambda _: None,
) -> Explained:
    """Explains every segment by every method. The model's own answer is the target, chosen once for all methods.

    Args:
        model: In eval mode, on the CPU.
        segments: As the model sees them.
        vocabulary: What it may answer.
        settings: Methods, baseline, seed.
        progress: Is told in a word what is being done.

    Errors as in `explain` and `baseline`.
    """
    asked = [_ask(model, segments, vocabulary, rows) for _, rows in segments.batches(_BATCH)]
    answers = [_answer(question) for question in asked]
    targets = [answer.argmax(1) for answer in answers]
    bases = [baseline(question, settings.baseline) for question in asked]
    seconds = torch.from_numpy(segments.seconds).float().split(_BATCH)
    out = Explained(
        joined([question.signal for question in asked]),
        joined([question.mask for question in asked]),
        joined([q.times(s) for q, s in zip(asked, seconds, strict=True)]),
        torch.cat(targets),
        torch.cat([of_target(a.softmax(-1), t) for a, t in zip(answers, targets, strict=True)]),
    )
    for method in settings.methods:
        made, judged = [], []
        for number, given in enumerate(zip(asked, targets, bases, strict=True)):
            progress(f"{method} {number * _BATCH} of {len(segments)}")
            made.append(explain(method, *given))
            judged.append(curves(*given, made[-1].score, seed=settings.seed + number))
        progress(f"{method}: random weights")
        correlation = _randomised(method, model, segments, vocabulary, settings)
        out.found[method] = Found(_joined(made), _joined_curves(judged), correlation)
    return out


def _ask(model: Any, segments: Segments, vocabulary: Vocabulary, rows: np.ndarray[Any, Any]) -> Question:
    return Question(model, segments[Request(rows, (0, 0, 0))], vocabulary)


@torch.no_grad()
def _answer(question: Question) -> Tensor:
    return question(question.signal)


def _randomised(
    method: str, model: Any, segments: Segments, vocabulary: Vocabulary, settings: Settings
) -> dict[str, tuple[Tensor, Tensor]]:
    rows = np.unique(np.linspace(0, len(segments) - 1, _CHECKED).astype(np.int64))
    question = _ask(model, segments, vocabulary, rows)
    target, base = _answer(question).argmax(1), baseline(question, settings.baseline)
    trained = explain(method, question, target, base)
    found = {}
    for name, other in cascade(model, settings.seed):
        random = explain(method, Question(other, question.batch, vocabulary), target, base)
        # Where a map only repeats its blocks, repeats would pass for agreement.
        one, two = (x.map if method == "ig" else x.score for x in (trained, random))
        sizes = rank_correlation(one.abs(), two.abs(), question.mask)
        found[name] = (rank_correlation(one, two, question.mask), sizes)
    return found


def _joined(parts: Sequence[Explanation]) -> Explanation:
    details = {name: joined([part.details[name] for part in parts]) for name in parts[0].details}
    return Explanation(joined([part.score for part in parts]), joined([part.map for part in parts]), details)


def _joined_curves(parts: Sequence[Curves]) -> Curves:
    return Curves(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Curves)))
