"""What a network costs: parameters, floating point operations, bytes of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def parameters(module: nn.Module) -> int:
    """Number of parameters, trainable or not; one that several layers share counts once."""
    return sum(weight.numel() for weight in module.parameters())


def flops(module: nn.Module, *inputs: Any) -> int:
    """Floating point operations of one forward pass in eval mode.

    A multiplication and an addition count as two. Counted are matrix products, convolutions and the two products of
    attention; elementwise operations, norms and softmax are not, as is the custom of the field. The module's training
    mode is as before afterwards.

    Args:
        module: What is measured.
        inputs: What its `forward` takes; the count is of all of them, so give a batch of one for the cost of a window.
    """
    with _eval_mode(module), _countable_attention(), torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*inputs)
    return int(counter.get_total_flops())


def size_mb(module: nn.Module, bits: int = 32) -> float:
    """Size of the weights [MB, 10^6 bytes] at 32, 16 or 8 bits.

    32 and 16 bits: parameters * bits / 8 / 10^6. 8 bits: (the sum over weights with two or more dimensions of
    (elements + 4 rows) + 4 (elements of all others)) / 10^6, that is one byte each and one float32 scale for each
    row (the first dimension, that of the outputs), while biases and norms stay float32: symmetric per-channel
    quantisation (Krishnamoorthi 2018, arXiv:1806.08342). Buffers are not weights.

    Raises:
        ValueError: Another number of bits.
    """
    if bits in (16, 32):
        return parameters(module) * bits / 8 / 1e6
    if bits != 8:
        raise ValueError(f"bits must be 8, 16 or 32, not {bits}")
    return sum(w.numel() + 4 * len(w) if w.dim() >= 2 else 4 * w.numel() for w in module.parameters()) / 1e6


@contextmanager
def _eval_mode(module: nn.Module) -> Iterator[None]:
    # Each part has its own mode: a frozen encoder is in eval mode inside a model in training.
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def _countable_attention() -> Iterator[None]:
    # The counter sees products, but neither fused attention on a CPU nor the fused layers of nn.TransformerEncoder.
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
