"""Deletion and insertion: whether the blocks that a map calls important are those that the answer hangs on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from otolith.explain.question import Question, of_target, spread

STEPS = 20
"""Points of a curve after its first."""


@dataclass(frozen=True)
class Curves:
    """Belief in the target [N, STEPS + 1] as blocks are taken from a segment, or given to its baseline.

    Attributes:
        deletion: The most important blocks go first.
        insertion: The most important blocks come first.
        random_deletion: In random orders, mean over them.
        random_insertion: Likewise.
    """

    deletion: Tensor
    insertion: Tensor
    random_deletion: Tensor
    random_insertion: Tensor

    def gains(self) -> tuple[Tensor, Tensor]:
        """How much area [N] the order of the map wins over random ones, by deletion and by insertion.

        Positive is better in both: deletion shall fall early, insertion rise early.
        """
        return area(self.random_deletion) - area(self.deletion), area(self.insertion) - area(self.random_insertion)


def shares() -> Tensor:
    """Shares of the blocks [STEPS + 1] that are changed at each point of a curve."""
    return torch.linspace(0, 1, STEPS + 1)


def area(curve: Tensor) -> Tensor:
    """Area under each curve [N]."""
    return torch.trapezoid(curve, shares(), dim=-1)


@torch.no_grad()
def curves(question: Question, target: Tensor, base: Tensor, score: Tensor, *, draws: int = 8, seed: int = 0) -> Curves:
    """Deletion and insertion (Petsiuk et al. 2018, RISE, arXiv:1806.07421, section 4.3) beside random orders.

    Random orders have the same blocks as the map, or a map of few large blocks would seem better than it is.

    Args:
        question: The model and its segments.
        target: [B] class of each segment.
        base: [B, P, S, C] what a deleted block becomes.
        score: [B, P, k, c] importance of the blocks; k divides S, c is C or 1 (all channels at once).
        draws: Random orders for each segment.
        seed: Of the random orders.
    """
    generator = torch.Generator().manual_seed(seed)
    random = [torch.rand(score.shape, generator=generator) for _ in range(draws)]
    mine, *others = (_pair(question, target, base, order) for order in (score, *random))
    deletion, insertion = (torch.stack([pair[side] for pair in others]).mean(0) for side in (0, 1))
    return Curves(*mine, deletion, insertion)


def _pair(question: Question, target: Tensor, base: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
    """Deletion and insertion [B, STEPS + 1] in the order of a score."""
    signal, rank = question.signal, _ranks(score, question.mask)
    deletion, insertion = [], []
    for share in shares():
        chosen = spread(rank < share, signal.shape[2])
        deletion.append(_belief(question, torch.where(chosen, base, signal), target))
        insertion.append(_belief(question, torch.where(chosen, signal, base), target))
    return torch.stack(deletion, 1), torch.stack(insertion, 1)


def _ranks(score: Tensor, mask: Tensor) -> Tensor:
    """Share [B, P, k, c] of a segment's blocks that are more important than each; blocks that are not there get 2."""
    there = mask[:, :, None, None].expand_as(score)
    flat = score.masked_fill(~there, -torch.inf).flatten(1)
    rank = flat.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    share = rank / there.flatten(1).sum(1, keepdim=True)
    return share.view_as(score).masked_fill(~there, 2.0)


def _belief(question: Question, signal: Tensor, target: Tensor) -> Tensor:
    return of_target(question(signal).softmax(-1), target)
