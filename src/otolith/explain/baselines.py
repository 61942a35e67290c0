"""What a signal is compared with: the input that says nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from otolith.explain.question import Question
from otolith.models.classifier import NetworkClassifier
from otolith.models.student import SensorTokens
from otolith.types import ConfigError

BASELINES = ("mean", "zero", "blurred")
"""Mean of the training people; zero (free fall, no turning); the segment itself with all but slow change taken out."""

_BLUR = 8
"""The standard deviation of the blur is this part of a segment."""


def baseline(question: Question, kind: str) -> Tensor:
    """The baseline [B, P, S, C] of each segment, in reference units.

    Which one is chosen shapes an attribution (Sturmfels et al. 2020, doi:10.23915/distill.00022): a mean asks why this
    segment is not an ordinary moment, a blur why this motion is not the posture that it happens in.

    Raises:
        ConfigError: An unknown kind, or a model that keeps no mean of its training people.
    """
    if kind not in BASELINES:
        raise ConfigError(f"--baseline must be one of {', '.join(BASELINES)}, not '{kind}'")
    signal = question.signal
    if kind == "zero":
        return torch.zeros_like(signal)
    if kind == "blurred":
        return _blurred(signal, question.mask)
    parts = [part for part in question.model.modules() if isinstance(part, SensorTokens | NetworkClassifier)]
    if not parts:
        raise ConfigError("--baseline mean: the encoder keeps no mean of its training people: use zero or blurred")
    return parts[0].mean[: signal.shape[-1]].expand_as(signal)


def _blurred(signal: Tensor, mask: Tensor) -> Tensor:
    """Weighted by what is there, so that neither an end nor a missing patch bleeds in."""
    b, p, s, c = signal.shape
    place = torch.arange(p * s, device=signal.device)
    kernel = torch.exp(-(((place[:, None] - place) / (p * s / _BLUR)) ** 2) / 2)
    there = mask[:, :, None].expand(b, p, s).reshape(b, p * s, 1).to(signal.dtype)
    smooth = kernel @ (signal.reshape(b, p * s, c) * there) / (kernel @ there)
    return smooth.view(b, p, s, c)
