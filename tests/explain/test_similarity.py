from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from otolith.data.segments import Segments
from otolith.data.windows import WindowIndex
from otolith.explain.question import Question, Vocabulary
from otolith.explain.similarity import Look, look, looks, mismatched, similarity
from otolith.models.classifier import NetworkClassifier
from otolith.train.supervised import as_seen_by
from otolith.types import CheckpointError


def looking(*weights: list[float]) -> Look:
    values = torch.tensor(weights)
    centre = ((torch.arange(values.shape[1]) + 0.5) / values.shape[1]).expand_as(values)
    return Look(values, values, centre, torch.ones_like(values, dtype=torch.bool))


@pytest.mark.parametrize("rolled", [True, False])
def test_alike_apart_and_between(rolled: bool) -> None:
    one = looking([0.5, 0.5, 0, 0], [1.0, 0, 0, 0], [1.0, 0, 0, 0])
    other = looking([0.2, 0.2, 0, 0], [0, 0, 1.0, 0], [0.6, 0.8, 0, 0])
    torch.testing.assert_close(similarity(one, other, rolled=rolled), torch.tensor([1.0, 0.0, 0.6]))


def test_tokens_are_matched_in_time_whatever_their_number() -> None:
    torch.testing.assert_close(
        similarity(looking([0.5, 0.5, 0, 0]), looking([1.0, 0.0]), rolled=False), torch.tensor([1.0])
    )


def test_the_control_pairs_each_segment_with_another_class() -> None:
    target = torch.tensor([0, 1, 1, 2, 0, 2])
    moved = mismatched(looking(*[[float(t), 1.0] for t in target]), target)
    assert (moved.last[:, 0] != target).all()
    assert sorted(moved.last[:, 0].tolist()) == sorted(target.tolist())


def test_a_student_and_its_teacher(student: Any, teacher: Any, segments: Segments, unseen: WindowIndex) -> None:
    one = looks(student, segments)
    other = looks(teacher, as_seen_by(teacher, [unseen], segments.config))
    for rolled in (True, False):
        alike = similarity(one, other, rolled=rolled)
        assert alike.shape == (len(unseen),) and ((alike >= 0) & (alike <= 1 + 1e-6)).all()
        assert similarity(one, one, rolled=rolled).min() > 0.999 > alike.mean()


def test_a_model_without_a_class_token_is_refused(question: Question, target: Tensor) -> None:
    model = NetworkClassifier("cnn", 6, 60, 2, meta={"labels": ["a", "b"]})
    with pytest.raises(CheckpointError, match="'network' has no class token"):
        look(Question(model, question.batch, Vocabulary.of(model)))
