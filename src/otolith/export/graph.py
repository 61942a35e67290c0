"""The graph that goes onto a device: units, patches and z-scoring inside, every shape but the batch fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from otolith.data.channels import Channel
from otolith.data.loader import references
from otolith.data.patches import patch_count, resample_matrix
from otolith.data.patching import PatchingConfig, fixed_bounds, take_patches
from otolith.data.upright import LEAST, Triad, bodies, seen
from otolith.models.model import Otolith
from otolith.models.pupil import Student, TextStudent
from otolith.models.student import InertialTransformer
from otolith.types import PATCH_SAMPLES, DataError


class Network(Protocol):
    """What gives an answer to patches."""

    def __call__(self, patches: Tensor, seconds: Tensor | None) -> Tensor:
        """[B, P, S, C] in reference units, and durations of the trials [B] or None, to answers [B, ...]."""
        ...


@dataclass(frozen=True)
class Cut:
    """Where the patches of a segment are: all of one length, resampled by one matrix.

    Attributes:
        starts: [P] first sample of each patch.
        matrix: [S, n] from the n samples of a patch to S.
    """

    starts: NDArray[np.int64]
    matrix: NDArray[np.float32]

    @classmethod
    def of_segments(cls, samples: int, patching: PatchingConfig) -> Cut:
        """As `otolith.data.patching.patch` cuts patches of a fixed size."""
        bounds = fixed_bounds(1, samples, patching.size)[0]
        length = int(bounds[0, 1])
        unit = np.eye(length, dtype=np.float32)[None]
        matrix = take_patches(unit, np.array([[[0, length]]], np.int64), patching.samples)[0, 0]
        return cls(bounds[:, 0], matrix)

    @classmethod
    def of_windows(cls, samples: int, rate: float, patch_seconds: float) -> Cut:
        """As `otolith.data.patches.to_patches` does.

        Raises:
            ConfigError: A patch holds fewer than two samples.
            DataError: The window is shorter than one patch.
        """
        count, step = patch_count(samples, rate, patch_seconds), rate * patch_seconds
        if not count:
            raise DataError(f"a window of {samples} samples at {rate:g} Hz is shorter than a patch: take a higher rate")
        length = min(round(step), samples)
        starts = np.minimum(np.rint(np.arange(count) * step).astype(np.int64), samples - length)
        return cls(starts, resample_matrix(length, PATCH_SAMPLES))


class Graph(nn.Module):
    """A signal to answers.

    Args:
        network: What sees the patches.
        cut: Where they are.
        channels: Columns of the signal.
        inside: Whether the signal comes in SI units, and not in reference units.
        upright: Whether the network sees channels along gravity and across it as well.
    """

    index: Tensor
    matrix: Tensor
    reference: Tensor

    def __init__(
        self, network: nn.Module, cut: Cut, channels: tuple[Channel, ...], *, inside: bool, upright: bool = False
    ) -> None:
        super().__init__()
        self.network, self.inside = network, inside
        self.bodies = list(bodies(channels)) if upright else []
        length = cut.matrix.shape[1]
        self.register_buffer("index", torch.from_numpy(cut.starts[:, None] + np.arange(length)))
        self.register_buffer("matrix", torch.from_numpy(cut.matrix.copy()))
        self.register_buffer("reference", torch.from_numpy(references(channels)))
        self.resampled = not np.array_equal(cut.matrix, np.eye(length, dtype=np.float32))

    def forward(self, signal: Tensor, seconds: Tensor | None = None) -> Tensor:
        """Signals [B, W, C], and of whole trials their durations [B], to logits [B, L] or unit vectors [B, E]."""
        if self.inside:
            signal = signal / self.reference
        patches = _with_upright(signal, self.bodies)[:, self.index]
        if self.resampled:
            patches = self.matrix @ patches
        out: Tensor = self.network(patches, seconds)
        return out


def _with_upright(signal: Tensor, found: Sequence[tuple[Triad, list[Triad]]]) -> Tensor:
    """As `otolith.data.upright.add_upright`, for a graph."""
    parts = [signal]
    for acc, sensors in found:
        mean = signal[..., acc].mean(dim=1, keepdim=True)
        up = mean / (mean * mean).sum(-1, keepdim=True).sqrt().clamp(min=LEAST)
        for triad in sensors:
            values = signal[..., triad]
            along = (values * up).sum(-1, keepdim=True)
            across = values - along * up
            parts += [along, (across * across).sum(-1, keepdim=True).sqrt()]
    return torch.cat(parts, dim=-1)


class StudentNetwork(nn.Module):
    """A student without masks: its `forward` asks the mask whether it is full, which no graph can.

    Args:
        net: The transformer.
        head: To logits, or into the space of the texts.
        centre: [P] place of each patch, 0 to 1.
        share: [P] duration of each patch as a share of the trial's, or, where that is no input, in seconds.
        unit: Whether the answer has unit length.
    """

    centre: Tensor
    share: Tensor

    def __init__(
        self,
        net: InertialTransformer,
        head: nn.Linear,
        centre: NDArray[np.float32],
        share: NDArray[np.float32],
        *,
        unit: bool,
    ) -> None:
        super().__init__()
        self.net, self.head, self.unit = net, head, unit
        self.register_buffer("centre", torch.from_numpy(centre[None]))
        self.register_buffer("share", torch.from_numpy(share[None]))

    def forward(self, patches: Tensor, seconds: Tensor | None) -> Tensor:
        """As `Network`."""
        batch = patches.shape[0]
        lasted = self.share.expand(batch, -1) if seconds is None else seconds[:, None] * self.share
        tokens = self.net.tokens(patches, self.centre, lasted)
        x = torch.cat([self.net.start.expand(batch, 1, -1), tokens], dim=1)
        for layer in self.net.layers:
            x, _ = layer(x, None)
        answer: Tensor = self.head(self.net.norm(x[:, 0]))
        return F.normalize(answer, dim=-1) if self.unit else answer


class EncoderNetwork(nn.Module):
    """The encoder and its head into the space of the texts, with the words of its channels baked in.

    Args:
        model: The model.
        words: [C, E] sentence vectors of the channels.
        patch_seconds: Duration of a patch.
    """

    words: Tensor
    patch_seconds: Tensor

    def __init__(self, model: Otolith, words: Tensor, patch_seconds: float) -> None:
        super().__init__()
        self.encoder, self.head = model.encoder, model.head
        self.register_buffer("words", words[None])
        self.register_buffer("patch_seconds", torch.tensor([patch_seconds]))

    def forward(self, patches: Tensor, seconds: Tensor | None) -> Tensor:
        """As `Network`; the durations of trials are not looked at."""
        # One row of words serves the whole batch.
        tokens = self.encoder(patches, self.words, self.patch_seconds)
        batch, count, channels, _ = tokens.shape
        valid = [torch.ones(batch, n, dtype=torch.bool, device=tokens.device) for n in (count, channels)]
        out: Tensor = self.head(tokens, *valid)
        return out


def class_graph(
    model: Student, samples: int, patching: PatchingConfig, seconds: float | None, channels: tuple[Channel, ...],
    *, inside: bool,
) -> Graph:  # fmt: skip
    """A student of classes.

    Args:
        model: The student.
        samples: W.
        patching: Of a fixed size.
        seconds: Duration of a window; None where it is an input.
        channels: Columns of the signal.
        inside: As in `Graph`.
    """
    assert model.head is not None
    cut = Cut.of_segments(samples, patching)
    length = cut.matrix.shape[1]
    centre = ((cut.starts + length / 2) / samples).astype(np.float32)
    share = np.full(len(centre), length / samples * (1.0 if seconds is None else seconds), np.float32)
    return _checked(Graph(StudentNetwork(model.net, model.head, centre, share, unit=False), cut, channels,
                          inside=inside), samples, trials=seconds is None)  # fmt: skip


def word_graph(
    model: TextStudent | Otolith, samples: int, rate: float, patch_seconds: float, channels: tuple[Channel, ...],
    *, inside: bool,
) -> Graph:  # fmt: skip
    """A model that embeds windows in the space of the texts; arguments as in `Cut.of_windows` and `Graph`.

    Raises:
        MissingExtraError: The words of a channel are new to the encoder, and the text encoder is not installed.
    """
    cut = Cut.of_windows(samples, rate, patch_seconds)
    network: nn.Module
    if isinstance(model, Otolith):
        said = [channel.description for channel in seen(channels, upright=model.upright)]
        words = model.texts.sentences(said)
        network = EncoderNetwork(model, words, patch_seconds)
    else:
        centre = ((np.arange(len(cut.starts)) + 0.5) / len(cut.starts)).astype(np.float32)
        network = StudentNetwork(model.net, model.text, centre, np.full_like(centre, patch_seconds), unit=True)
    return _checked(Graph(network, cut, channels, inside=inside, upright=model.upright), samples, trials=False)


def example(samples: int, channels: int, *, trials: bool, batch: int = 1) -> tuple[Tensor, ...]:
    """Inputs of the right shapes."""
    signal = torch.linspace(-1, 1, batch * samples * channels).reshape(batch, samples, channels)
    return (signal, torch.ones(batch)) if trials else (signal,)


@torch.no_grad()
def _checked(graph: Graph, samples: int, *, trials: bool) -> Graph:
    """The graph in eval mode, after it has run once: what does not fit is said here and not by an exporter."""
    graph.eval()
    graph(*example(samples, len(graph.reference), trials=trials))
    return graph
