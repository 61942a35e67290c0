"""Patch-level contrast between two views of the same windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_infonce(a: Tensor, b: Tensor, valid: Tensor, temperature: float = 0.2) -> Tensor:
    """Symmetric InfoNCE over patches (van den Oord 2018, arXiv:1807.03748, equation 4).

    A patch must find its own other view among all valid patches of the batch, first from a to b, then back.

    Args:
        a: [B, P, D], one view; need not be of unit length.
        b: [B, P, D], the other view.
        valid: [B, P] bool, False at padding, which is neither anchor nor negative.
        temperature: Divides the cosines.

    Returns:
        Scalar; 0 where fewer than two patches are valid, log(n) for n patches that are all alike.
    """
    first = F.normalize(a[valid].float(), dim=-1)
    second = F.normalize(b[valid].float(), dim=-1)
    with torch.autocast(first.device.type, enabled=False):
        logits = first @ second.t() / temperature
    own = torch.arange(len(logits), device=logits.device)
    loss = F.cross_entropy(logits, own, reduction="sum") + F.cross_entropy(logits.t(), own, reduction="sum")
    return loss / (2 * max(len(logits), 1))
