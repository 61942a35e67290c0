"""Attention rollout: how much of each token reaches what the answer is read from, through all layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from otolith.explain.question import Question
from otolith.models.classifier import EncoderClassifier, NetworkClassifier
from otolith.models.layers import Attend, AxisAttention
from otolith.models.student import Layer
from otolith.types import ConfigError


@dataclass(frozen=True)
class Attention:
    """Where every token of a batch looked, in one real forward pass.

    Attributes:
        matrices: [B, N, N] of each attention, in the order of the pass, mean over heads; row i is where token i looks.
        start: [B, N] how much the answer is read from each token of the last layer.
        first: Number of the first token of the sensors.
        shape: Patches, and channels that have tokens of their own (1 where a patch is one token).
    """

    matrices: tuple[Tensor, ...]
    start: Tensor
    first: int
    shape: tuple[int, int]


def rollout(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Rollout up to each layer, the last one through all (Abnar & Zuidema 2020, arXiv:2005.00928, section 3).

    Each attention stands beside its residual connection in equal parts, 0.5 A + 0.5 I, its rows normalised. Later
    layers multiply from the left: a token of layer l looks at tokens of layer l - 1, which look at those before.

    Args:
        matrices: [B, N, N] in the order of the forward pass, rows sum to 1.

    Returns:
        [B, N, N] for each; entry (i, j) is the share of input token j in token i.
    """
    found: list[Tensor] = []
    for matrix in matrices:
        both = matrix + torch.eye(matrix.shape[-1], device=matrix.device)
        both = both / both.sum(-1, keepdim=True)
        found.append(both @ found[-1] if found else both)
    return found


def relevance(attention: Attention) -> Tensor:
    """Share of each sensor token in the answer [B, P, 1, C], over all of them 1; C is 1 where a patch is one token."""
    reached = (attention.start[:, None] @ rollout(attention.matrices)[-1])[:, 0]
    patches, channels = attention.shape
    mine = reached[:, attention.first : attention.first + patches * channels]
    return (mine / mine.sum(-1, keepdim=True)).view(-1, patches, 1, channels)


@torch.no_grad()
def attention(question: Question) -> Attention:
    """What the layers of a model looked at in a batch.

    A student or teacher is read from its class token (of a teacher, whose feature also holds the means of both
    modalities, this is a part). An encoder has a token for each channel of each patch: attention over time and across
    channels are two steps, and the answer is read with the weights of its pooling.

    Raises:
        ConfigError: The model has no such layers.
    """
    if isinstance(question.model, NetworkClassifier):
        raise ConfigError(
            f"--method rollout: '{question.model.network}' has no class token that attention could be rolled out to: "
            "use ig or occlusion"
        )
    b, patches, _, channels = question.signal.shape
    if not isinstance(question.model, EncoderClassifier):
        with _watched(question.model) as seen:
            question(question.signal)
        start = torch.zeros(seen[0][1].shape[:2])
        start[:, 0] = 1
        return Attention(tuple(matrix for _, matrix in seen), start, 1, (patches, 1))
    with _watched(question.model.encoder) as seen, _kept(question.model.pool.key) as scores:
        question(question.signal)
    there = question.mask[:, :, None].expand(b, patches, channels).reshape(b, -1, 1)
    start = scores[0].float().masked_fill(~there, float("-inf")).softmax(1).mean(-1)
    grid = tuple(_on_grid(axis, matrix, b, patches, channels) for axis, matrix in seen)
    return Attention(grid, start, 0, (patches, channels))


def _on_grid(axis: str, weights: Tensor, batch: int, patches: int, channels: int) -> Tensor:
    """Attention along one axis [B * others, N, N] as attention among all tokens of the grid [B, P C, P C]."""
    if axis == "time":
        each = torch.einsum("bcpq,cd->bpcqd", weights.view(batch, channels, patches, patches), torch.eye(channels))
    else:
        each = torch.einsum("bpcd,pq->bpcqd", weights.view(batch, patches, channels, channels), torch.eye(patches))
    return each.reshape(batch, patches * channels, patches * channels)


@contextmanager
def _watched(model: nn.Module) -> Iterator[list[tuple[str, Tensor]]]:
    """Collects axis and attention, mean over heads, of every layer that runs meanwhile."""
    seen: list[tuple[str, Tensor]] = []
    handles = []
    for part in model.modules():
        if isinstance(part, Layer):
            handles.append(part.register_forward_pre_hook(_openly, with_kwargs=True))
            handles.append(part.register_forward_hook(lambda _module, _given, out: seen.append(("tokens", out[1]))))
        elif isinstance(part, AxisAttention):
            handles.append(part.attend.register_forward_hook(partial(_look, seen, part.axis)))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _openly(
    _module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return given, {**named, "attention": True}


def _look(seen: list[tuple[str, Tensor]], axis: str, _module: nn.Module, given: tuple[Any, ...], _out: Tensor) -> None:
    q, k, _, keys = given
    seen.append((axis, Attend.weights(q, k, keys).mean(1)))


@contextmanager
def _kept(part: nn.Module) -> Iterator[list[Tensor]]:
    """Collects what a part gives meanwhile."""
    out: list[Tensor] = []
    handle = part.register_forward_hook(lambda _module, _given, given: out.append(given))
    try:
        yield out
    finally:
        handle.remove()
