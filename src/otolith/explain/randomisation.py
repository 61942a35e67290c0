"""A sanity check: a map that stays as it is when the weights are thrown away explains the input, not the model."""

from __future__ import annotations

import copy
import hashlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from otolith.models.classifier import EncoderClassifier, NetworkClassifier


def cascade(model: Any, seed: int) -> Iterator[tuple[str, Any]]:
    """Copies of a model of which ever more is at random initialisation, from the answer down to the input.

    Cascading randomisation (Adebayo et al. 2018, arXiv:1810.03292, section 3.1). What is known of the data (the
    statistics of the normaliser, the words) stays; what is learnt goes.

    Args:
        model: Any that is explained; it is left as it is.
        seed: Of the random weights.

    Yields:
        The name of the part that was randomised last, and the copy, in eval mode; the last one has no learnt weight.
    """
    with torch.random.fork_rng(devices=[]):
        # Not the seed itself: a model trained with the same one would be given back the weights that it began with.
        torch.manual_seed(int.from_bytes(hashlib.sha256(f"randomisation {seed}".encode()).digest()[:7]))
        fresh = dict(model.untrained().named_parameters())
    changed: nn.Module = copy.deepcopy(model)
    weights = dict(changed.named_parameters())
    left = {key for key in weights if not key.startswith("bank.")}
    for name, prefixes in _parts(model):
        mine = {key for key in left if key.startswith(prefixes)}
        with torch.no_grad():
            for key in mine:
                weights[key].copy_(fresh[key])
        left -= mine
        if mine:
            yield name, changed.eval()


def rank_correlation(one: Tensor, other: Tensor, there: Tensor) -> Tensor:
    """Spearman's correlation [B] of two maps over the values that are there; 0 where one of them is constant.

    Args:
        one: [B, P, k, c].
        other: [B, P, k, c].
        there: [B, P], True where there is a patch.
    """
    from scipy.stats import ConstantInputWarning, spearmanr

    found = []
    for a, b, mask in zip(one.numpy(), other.numpy(), there.numpy(), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConstantInputWarning)
            found.append(float(np.nan_to_num(spearmanr(a[mask].ravel(), b[mask].ravel()).statistic)))
    return torch.tensor(found)


def _parts(model: Any) -> list[tuple[str, tuple[str, ...]]]:
    """Names of the parts of a model, from the answer to the input, and how the names of their weights begin."""
    heads: list[tuple[str, tuple[str, ...]]] = [("head", ("head.", "text."))]
    if isinstance(model, NetworkClassifier):
        return [*heads, ("network", ("",))]
    if isinstance(model, EncoderClassifier):
        stack, stem = model.encoder.blocks, "encoder.blocks"
        heads += [("pooling", ("pool.",))]
    else:
        stack, stem = model.net.layers, "net.layers"
    layers = [(f"layer {i + 1}", (f"{stem}.{i}.",)) for i in reversed(range(len(stack)))]
    return [*heads, *layers, ("tokens", ("",))]
