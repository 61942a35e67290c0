"""What a bench runs in PyTorch: the graph that is exported, and networks of the field for the same job beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from otolith.data.channels import Channel
from otolith.data.prepared import PrepareConfig
from otolith.data.segments import SegmentConfig
from otolith.data.views import ChannelView
from otolith.export.material import Floats, describe, exportable
from otolith.export.metadata import Contract
from otolith.models.classifier import NetworkClassifier
from otolith.models.registry import load_model

REFERENCES = ("xtinyhar", "tinyhar", "deepconvlstm")
"""Networks of the field that are measured beside every model; ratios are held against the first one."""


@dataclass(frozen=True)
class Recipe:
    """How a module is made from a checkpoint.

    Attributes:
        config: The segments that it takes.
        channels: Columns of the signal.
    """

    config: SegmentConfig
    channels: tuple[Channel, ...]


class WindowClassifier(nn.Module):
    """A network on windows in SI units: z-scored, seen, and named."""

    def __init__(self, model: NetworkClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, signal: Tensor) -> Tensor:
        """Signals [B, W, C] in SI units to logits [B, L]."""
        model = self.model
        assert model.head is not None
        out: Tensor = model.head(model.net((signal - model.mean) / model.std))
        return out


def build(file: Path, recipe: Recipe) -> nn.Module:
    """The module of a checkpoint that takes signals in SI units; errors as in `load_model` and `describe`."""
    model = load_model(file)
    if isinstance(model, NetworkClassifier):
        return WindowClassifier(model).eval()
    return describe(exportable(model), recipe.config, recipe.channels, inside=True)[1]


def reference_windows(view: ChannelView) -> SegmentConfig:
    """Two seconds at 50 Hz, the window that XTinyHAR was made for; the others get it too.

    Nothing is filtered: what is measured depends on the shape of a window, and hardly on what is in it.
    """
    prepare = PrepareConfig(rate=50.0, lowpass=0.0, view=view)
    return SegmentConfig(False, window_seconds=2.0, step_seconds=2.0, samples=100, prepare=prepare)


def reference(
    name: str, config: SegmentConfig, channels: tuple[Channel, ...], labels: tuple[str, ...], signal: Floats
) -> tuple[NetworkClassifier, Contract]:
    """One of `REFERENCES` with random weights, on which no time depends, and what it takes and gives.

    Args:
        name: Of the network.
        config: From `reference_windows`.
        channels: Columns of the signal.
        labels: That it is to tell apart.
        signal: [N, W, C] windows in SI units, by whose statistics it z-scores.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = NetworkClassifier(name, len(channels), config.samples, len(labels)).eval()
    flat = torch.from_numpy(signal).flatten(0, 1)
    model.normalise_by(flat.mean(0), flat.std(0))
    contract = Contract(
        kind="classes", model=name, rate=config.prepare.rate, samples=config.samples,
        window_seconds=config.window_seconds, lowpass=config.prepare.lowpass, channels=channels, inside=True,
        labels=labels, embedding=None, weights_sha256=model.fingerprint(), history={},
    )  # fmt: skip
    return model, contract
