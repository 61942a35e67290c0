"""Occlusion: what the answer loses when a block of one channel is put back to its baseline. A control for gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from otolith.explain.question import Question, block_sums, pieces
from otolith.types import MissingExtraError


@torch.no_grad()
def occlusion(question: Question, target: Tensor, base: Tensor) -> Tensor:
    """Loss of the target's logit [B, P, K, C] for each block of one channel and K parts of a patch.

    After Zeiler & Fergus 2014 (arXiv:1311.2901, section 4.2), with a baseline in place of grey.

    Args:
        question: The model and its segments.
        target: [B] class of each segment.
        base: [B, P, S, C] baselines.

    Raises:
        MissingExtraError: Captum is not installed.
    """
    try:
        from captum.attr import FeatureAblation
    except ImportError as error:
        raise MissingExtraError("captum", "explain", "attribution") from error
    signal = question.signal
    b, p, s, c = signal.shape
    count = pieces(s)
    blocks = torch.arange(p * count * c).view(1, p, count, c).repeat_interleave(s // count, dim=2)
    lost: Tensor = FeatureAblation(question).attribute(
        signal, base, target, additional_forward_args=(torch.arange(b),), feature_mask=blocks, perturbations_per_eval=8
    )
    # Captum repeats a block's loss at each of its values.
    return block_sums(lost.to(signal.dtype)) / (s // count) * question.mask[:, :, None, None]
