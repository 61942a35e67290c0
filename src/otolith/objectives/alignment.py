"""Alignment of motion with words: soft-target contrast in both directions, and the memory bank of past windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.objectives.relations import LabelRelations


def alignment_losses(
    scores: Tensor,
    label: Tensor,
    relations: LabelRelations,
    scale: Tensor,
    asked: Tensor,
    bank_scores: Tensor | None = None,
    bank_label: Tensor | None = None,
    bank_asked: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Soft-target contrastive losses between windows and labels, one a direction.

    Motion to text: cross-entropy against the soft targets (Radford 2021, CLIP, arXiv:2103.00020; Gao 2023, SoftCLIP),
    over all labels but those that a window's own leaves open. Text to motion: see `_text_to_motion`.

    Args:
        scores: [B, L], class scores (cosines) of the batch's windows.
        label: [B] long, index into L; -1 is unlabelled and ignored.
        relations: Of the L labels.
        scale: Scalar, the inverse temperature.
        asked: [B, L], True where a label is a choice for a window: a dataset that never saw stairs should not teach
            that what it saw is walking rather than stairs.
        bank_scores: [M, L], class scores of the memory bank's windows; None without a bank.
        bank_label: [M] long, their labels; -1 marks an empty slot.
        bank_asked: [M, L], as `asked`.

    Returns:
        Two scalars, motion to text and text to motion; 0 when the whole batch is unlabelled.
    """
    labelled = label >= 0
    logits, label, asked = scale * scores[labelled].float(), label[labelled], asked[labelled]
    if len(label) == 0:
        return logits.sum(), logits.sum()
    pool, pool_label, pool_asked = logits, label, asked
    if bank_scores is not None and bank_label is not None and bank_asked is not None:
        pool = torch.cat([logits, scale * bank_scores.float()])
        pool_label, pool_asked = torch.cat([label, bank_label]), torch.cat([asked, bank_asked])
    silent = relations.undecided[label] | ~asked
    certain = logits.masked_fill(silent, torch.finfo(logits.dtype).min)
    targets = relations.targets[label].masked_fill(silent, 0)
    said = (targets / targets.sum(1, keepdim=True) * certain.log_softmax(dim=1)).masked_fill(silent, 0)  # else 0 * inf
    words = [label, relations.general[label]]  # the text for lying must find those who lie on the back
    apart = relations.apart[:, pool_label.clamp(min=0)] & pool_asked.t() & (pool_label >= 0)  # [L, N]
    to_motion = [_text_to_motion(logits, word, pool, apart) for word in words]
    return -said.sum(1).mean(), (to_motion[0] + to_motion[1]) / 2


def _text_to_motion(logits: Tensor, word: Tensor, pool: Tensor, apart: Tensor) -> Tensor:
    """Each label must find each of its windows among the windows of other groups, the memory bank's included.

    Windows of the same label, group or kind are no negatives: "using stairs" is not to push "walking upstairs" away,
    nor one window of walking another. The bank (He 2020, MoCo, arXiv:1911.05722) gives negatives only: as positives,
    its stale windows would outnumber the batch's and thin out the gradient of the encoder. Every label of the batch
    has equal weight.

    Args:
        logits: [B, L], of the batch.
        word: [B], the label by which each window of the batch is to be found.
        pool: [N, L], of the batch and the bank.
        apart: [L, N], True where a window of the pool is a negative of a label.
    """
    negative = apart[word]  # [B, N]
    lowest = torch.finfo(pool.dtype).min  # finite: a row without negatives gives 0, not NaN, and so does its gradient
    against = pool.t()[word].masked_fill(~negative, lowest).logsumexp(dim=1)
    own = logits.gather(1, word[:, None])[:, 0]
    loss = F.softplus(against - own)  # -log(exp(own) / (exp(own) + sum of exp(negatives)))
    weight = 1 / (word[:, None] == word).sum(1)
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
