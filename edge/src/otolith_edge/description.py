"""What a model file says of itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from otolith_edge.errors import ModelError

FORMAT = 1
"""Version of the description that this runtime reads."""


@dataclass(frozen=True)
class Channel:
    """One column of the model's input.

    Attributes:
        name: For example `acc_x` or `waist_acc_x`.
        sensor: `acc`, `gyro`, `mag`, ...
        axis: `x`, `y`, `z`, or empty for a scalar.
        unit: SI unit of the values.
        placement: Where the sensor is worn, in words.
        reference: Size of an ordinary value.
        gravity: Whether gravity is in an acceleration; None for other sensors.
    """

    name: str
    sensor: str
    axis: str
    unit: str
    placement: str
    reference: float
    gravity: bool | None = None


@dataclass(frozen=True)
class Description:
    """What a model takes and gives.

    Attributes:
        kind: `classes` (gives logits of its labels) or `words` (gives a vector in the space of texts).
        model: Its name.
        rate: Samples per second of the signal it was trained on.
        samples: W, samples of the input.
        window_seconds: Duration of a window; None if it takes whole trials of any duration.
        lowpass: Cutoff in Hz of the zero-phase low-pass before it; 0 is none.
        channels: C columns of the input.
        inside: Whether the input is in SI units; else it is divided by the channels' references first.
        labels: L activities of a `classes` model.
        embedding: E of a `words` model.
        weights_sha256: Which weights these are.
        version: Otolith that exported it.
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
    version: str

    @property
    def length(self) -> int:
        """Samples of a window at `rate`, before they are brought to `samples`."""
        return self.samples if self.window_seconds is None else max(2, round(self.window_seconds * self.rate))

    @classmethod
    def parse(cls, text: str, where: str) -> Description:
        """Reads the JSON of the metadata key `otolith`.

        Raises:
            ModelError: It is no such description, or of another version, or cannot be run here.
        """
        try:
            raw = json.loads(text)
            if raw["format"] != FORMAT:
                raise ModelError(
                    f"{where} has description format {raw['format']} and this otolith-edge reads {FORMAT}: "
                    "install the newer otolith-edge, or export the model again"
                )
            return cls._of(raw)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"{where} does not say what it takes and gives ({type(error).__name__}: {error}): "
                "export it with  otolith export"
            ) from error

    @classmethod
    def _of(cls, raw: dict[str, Any]) -> Description:
        labels = raw.get("labels")
        seconds = raw.get("window_seconds")
        found = cls(
            kind=str(raw["kind"]),
            model=str(raw.get("model", "")),
            rate=float(raw["rate"]),
            samples=int(raw["samples"]),
            window_seconds=None if seconds is None else float(seconds),
            lowpass=float(raw.get("lowpass") or 0.0),
            channels=tuple(_channel(channel) for channel in raw["channels"]),
            inside={"inside": True, "outside": False}[raw["preprocessing"]],
            labels=tuple(map(str, labels)) if labels else None,
            embedding=None if raw.get("embedding") is None else int(raw["embedding"]),
            weights_sha256=str(raw.get("weights_sha256", "")),
            version=str(raw.get("otolith_version", "")),
        )
        if found.kind not in ("classes", "words"):
            raise ValueError(f"kind '{found.kind}'")
        if found.kind == "classes" and not found.labels:
            raise ValueError("no labels")
        if not (found.rate > 0 and found.samples > 1 and found.channels):
            raise ValueError("rate, samples or channels")
        if found.window_seconds is not None and not found.window_seconds > 0:
            raise ValueError("window_seconds")
        return found


def _channel(raw: dict[str, Any]) -> Channel:
    return Channel(
        name=str(raw["name"]),
        sensor=str(raw["sensor"]),
        axis=str(raw.get("axis", "")),
        unit=str(raw["unit"]),
        placement=str(raw.get("placement", "")),
        reference=float(raw.get("reference") or 1.0),
        gravity=raw.get("gravity"),
    )
