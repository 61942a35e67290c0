"""What an exported model takes and gives, as one JSON that travels inside the file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otolith import __version__
from otolith.data.channels import Channel

FORMAT = 1
"""Version of the contract; a reader refuses others."""

KEY = "otolith"
"""Key of the JSON among the metadata of an ONNX file."""


@dataclass(frozen=True)
class Contract:
    """What a device must know of a model.

    Attributes:
        kind: `classes` gives `logits` [B, L], `words` gives `embedding` [B, E] of unit length.
        model: Name of its size.
        rate: Samples per second of the signal before it is brought to `samples`.
        samples: W, samples of a segment.
        window_seconds: Duration of a window; None where whole trials are taken, whose duration is an input.
        lowpass: Cutoff in Hz of the low-pass before the model; 0 is none.
        channels: Columns of the signal; where a model does not look at the placement, one may name several.
        inside: Whether the signal is in SI units; else it is divided by the channels' references before.
        labels: Of the logits, in order.
        embedding: E.
        weights_sha256: Of the checkpoint's weights.
        history: Who was seen in training, by dataset, as the checkpoint says.
    """

    kind: str
    model: str
    rate: float
    samples: int
    window_seconds: float | None
    lowpass: float
    channels: tuple[Channel, ...]
    inside: bool
    labels: tuple[str, ...] | None
    embedding: int | None
    weights_sha256: str
    history: Mapping[str, Any]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs: `signal` [B, W, C], and of whole trials `seconds` [B]."""
        return ("signal",) if self.window_seconds is not None else ("signal", "seconds")

    @property
    def output(self) -> str:
        """Name of the output."""
        return "logits" if self.kind == "classes" else "embedding"

    def to_json(self) -> str:
        """The JSON of `KEY`; the same contract gives the same text."""
        return json.dumps(
            {
                "format": FORMAT,
                "kind": self.kind,
                "model": self.model,
                "rate": self.rate,
                "samples": self.samples,
                "window_seconds": self.window_seconds,
                "lowpass": self.lowpass,
                "channels": [_plain(channel) for channel in self.channels],
                "preprocessing": "inside" if self.inside else "outside",
                "labels": None if self.labels is None else list(self.labels),
                "embedding": self.embedding,
                "weights_sha256": self.weights_sha256,
                "otolith_version": __version__,
                "history": self.history,
            },
            sort_keys=True,
            ensure_ascii=False,
        )


def _plain(channel: Channel) -> dict[str, Any]:
    names = ("name", "sensor", "axis", "unit", "placement", "gravity", "reference")
    return {name: getattr(channel, name) for name in names}


def joined(layouts: Sequence[Sequence[Channel]]) -> tuple[Channel, ...]:
    """One layout for a model that does not look at placements: each column with all places where it is worn."""
    out = []
    for columns in zip(*layouts, strict=True):
        places = " or ".join(sorted({channel.placement for channel in columns}))
        first = columns[0]
        out.append(Channel(first.name, first.sensor, first.axis, places, first.device, first.gravity, first.frame,
                           first.unit))  # fmt: skip
    return tuple(out)
