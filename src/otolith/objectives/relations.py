"""What labels say of each other: which mean nearly the same, which are kinds of another, which tell windows apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class LabelRelations:
    """Between L labels.

    Attributes:
        targets: [L, L], what a window of each label should say of all labels; rows sum to 1.
        undecided: [L, L], True where a label leaves open whether another is true of the window too: of "using stairs"
            nobody knows whether it is "walking upstairs".
        apart: [L, L], True where windows of one label are no windows of the other, so that they may be told apart.
        general: [L], the label that each one is a kind of; itself where there is none.
    """

    targets: Tensor
    undecided: Tensor
    apart: Tensor
    general: Tensor


def relate(
    text: Tensor, group: Tensor, general: Tensor, temperature: float = 0.2, hardness: float = 0.5
) -> LabelRelations:
    """Relations of labels by their groups and kinds, and by the likeness of their texts.

    A window's own label and the label that it is a kind of share the weight of the truth. Those which it leaves open
    get none, and no loss: a partial label says only what is certain (Cour 2011, Learning from Partial Labels, JMLR 12).

    Args:
        text: [L, E], a vector of each label.
        group: [L] long, the group of each label.
        general: [L] long, the label that each one is a kind of; itself where there is none.
        temperature: Of `soft_targets`.
        hardness: Weight of what is certain.
    """
    own = torch.eye(len(general))
    undecided = own[general].t().bool() & ~own.bool()
    certain = (own + own[general]) / 2
    targets = hardness * certain + (1 - hardness) * soft_targets(text, temperature, hardness=0.0).cpu()
    targets = targets.masked_fill(undecided, 0.0)
    # Of one group, or one a kind of the other: stairs and the two ways to take them are groups of their own.
    near = (group[:, None] == group) | undecided | undecided.t()
    return LabelRelations(targets / targets.sum(1, keepdim=True), undecided, ~near, general)


@torch.no_grad()
def soft_targets(text: Tensor, temperature: float = 0.2, hardness: float = 0.5) -> Tensor:
    """What a window of each label should say of all labels: mostly its own, a little of its neighbours in meaning.

    Softmax of the cosines between label texts, mixed with the identity (Gao 2023, SoftCLIP, arXiv:2303.17561; Andonian
    2022, arXiv:2204.04588). The texts are centred first: raw sentence vectors share a large part.

    Args:
        text: [L, E], one vector a label. It is taken as given: no gradient, or all texts would drift together.
        temperature: Divides the cosines; smaller is nearer to the identity.
        hardness: Weight of the identity, from 0 to 1; 1 is plain CLIP.

    Returns:
        [L, L]; rows sum to 1.
    """
    if temperature <= 0 or not 0 <= hardness <= 1:
        raise ValueError(f"temperature must be positive and hardness in [0, 1], not {temperature} and {hardness}")
    centred = F.normalize(text.float() - text.float().mean(0), dim=-1)
    soft = (centred @ centred.t() / temperature).softmax(dim=-1)
    return hardness * torch.eye(len(text), device=text.device) + (1 - hardness) * soft
