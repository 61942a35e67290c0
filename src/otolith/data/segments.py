"""Segments: whole trials or windows at one length, with the skeleton of the same seconds beside them, as batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from otolith.data.augmenter import AugmentConfig, Augmenter
from otolith.data.channels import Channel, triads
from otolith.data.loader import Request, TextTable, collate, cut
from otolith.data.patching import PatchingConfig, patch
from otolith.data.prepared import PrepareConfig, Prepared, interpolate, kind, prepare
from otolith.data.store import Dataset
from otolith.data.windows import WindowIndex, index_trials, index_windows
from otolith.types import Batch, ConfigError, DataError, SegmentBatch

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SegmentConfig:
    """What one segment is, and how a model sees it."""

    whole_trials: bool = True
    """Each annotated stretch is one segment, brought to `samples`; else windows of `window_seconds`."""
    window_seconds: float = 2.0
    """Duration of a window; the shortest trial, where whole trials are taken, is half of it."""
    step_seconds: float = 1.0
    """From one window's start to the next."""
    samples: int = 160
    """Samples of a segment, W, however long it lasted."""
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    """Rate, filter and channels."""
    patching: PatchingConfig = field(default_factory=PatchingConfig)
    """How a segment is cut."""

    def __post_init__(self) -> None:
        if self.samples < 8 or not (self.window_seconds > 0 and self.step_seconds > 0):
            raise ConfigError("segments: samples must be 8 or more, window_seconds and step_seconds positive")
        if not self.patching.dynamic and self.patching.size > self.samples:
            raise ConfigError(f"segments: patches of {self.patching.size} samples do not fit into {self.samples}")

    def index(self, dataset: Dataset) -> WindowIndex:
        """The segments of a dataset; errors as in `index_trials` and `index_windows`."""
        view = self.prepare.view
        if self.whole_trials:
            return index_trials(dataset, self.window_seconds / 2, view)
        return index_windows(dataset, self.window_seconds, self.step_seconds, view=view)


@dataclass(frozen=True)
class SegmentAugment:
    """What training changes in a segment, the skeleton included."""

    signal: AugmentConfig = field(default_factory=lambda: AugmentConfig(rotation_degrees=30.0, shift=0.0))
    """Of the sensors."""
    crop: float = 0.1
    """Largest share cut off either end, in both modalities alike."""
    skeleton_turn: float = 20.0
    """Standard deviation in degrees of a turn of the body about the vertical."""
    skeleton_scale: float = 0.1
    """Standard deviation of the logarithm of the body's size."""
    skeleton_jitter: float = 0.02
    """Standard deviation of the noise on each joint, in lengths of the trunk."""

    def __post_init__(self) -> None:
        if not 0 <= self.crop < 0.5 or min(self.skeleton_turn, self.skeleton_scale, self.skeleton_jitter) < 0:
            raise ConfigError("augment: crop must be in [0, 0.5), the strengths of the skeleton 0 or more")


class Segments:
    """Segments of several datasets, as batches; `Plan` draws from it as from `Windows`.

    Args:
        indexes: Segments of each dataset; all recordings must have the same kind of channels in the same order.
        config: What a segment is.
        labels: Label of each class number; segments with other labels get -1.
        augment: None loads plain segments.
        skeletons: Whether the skeleton of the same seconds is wanted.
        text: Sentence vectors of the channels, where the batch of a text-aligned teacher is wanted beside each segment.
        patch_seconds: Of that teacher.
        upright: Whether that teacher sees channels along gravity and across it.
        change: Applied to the sensors' segments [B, W, C] in reference units before they are cut, with the random
            generator of the request: what a test of robustness does to them. A channel that it leaves NaN gives
            nothing: the encoder is told so by its channel mask, what sees fixed channels reads zero.

    Raises:
        DataError: Recordings differ in their channels, or none has the skeleton that is wanted.
    """

    def __init__(
        self,
        indexes: Sequence[WindowIndex],
        config: SegmentConfig,
        *,
        labels: Sequence[str] = (),
        augment: SegmentAugment | None = None,
        skeletons: bool = False,
        text: TextTable | None = None,
        patch_seconds: float = 1.0,
        upright: bool = False,
        change: Callable[[Floats, np.random.Generator], Floats] | None = None,
    ) -> None:
        self.indexes, self.config, self.augment = list(indexes), config, augment
        self.text, self.patch_seconds, self.upright, self.change = text, patch_seconds, upright, change
        self.parts = [prepare(index, config.prepare, skeletons=skeletons) for index in self.indexes]
        sizes = [len(index) for index in self.indexes]
        self.dataset = np.repeat(np.arange(len(sizes)), sizes)
        self.first = np.concatenate([[0], np.cumsum(sizes)])
        self.text_labels = np.concatenate([index.label for index in self.indexes])
        self.subjects = np.concatenate([index.subject for index in self.indexes])
        number = {label: k for k, label in enumerate(labels)}
        self.label = np.array([number.get(str(x), -1) for x in self.text_labels], dtype=np.int64)
        self.channels = _one_kind(self.parts)
        self.triads = [columns for body in triads(self.channels).values() for columns in body]
        bodies = {part.skeleton.shape[2] for part in self.parts if part.skeleton is not None}
        if len(bodies) > 1:
            raise DataError(f"skeletons of {' and '.join(map(str, sorted(bodies)))} joints: train on one kind")
        self.acceleration = next(list(t) for t in self.triads if self.channels[t[0]].sensor == "acc")
        self.seconds = np.concatenate([part.length for part in self.parts]) / config.prepare.rate
        self.rate = config.samples / float(self.seconds.mean())
        self.augmenter = Augmenter(augment.signal, triads(self.channels)) if augment else None
        layouts = [layout for index in self.indexes for layout in index.dataset.layouts]
        self.worn = [tuple(filter(config.prepare.view.keeps, layout)) for layout in layouts]
        begin = np.cumsum([0, *(len(index.dataset.layouts) for index in self.indexes)])
        own = [index.dataset.recordings["layout"].to_numpy(np.int64)[index.recording] for index in self.indexes]
        self.layout = np.concatenate([first + layout for first, layout in zip(begin, own, strict=False)])

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, request: Request) -> SegmentBatch:
        """Loads one batch; the same request gives the same batch in any process."""
        rng = np.random.default_rng(request.seed)
        count, rows = len(request.rows), request.rows
        share = np.broadcast_to(np.linspace(0, 1, self.config.samples), (count, self.config.samples))
        if self.augment:
            begin, cut = rng.random((2, count, 1)) * self.augment.crop
            share = begin + (1 - cut - begin) * share
        signal = self._signal(rows, share)
        if self.augmenter:
            signal = self.augmenter(signal, self.rate, rng)
        if self.change:
            signal = self.change(signal, rng)
        window = self._window(signal, rows)
        if self.change:
            signal, window = np.nan_to_num(signal), _without_absent(window)
        patches, valid, centres, lengths = patch(signal, signal[..., self.acceleration], self.config.patching)
        # A crop is stretched to the whole, so its patches last less long.
        lasted = self.seconds[rows, None] * (share[:, -1:] - share[:, :1])
        bodies = self._skeleton(rows, share, rng)
        return SegmentBatch(
            torch.from_numpy(patches),
            torch.from_numpy(valid),
            torch.from_numpy(centres),
            torch.from_numpy((lengths * lasted).astype(np.float32)),
            skeleton=None if bodies is None else torch.from_numpy(bodies),
            label=torch.from_numpy(self.label[rows]),
            dataset=torch.from_numpy(self.dataset[rows]),
            window=window,
        )

    def batches(self, batch_size: int = 256) -> Iterator[tuple[SegmentBatch, NDArray[np.int64]]]:
        """All segments once, in order: each batch and its rows."""
        for first in range(0, len(self), batch_size):
            rows = np.arange(first, min(first + batch_size, len(self)))
            yield self[Request(rows, (0, 0, first))], rows

    @property
    def joints(self) -> int:
        """Joints of the skeletons; 0 where none are wanted."""
        skeleton = self.parts[0].skeleton
        return 0 if skeleton is None else skeleton.shape[2]

    def bucket(self) -> NDArray[np.int64]:
        """[N] one bucket: all segments have the same shape."""
        return np.zeros(len(self), np.int64)

    def group_numbers(self) -> NDArray[np.int64]:
        """[N] number of each segment's activity; batches may be balanced over them."""
        return np.unique(self.text_labels, return_inverse=True)[1].astype(np.int64)

    def plain(self) -> Floats:
        """All segments [N, W, C], in reference units, `change` applied; skeletons, where wanted, as further columns."""
        share = np.linspace(0, 1, self.config.samples)
        out = self._signal(np.arange(len(self)), np.broadcast_to(share, (len(self), len(share))))
        if self.change:
            out = np.nan_to_num(self.change(out, np.random.default_rng(0)))
        bodies = [part.skeleton for part in self.parts if part.skeleton is not None]
        if not bodies:
            return out
        flat = np.concatenate(bodies).reshape(len(self), bodies[0].shape[1], -1)
        places = np.broadcast_to(share * (flat.shape[1] - 1), (len(self), len(share)))
        return np.concatenate([out, interpolate(flat, places)], axis=2)

    def statistics(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation [C + M] of the channels and of the magnitude of each three-axis sensor.

        They are of these segments alone: called on the training side, nothing of a held-out person gets into them.
        """
        signal = self.plain()[..., : len(self.channels)].astype(np.float64)
        sizes = [np.linalg.norm(signal[..., list(t)], axis=-1, keepdims=True) for t in self.triads]
        values = np.concatenate([signal, *sizes], axis=-1).reshape(-1, signal.shape[-1] + len(sizes))
        return values.mean(axis=0).astype(np.float32), values.std(axis=0).astype(np.float32)

    def _signal(self, rows: NDArray[np.int64], share: NDArray[np.float64]) -> Floats:
        """Sensors' segments [B, W, C] at shares of the duration [B, W], in reference units."""
        out = np.empty((len(rows), self.config.samples, len(self.channels)), np.float32)
        for number, part in enumerate(self.parts):
            at = self.dataset[rows] == number
            if at.any():
                local = rows[at] - self.first[number]
                out[at] = interpolate(part.signal[local], share[at] * (part.length[local] - 1)[:, None])
        return out

    def _skeleton(self, rows: NDArray[np.int64], share: NDArray[np.float64], rng: np.random.Generator) -> Floats | None:
        """Skeletons [B, F, J, 3] of the same shares of the duration, NaN where there is none."""
        if self.parts[0].skeleton is None:
            return None
        assert len(self.parts) == 1 or all(part.skeleton is not None for part in self.parts)
        frames = self.parts[0].skeleton.shape[1]
        when = share[:, :1] + (share[:, -1:] - share[:, :1]) * np.linspace(0, 1, frames)
        out = np.empty((len(rows), *self.parts[0].skeleton.shape[1:]), np.float32)
        for number, part in enumerate(self.parts):
            at = self.dataset[rows] == number
            if at.any() and part.skeleton is not None:
                bodies = part.skeleton[rows[at] - self.first[number]]
                flat = interpolate(bodies.reshape(len(bodies), frames, -1), when[at] * (frames - 1))
                out[at] = flat.reshape(bodies.shape)
        return _vary_bodies(out, self.augment, rng) if self.augment else out

    def _window(self, signal: Floats, rows: NDArray[np.int64]) -> Batch | None:
        """The same segments as a text-aligned teacher sees them, each with the words of where it was worn."""
        if self.text is None:
            return None
        cuts, order = [], []
        for layout in np.unique(self.layout[rows]):
            at = np.flatnonzero(self.layout[rows] == layout)
            cuts.append(cut(signal[at], self.worn[layout], self.rate, self.patch_seconds, upright=self.upright))
            order.append(at)
        return collate(cuts, self.text, np.concatenate(order))


def _without_absent(window: Batch | None) -> Batch | None:
    """The window with channels that are NaN masked."""
    if window is None:
        return None
    absent = window.patches.isnan().any(dim=2).any(dim=1)
    return replace(window, patches=window.patches.nan_to_num(), channel_mask=window.channel_mask & ~absent)


def _one_kind(parts: Sequence[Prepared]) -> tuple[Channel, ...]:
    """The channels of all parts, by the first; the placement may differ, what the columns measure may not."""
    if len({kind(part.channels) for part in parts}) > 1:
        raise DataError("the datasets differ in the sensors or axes of their channels: train on one kind")
    channels = parts[0].channels
    if not any(channels[t[0]].sensor == "acc" for body in triads(channels).values() for t in body):
        raise DataError("segments need a three-axis accelerometer: choose a view that keeps one")
    return channels


def _vary_bodies(bodies: Floats, augment: SegmentAugment, rng: np.random.Generator) -> Floats:
    """Bodies [B, F, J, 3] turned about the vertical (y), resized, with noise."""
    count = len(bodies)
    angle = np.radians(augment.skeleton_turn) * rng.standard_normal(count)
    turn = np.zeros((count, 1, 3, 3), np.float32)
    turn[:, 0, 0, 0] = turn[:, 0, 2, 2] = np.cos(angle)
    turn[:, 0, 0, 2], turn[:, 0, 2, 0] = np.sin(angle), -np.sin(angle)
    turn[:, 0, 1, 1] = 1
    size = np.exp(augment.skeleton_scale * rng.standard_normal((count, 1, 1, 1))).astype(np.float32)
    noise = rng.standard_normal(bodies.shape, dtype=np.float32)
    out: Floats = bodies @ turn * size + np.float32(augment.skeleton_jitter) * noise
    return out
