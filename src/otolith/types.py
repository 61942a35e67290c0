"""The batch and the errors that every room shares."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

PATCH_SAMPLES = 64
"""Samples in a patch after resampling, whatever its duration and the sensor's rate."""

_MOST_QUOTED = 100_000
_LONGEST = 900

MAX_CHANNELS = 52
"""The most channels that one recording may have (the widest public set at hand has 45)."""


class OtolithError(Exception):
    """Bad input, said in one sentence: what, where, how to mend. The command exits with code 2.

    The sentence may quote a foreign file: what cannot be printed becomes `?`, and what has no end is cut.
    """

    def __init__(self, sentence: str = "") -> None:
        plain = "".join(c if c.isprintable() else "?" for c in str(sentence)[:_MOST_QUOTED])
        plain = re.sub(r"\S{400,}", lambda long: f"{long[0][:80]}...", plain)
        super().__init__(plain if len(plain) <= _LONGEST else f"{plain[:600]} ... {plain[-200:]}")


class DataError(OtolithError):
    """A recording, a file or a dataset that cannot be used as it is."""


class UnitError(DataError):
    """A unit that is unknown, missing, or physically implausible for its sensor."""


class LeakError(DataError):
    """A subject, a recording or a window is on both sides of a split."""


class ConfigError(OtolithError):
    """A configuration value or key that cannot be used."""


class CheckpointError(OtolithError):
    """A checkpoint that is damaged, foreign or of another version."""


class MissingExtraError(OtolithError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs '{package}': install it with  pip install 'otolith[{extra}]'")


@dataclass  # not frozen: the training engine converts its tensors in place of the fields
class Batch:
    """Windows cut into patches, padded to common sizes. B windows, P patches, C channels.

    Values are in reference units (`Channel.reference`): acceleration in g, angular rate in rad/s,
    magnetic field in 50 µT; so every channel is of order one, and the zero keeps its meaning.
    """

    patches: Tensor  # [B, P, 64, C] float32
    patch_mask: Tensor  # [B, P] bool, True where valid
    channel_mask: Tensor  # [B, C] bool, True where valid
    channel_text: Tensor  # [B, C, E] float32, sentence embedding of each channel's description
    patch_seconds: Tensor  # [B] float32, duration of one patch
    augmented: Tensor | None = None  # [B, P, 64, C], a second view of the same windows
    masked: Tensor | None = None  # [B, P, C] bool, True where the encoder must not look
    label: Tensor | None = None  # [B] long, index into the task's labels; -1 is unlabelled
    dataset: Tensor | None = None  # [B] long, index into the loader's datasets

    def __len__(self) -> int:
        return int(self.patches.shape[0])

    def to(self, device: Any) -> Batch:
        """The same batch with every tensor on `device`."""
        tensors = {k: v for k, v in vars(self).items() if v is not None}
        return replace(self, **{k: v.to(device, non_blocking=True) for k, v in tensors.items()})


@dataclass  # as Batch
class SegmentBatch:
    """Segments (windows, or whole trials brought to one length) cut into patches. B segments, P patches, S samples.

    Values are in reference units, as in `Batch`. The C channels are the same in every segment.
    """

    patches: Tensor  # [B, P, S, C] float32
    patch_mask: Tensor  # [B, P] bool, True where valid
    centre: Tensor  # [B, P] float32, middle of each patch as a share of the segment, 0 to 1
    seconds: Tensor  # [B, P] float32, duration of each patch; 0 where there is none
    skeleton: Tensor | None = None  # [B, F, J, 3] float32, in trunk lengths about the hip; NaN where none was seen
    label: Tensor | None = None  # [B] long, index into the task's labels; -1 is unlabelled
    dataset: Tensor | None = None  # [B] long, index into the loader's datasets
    window: Batch | None = None  # the same segments as a text-aligned teacher sees them

    def __len__(self) -> int:
        return int(self.patches.shape[0])

    def to(self, device: Any) -> SegmentBatch:
        """The same batch with every tensor on `device`."""
        tensors = {k: v for k, v in vars(self).items() if v is not None}
        return replace(self, **{k: v.to(device) for k, v in tensors.items()})
