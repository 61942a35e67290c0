"""What an answer of a model costs."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from torch import nn

from otolith.data.segments import Segments
from otolith.models.cost import flops, parameters, size_mb
from otolith.models.saved import TextModel
from otolith.types import Batch


class _Answer(nn.Module):
    """An answer to one and the same input, as a module of the parts that give it."""

    def __init__(self, parts: nn.Module, answer: Any) -> None:
        super().__init__()
        self.parts, self.answer = parts, answer

    def forward(self) -> Any:
        return self.answer()


def cost_of_classes(model: Any, segments: Segments) -> dict[str, float]:
    """Of one answer of a teacher or student of classes; as `_costs`."""
    batch, _ = next(segments.batches(1))
    return _costs(_Answer(model, lambda: model.head(model.see(batch).feature)))


def cost_of_words(model: TextModel, window: Batch) -> dict[str, float]:
    """Of embedding one window in the space of words; as `_costs`. The prototypes of the words are not counted."""
    return _costs(_Answer(model.answering(), lambda: model.embed(window)))


def _costs(net: nn.Module) -> dict[str, float]:
    """Parameters, MFLOP, megabytes at 32 and at 8 bits, and the median milliseconds of an answer on this machine, in
    PyTorch with one thread.
    """
    return {
        "parameters": float(parameters(net)),
        "mflops": flops(net) / 1e6,
        "size_mb": size_mb(net),
        "size_mb_int8": size_mb(net, bits=8),
        "latency_ms": _milliseconds(net),
    }


@torch.inference_mode()
def _milliseconds(net: nn.Module, runs: int = 51) -> float:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    net.eval()
    try:
        times = []
        for _ in range(runs):
            begin = time.perf_counter()
            net()
            times.append(time.perf_counter() - begin)
    finally:
        torch.set_num_threads(threads)
    return 1000 * statistics.median(times)
