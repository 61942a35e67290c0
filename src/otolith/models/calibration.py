"""How far a confidence can be trusted, and below which one it is better to say nothing. Tensors only."""

from __future__ import annotations

import torch
from torch import Tensor

from otolith.types import DataError

MIN_TEMPERATURE, MAX_TEMPERATURE = 1.0, 20.0
"""Where the search for a temperature ends. Beliefs are only ever softened: a few held-out people without an error would
drive the temperature to zero, and words never trained on deserve no such trust."""

MAX_THRESHOLD = 0.9
"""A belief of this much is never rejected. Held-out people without an error have nearly all their beliefs above 0.9999;
a tenth of them lies below some such number, which then tells people apart, and not right from wrong."""

REJECTED = 0.1
"""Largest share of the correctly recognised windows that a threshold may reject."""

_HALVINGS = 50  # of the interval of log-temperatures; its 6 units shrink below float precision


def calibrate(
    logits: Tensor, truth: Tensor, *, rejected: float = REJECTED, precision: float | None = None
) -> dict[str, float]:
    """Temperature and rejection threshold from windows of people that the model has not seen.

    Args:
        logits: [N, L], whose softmax is the uncalibrated belief.
        truth: [N] long; rows with -1 (unlabelled) are left out.
        rejected: Largest share of the correctly recognised windows that the threshold may reject.
        precision: If given, the threshold is the lowest at which this share of the accepted windows is correct.

    Returns:
        `temperature`, by which logits are divided, and `threshold` on the largest probability that follows. The
        threshold belongs to this set of classes: a choice among fewer is easier and its confidences are higher.

    Raises:
        DataError: No labelled window, or no threshold reaches the precision.
    """
    known = truth >= 0
    logits, truth = logits[known], truth[known]
    temperature = fit_temperature(logits, truth)
    confidence, predicted = (logits.double() / temperature).softmax(dim=-1).max(dim=-1)
    correct = predicted == truth
    if precision is None:
        threshold = share_threshold(confidence, correct, rejected)
    else:
        threshold = precision_threshold(confidence, correct, precision)
    return {"temperature": temperature, "threshold": threshold}


def fit_temperature(logits: Tensor, truth: Tensor) -> float:
    """The one temperature that makes the truth most likely (Guo et al. 2017, arXiv:1706.04599, section 4.2).

    The negative log-likelihood is convex in 1 / temperature, and its slope is the expected minus the true logit; so
    bisection finds its one minimum and needs no learning rate.

    Args:
        logits: [N, L].
        truth: [N] long.

    Raises:
        DataError: There is no window.
    """
    if not len(truth):
        raise DataError("there is no labelled window to calibrate on: hold out subjects that have labels")
    logits = logits.detach().double()
    true = logits.gather(1, truth[:, None])[:, 0]
    low, high = torch.tensor([MIN_TEMPERATURE, MAX_TEMPERATURE], dtype=torch.float64).log()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        belief = (logits / middle.exp()).softmax(dim=-1)
        overconfident = ((belief * logits).sum(dim=-1) - true).mean() > 0
        low, high = (middle, high) if overconfident else (low, middle)
    return float(((low + high) / 2).exp())


def share_threshold(confidence: Tensor, correct: Tensor, rejected: float = REJECTED) -> float:
    """The highest threshold that rejects (confidence below it) at most this share of the correct windows.

    It is at most `MAX_THRESHOLD`.

    Args:
        confidence: [N].
        correct: [N] bool.
        rejected: From 0 to below 1.

    Returns:
        0 where no window is correct: what to reject cannot be learnt from errors alone.
    """
    if not 0 <= rejected < 1:
        raise ValueError(f"the rejected share must be in [0, 1), not {rejected}")
    ordered = confidence[correct].sort().values
    return min(float(ordered[int(rejected * len(ordered) + 1e-9)]), MAX_THRESHOLD) if len(ordered) else 0.0


def precision_threshold(confidence: Tensor, correct: Tensor, precision: float) -> float:
    """The lowest threshold at which at least this share of the accepted windows is correct.

    Args:
        confidence: [N].
        correct: [N] bool.
        precision: From 0 to 1.

    Raises:
        DataError: No threshold does.
    """
    ordered, order = confidence.sort(descending=True)
    right = correct[order].double().cumsum(0)
    reached = right / torch.arange(1, len(right) + 1, device=right.device)
    # Windows of equal confidence are accepted together, so only the last of them counts.
    last = torch.ones_like(correct)
    last[:-1] = ordered[1:] < ordered[:-1]
    enough = ordered[last & (reached >= precision)]
    if not len(enough):
        best = float(reached[last].max()) if len(reached) else 0.0
        raise DataError(f"no threshold reaches a precision of {precision:g}: the best is {best:.3f}; ask for less")
    return float(enough[-1])
