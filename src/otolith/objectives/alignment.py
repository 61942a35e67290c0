"""Alignment of motion with words: soft-target contrast in both directions, and the memory bank of past windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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


def alignment_losses(
    scores: Tensor,
    label: Tensor,
    targets: Tensor,
    group: Tensor,
    scale: Tensor,
    bank_scores: Tensor | None = None,
    bank_label: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Soft-target contrastive losses between windows and labels, one a direction.

    Motion to text: cross-entropy over all labels against the soft targets (Radford 2021, CLIP, arXiv:2103.00020, with
    soft targets as in Gao 2023, SoftCLIP). Text to motion: see `_text_to_motion`.

    Args:
        scores: [B, L], class scores (cosines) of the batch's windows.
        label: [B] long, index into L; -1 is unlabelled and ignored.
        targets: [L, L], from `soft_targets`.
        group: [L] long, the group of each label.
        scale: Scalar, the inverse temperature.
        bank_scores: [M, L], class scores of the memory bank's windows; None without a bank.
        bank_label: [M] long, their labels; -1 marks an empty slot.

    Returns:
        Two scalars, motion to text and text to motion; 0 when the whole batch is unlabelled.
    """
    labelled = label >= 0
    logits, label = scale * scores[labelled].float(), label[labelled]
    if len(label) == 0:
        return logits.sum(), logits.sum()
    pool, pool_label = logits, label
    if bank_scores is not None and bank_label is not None:
        pool = torch.cat([logits, scale * bank_scores.float()])
        pool_label = torch.cat([label, bank_label])
    return F.cross_entropy(logits, targets[label]), _text_to_motion(logits, label, pool, pool_label, group)


def _text_to_motion(logits: Tensor, label: Tensor, pool: Tensor, pool_label: Tensor, group: Tensor) -> Tensor:
    """Each label must find each of its windows among the windows of other groups, the memory bank's included.

    Windows of the same label or group are no negatives: "walking" is not to push "walking upstairs" away, nor one
    window of walking another. The bank (He 2020, MoCo, arXiv:1911.05722) gives negatives only: as positives,
    its stale windows would outnumber the batch's and thin out the gradient of the encoder. Every label of the batch
    has equal weight.

    Args:
        logits: [B, L], of the batch.
        label: [B].
        pool: [N, L], of the batch and the bank.
        pool_label: [N], -1 where a slot is empty.
        group: [L].
    """
    negative = (group[label][:, None] != group[pool_label.clamp(min=0)]) & (pool_label >= 0)  # [B, N]
    lowest = torch.finfo(pool.dtype).min  # finite: a row without negatives gives 0, not NaN, and so does its gradient
    against = pool.t()[label].masked_fill(~negative, lowest).logsumexp(dim=1)
    own = logits.gather(1, label[:, None])[:, 0]
    loss = F.softplus(against - own)  # -log(exp(own) / (exp(own) + sum of exp(negatives)))
    weight = 1 / (label[:, None] == label).sum(1)
    return torch.sum(loss * weight) / weight.sum()


class MemoryBank(nn.Module):
    """The embeddings of the latest labelled windows, first in, first out (He 2020, MoCo, arXiv:1911.05722).

    Everything is a buffer, so that a checkpoint resumes with the same negatives.
    """

    embedding: Tensor
    label: Tensor
    position: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"a memory bank needs one slot or more, not {size}")
        self.register_buffer("embedding", torch.zeros(size, dim))
        self.register_buffer("label", torch.full((size,), -1))
        self.register_buffer("position", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, embedding: Tensor, label: Tensor) -> None:
        """Stores a batch over the oldest entries; of a batch larger than the bank, its last ones.

        Args:
            embedding: [B, D]; stored without gradient.
            label: [B] long; windows labelled -1 are left out.
        """
        size, keep = len(self.label), label >= 0
        embedding, label = embedding[keep][-size:], label[keep][-size:]
        slots = (self.position + torch.arange(len(label), device=label.device)) % size
        self.embedding[slots] = embedding.to(self.embedding.dtype)
        self.label[slots] = label
        self.position.copy_((self.position + len(label)) % size)

    def entries(self) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings [M, D], labels [M] and a mask [M], True where a slot is filled; empty slots have label -1.

        They are copies: a later `push` does not change what a loss still needs for its gradient.
        """
        return self.embedding.clone(), self.label.clone(), self.label >= 0
