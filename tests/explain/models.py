"""Models whose explanations are known."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from otolith.models.student import Seen
from otolith.types import SegmentBatch


class Linear(nn.Module):
    """Answers with a weighted sum of its input: the attribution of a value is its weight times its distance."""

    def __init__(self, patches: int, samples: int, channels: int, labels: int) -> None:
        super().__init__()
        self.meta: dict[str, Any] = {"labels": [str(i) for i in range(labels)]}
        self.head = nn.Linear(patches * samples * channels, labels)

    def see(self, batch: SegmentBatch, *, attention: bool = False) -> Seen:
        return Seen(batch.patches.flatten(1))


def batch_of(patches: Tensor, mask: Tensor | None = None) -> SegmentBatch:
    """Patches [B, P, S, C] one second each."""
    b, p = patches.shape[:2]
    there = torch.ones(b, p, dtype=torch.bool) if mask is None else mask
    centre = ((torch.arange(p) + 0.5) / p).expand(b, p)
    return SegmentBatch(patches, there, centre, there.float())
