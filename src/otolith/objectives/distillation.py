"""Distillation: what a student learns from a teacher's answers, features, attention, or place in a space of texts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def soft_answers(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL divergence from the teacher's softened answers to the student's (Hinton et al. 2015, arXiv:1503.02531).

    Multiplied by the squared temperature, so that the size of its gradient does not depend on it (section 2.1).

    Args:
        student: Logits [B, L].
        teacher: Logits [B, L]; taken as given.
        temperature: T, above 0.

    Returns:
        Scalar, a mean over the batch; 0 for an empty one.
    """
    if temperature <= 0:
        raise ValueError(f"the temperature must be positive, not {temperature}")
    log_student = F.log_softmax(student.float() / temperature, dim=-1)
    log_teacher = F.log_softmax(teacher.detach().float() / temperature, dim=-1)
    each = (log_teacher.exp() * (log_teacher - log_student)).sum(-1)
    return each.sum() * temperature**2 / max(len(each), 1)


def hard_answers(logits: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy against class shares [B, L] (mixtures of two segments have two), smoothed (Szegedy et al. 2016).

    Returns:
        Scalar, a mean over the batch; 0 for an empty one.
    """
    shares = (1 - smoothing) * target + smoothing / target.shape[-1]
    each = -(shares * F.log_softmax(logits.float(), dim=-1)).sum(-1)
    return each.sum() / max(len(each), 1)


def cosine_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - cosine between vectors [B, E], a mean over the batch; 0 for an empty one.

    For unit vectors half the squared distance, as in feature distillation (Romero et al. 2015, FitNets,
    arXiv:1412.6550, equation 3).
    """
    each = 1 - F.cosine_similarity(student.float(), teacher.detach().float(), dim=-1)
    return each.sum() / max(len(each), 1)


def relational(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the cosines between all pairs of a batch (Tung & Mori 2019, arXiv:1907.09682, with
    cosines; Park et al. 2019, arXiv:1904.05068).

    It keeps who is near whom where the student is too small to be where the teacher is.

    Args:
        student: [B, E], of any length.
        teacher: [B, F]; the widths may differ.

    Returns:
        Scalar; 0 for fewer than two vectors.
    """
    count = len(student)
    if count < 2:
        return student.sum() * 0
    one, other = F.normalize(student.float(), dim=-1), F.normalize(teacher.detach().float(), dim=-1)
    with torch.autocast(one.device.type, enabled=False):
        difference = (one @ one.t() - other @ other.t()).square()
    return difference.sum() / (count * (count - 1))  # the diagonal is zero


def attention_transfer(
    student: Tensor, student_centre: Tensor, student_mask: Tensor, teacher: Tensor, centre: Tensor, mask: Tensor
) -> Tensor:
    """How differently student and teacher spread their attention over time (Zagoruyko & Komodakis 2017,
    arXiv:1612.03928, equation 2, for the attention of the class token).

    Tokens are matched in time: each attention becomes a step function over the segment, the weight of the nearest
    patch, read at 32 moments and brought to unit length. Patches of different number can thus be compared.

    Args:
        student: [B, P] weights over the student's patches.
        student_centre: [B, P] shares of the segment.
        student_mask: [B, P], True where there is a patch.
        teacher: [B, Q] weights over the teacher's patches; taken as given.
        centre: [B, Q].
        mask: [B, Q].

    Returns:
        Scalar; 0 where both look alike, at most 2.
    """
    moments = (torch.arange(32, device=student.device) + 0.5) / 32
    one = _at(student, student_centre, student_mask, moments)
    other = _at(teacher.detach(), centre, mask, moments)
    each = (F.normalize(one, dim=-1) - F.normalize(other, dim=-1)).square().sum(-1)
    return each.sum() / max(len(each), 1)


def _at(weight: Tensor, centre: Tensor, mask: Tensor, moments: Tensor) -> Tensor:
    """Weights [B, P] of the nearest patch at each moment [M]: [B, M]."""
    far = (centre[:, None] - moments[None, :, None]).abs().masked_fill(~mask[:, None], float("inf"))  # [B, M, P]
    return weight.float().gather(1, far.argmin(-1))
