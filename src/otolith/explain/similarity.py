"""Whether a student looks where its teacher looks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from otolith.data.segments import Segments
from otolith.explain.question import Question, Vocabulary, joined
from otolith.explain.rollout import attention, relevance
from otolith.models.pupil import Student, TeacherModel, TextStudent
from otolith.objectives.distillation import attention_transfer
from otolith.types import CheckpointError


@dataclass(frozen=True)
class Look:
    """How a model spreads its attention over a segment's patches.

    Attributes:
        last: [B, P] of the class token in the last layer.
        rolled: [B, P] rolled out through all layers.
        centre: [B, P] middle of each patch as a share of the segment.
        mask: [B, P], True where there is a patch.
    """

    last: Tensor
    rolled: Tensor
    centre: Tensor
    mask: Tensor


def looks(model: Any, segments: Segments) -> Look:
    """Where a student or a teacher looks in every segment; errors as in `look`."""
    vocabulary = Vocabulary.of(model)
    parts = [look(Question(model, batch, vocabulary)) for batch, _ in segments.batches(64)]
    return Look(*(joined([getattr(part, field.name) for part in parts]) for field in fields(Look)))


@torch.no_grad()
def look(question: Question) -> Look:
    """Where a student or a teacher looks in a batch.

    Raises:
        CheckpointError: The model has no class token.
    """
    if not isinstance(question.model, Student | TextStudent | TeacherModel):
        raise CheckpointError(
            f"a model of the kind '{question.model.kind}' has no class token, so its attention cannot be compared: "
            "give a student and a teacher of otolith teach"
        )
    last = question.model.see(question.batch, attention=True).attention
    assert last is not None
    rolled = relevance(attention(question))[:, :, 0, 0]
    return Look(last, rolled, question.batch.centre, question.batch.patch_mask)


def similarity(one: Look, other: Look, *, rolled: bool) -> Tensor:
    """Cosine [B] between two spreads of attention over time, 0 to 1.

    Tokens are matched in time as `attention_transfer` does it. Weights are never negative, so two spreads that have
    nothing to do with one another are well above 0: compare with other pairs (`mismatched`).
    """
    weights = (one.rolled, other.rolled) if rolled else (one.last, other.last)
    each = [
        attention_transfer(
            weights[0][[i]], one.centre[[i]], one.mask[[i]], weights[1][[i]], other.centre[[i]], other.mask[[i]]
        )
        for i in range(len(one.last))
    ]
    return 1 - torch.stack(each) / 2  # of unit vectors the squared distance is 2 - 2 cos


def mismatched(other: Look, target: Tensor) -> Look:
    """The same looks, each given to a segment that has another class [B] where there is one: the control."""
    order = target.argsort(stable=True)
    moved = torch.empty_like(order)
    moved[order] = order.roll(-int(target.bincount().max()))  # past the largest class nobody meets their own
    return Look(other.last[moved], other.rolled[moved], other.centre[moved], other.mask[moved])
