"""Integrated gradients, with the share of the answer that they leave unexplained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otolith.explain.question import Question, of_target
from otolith.types import MissingExtraError


@dataclass(frozen=True)
class Integrated:
    """Attributions of a batch.

    Attributes:
        map: [B, P, S, C] how much each value raises the target's logit above that of the baseline.
        error: [B] completeness error: what the map misses of the difference, as a share of it.
        steps: [B] points of the path that were looked at.
    """

    map: Tensor
    error: Tensor
    steps: Tensor


def integrated_gradients(
    question: Question, target: Tensor, base: Tensor, *, tolerance: float = 0.01, steps: int = 32, most: int = 2048
) -> Integrated:
    """Gradients integrated on the straight path from a baseline (Sundararajan et al. 2017, arXiv:1703.01365, eq. 1).

    The target stays the same along the whole path. Segments whose completeness error (proposition 1) is not below the
    tolerance are done again with twice the steps.

    Args:
        question: The model and its segments.
        target: [B] class of each segment.
        base: [B, P, S, C] baselines.
        tolerance: Completeness error that is good enough.
        steps: Points of the path at first (Gauss-Legendre).
        most: Points at which to stop all the same.

    Raises:
        MissingExtraError: Captum is not installed.
    """
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise MissingExtraError("captum", "explain", "attribution") from error
    method, signal = IntegratedGradients(question), question.signal
    difference = _difference(question, target, base)
    found = Integrated(torch.zeros_like(signal), torch.full_like(difference, torch.inf), torch.zeros_like(target))
    rows = torch.arange(len(signal))
    while len(rows) and steps <= most:
        part = method.attribute(
            signal[rows], base[rows], target[rows], additional_forward_args=(rows,), n_steps=steps,
            internal_batch_size=max(1024, len(rows)),
        ).detach()  # fmt: skip
        left = part.double().sum((1, 2, 3)) - difference[rows]
        found.map[rows], found.steps[rows] = part.to(signal.dtype), steps
        found.error[rows] = left.abs() / difference[rows].abs().clamp(min=1e-12)
        rows = rows[found.error[rows] >= tolerance]
        steps *= 2
    return found


@torch.no_grad()
def _difference(question: Question, target: Tensor, base: Tensor) -> Tensor:
    """The target's logit for each segment less that for its baseline [B]."""
    return of_target(question(question.signal).double() - question(base).double(), target)
