"""The methods by name: what each says of a batch, in one form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otolith.explain.integrated_gradients import integrated_gradients
from otolith.explain.occlusion import occlusion
from otolith.explain.question import Question, block_sums, spread
from otolith.explain.rollout import attention, relevance, rollout
from otolith.models.classifier import NetworkClassifier

METHODS = ("ig", "rollout", "occlusion")
SIGNED = ("ig", "occlusion")
"""Methods that tell what speaks for the answer from what speaks against it."""


@dataclass(frozen=True)
class Explanation:
    """What a method says of a batch.

    Attributes:
        score: [B, P, k, c] importance of each block, k blocks a patch; c is 1 where a method sees all channels as one.
        map: [B, P, S, C] the same at each value (`ig` is as fine as the signal; the others repeat their blocks).
        details: What else it gives, B first: `error` and `steps` of `ig`; of `rollout` the matrices `layers`
            [B, L, N, N], rolled out up to each layer.
    """

    score: Tensor
    map: Tensor
    details: dict[str, Tensor]


def applicable(model: object) -> tuple[str, ...]:
    """The methods that a model can be explained with."""
    return tuple(m for m in METHODS if m != "rollout" or not isinstance(model, NetworkClassifier))


def explain(method: str, question: Question, target: Tensor, base: Tensor) -> Explanation:
    """Asks one method; errors as in its module.

    Args:
        method: One of `METHODS`.
        question: The model and its segments.
        target: [B] class of each segment, chosen once.
        base: [B, P, S, C] baselines; rollout needs none.
    """
    samples, channels = question.signal.shape[2:]
    if method == "ig":
        found = integrated_gradients(question, target, base)
        return Explanation(block_sums(found.map), found.map, {"error": found.error, "steps": found.steps})
    if method == "occlusion":
        score = occlusion(question, target, base)
        return Explanation(score, spread(score, samples), {})
    looked = attention(question)
    score = relevance(looked)
    repeated = spread(score, samples).expand(-1, -1, -1, channels)
    return Explanation(score, repeated, {"layers": torch.stack(rollout(looked.matrices), 1)})
