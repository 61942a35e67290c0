"""From a recording to one vector a window, in the way that the model was trained to see windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from otolith.data.channels import Channel
from otolith.data.loader import collate, cut, references
from otolith.data.patches import patch_count
from otolith.data.recording import Recording
from otolith.data.signal import resample
from otolith.data.upright import seen
from otolith.data.views import ChannelView
from otolith.data.windows import window_starts
from otolith.models.saved import TextModel
from otolith.recognise.timeline import uncovered
from otolith.types import Batch, CheckpointError, ConfigError, DataError

MIN_RATE, MAX_RATE = 20.0, 200.0
"""Rates that the encoder is made for, in Hz; recordings outside are resampled to the nearer one."""

_NO_WORDS = np.zeros(1, np.float32)  # of a channel, for a model that reads none


@dataclass(frozen=True)
class Embedded:
    """The windows of one recording as vectors.

    Attributes:
        starts: [N] seconds from the recording's first sample.
        vectors: float32 [N, E] of unit length, in the space of the texts.
        features: float32 [N, F] for enrolment; they begin with `vectors`.
        seconds: Duration of each window.
        missing: Stretches (start, end) in seconds that no window covers, because samples are missing there.
    """

    starts: NDArray[np.float64]
    vectors: NDArray[np.float32]
    features: NDArray[np.float32]
    seconds: float
    missing: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class _Prepared:
    """A recording as the model sees it: chosen channels, a rate in range, windows without a missing sample."""

    signal: NDArray[np.float32]  # [T, C] in SI
    rate: float
    channels: tuple[Channel, ...]
    starts: NDArray[np.int64]
    length: int


class Recogniser:
    """A model and how it wants its windows.

    Args:
        model: Its `meta["loader"]` says window and patch duration and which channels to keep.
        batch_size: Windows that are in memory at a time.

    Raises:
        CheckpointError: The model does not say how its windows are made.
    """

    def __init__(self, model: TextModel, batch_size: int = 64) -> None:
        self.model, self.batch_size = model, batch_size
        try:
            loader = model.meta["loader"]
            self.window_seconds = float(loader["window_seconds"])
            self.step_seconds = float(loader["step_seconds"])
            self.patch_seconds = float(loader["patch_seconds"][0])
            choice = loader["view"]
            self.view = ChannelView(tuple(choice["sensors"]), tuple(choice["placements"]), choice["gravity"])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CheckpointError(
                "the model does not say how its windows are made (meta['loader']): use a checkpoint that pretrain or "
                "align wrote"
            ) from error

    def windows(
        self, recording: Recording, step_seconds: float | None = None
    ) -> tuple[Iterator[Batch], NDArray[np.float64]]:
        """Batches of windows, made as they are asked for, and the start of each window [N] in seconds.

        The last window is flush with the end, so that no time is left over. Windows with a missing sample are left
        out. A recording shorter than one window is one window.

        Args:
            recording: Any rate.
            step_seconds: From one start to the next; None takes the step of training.

        Raises:
            ConfigError: The view keeps no channel, or the step is not positive.
            DataError: Too short, or every window has a missing sample.
        """
        ready = self._prepare(recording, step_seconds)
        return self._cut(ready), ready.starts / ready.rate

    def embed(self, recording: Recording, step_seconds: float | None = None) -> Embedded:
        """The windows of a recording as vectors; arguments and errors as in `windows`."""
        ready = self._prepare(recording, step_seconds)
        vectors, features = self._run(self._cut(ready))
        starts, seconds = ready.starts / ready.rate, ready.length / ready.rate
        missing = uncovered(starts, seconds, recording.duration, tolerance=1 / ready.rate)
        return Embedded(starts, vectors, features, seconds, missing)

    def embed_windows(
        self, windows: NDArray[np.float32], channels: Sequence[Channel], rate: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Vectors [N, E] and features [N, F] of windows that are cut already.

        Args:
            windows: [N, T, C] in SI, without NaN; T may differ from the training windows.
            channels: One for each column.
            rate: Samples per second.

        Raises:
            ConfigError: The view keeps no channel.
            DataError: The windows are shorter than one patch.
        """
        columns = self._columns(channels)
        kept = tuple(channels[c] for c in columns)
        batches = (windows[i : i + self.batch_size][..., columns] for i in range(0, len(windows), self.batch_size))
        return self._run(self._batch(*_all_in_range(batch, rate), kept) for batch in batches)

    def _columns(self, channels: Sequence[Channel]) -> list[int]:
        """What the view keeps. Where a model goes by words and not by place, in an order of its own: a profile serves
        recordings whose columns come in another one.
        """
        columns = self.view.columns(channels)
        return sorted(columns, key=lambda c: channels[c].description) if self.model.reads_channels else columns

    def _prepare(self, recording: Recording, step_seconds: float | None) -> _Prepared:
        step = self.step_seconds if step_seconds is None else step_seconds
        if not step > 0:
            raise ConfigError(f"a step of {step:g} s from one window to the next is not positive; give seconds above 0")
        where = f"recording '{recording.name}'"
        columns = self._columns(recording.channels)
        signal, rate = _in_range(recording.signal[:, columns], recording.rate)
        channels = tuple(recording.channels[c] for c in columns)
        length = min(round(self.window_seconds * rate), len(signal))
        if patch_count(length, rate, self.patch_seconds) == 0:
            raise DataError(
                f"{where} lasts {recording.duration:.3g} s, less than the {self.patch_seconds:g} s that this model "
                "needs at the least; give a longer one"
            )
        starts = window_starts(signal, length, max(1, round(step * rate)), flush=True)
        if not len(starts):
            empty = [c.name for c, column in zip(channels, signal.T, strict=True) if np.isnan(column).all()]
            raise DataError(
                f"{where}: channel '{empty[0]}' has no values at all; leave it out"
                if empty
                else f"{where} has missing samples in every stretch of {length / rate:.3g} s; fill short gaps or leave "
                "out the channel that lacks them"
            )
        return _Prepared(signal, rate, channels, starts, length)

    def _cut(self, ready: _Prepared) -> Iterator[Batch]:
        span = np.arange(ready.length)
        for first in range(0, len(ready.starts), self.batch_size):
            rows = ready.starts[first : first + self.batch_size]
            yield self._batch(ready.signal[rows[:, None] + span], ready.rate, ready.channels)

    def _batch(self, windows: NDArray[np.float32], rate: float, channels: tuple[Channel, ...]) -> Batch:
        upright = self.model.upright
        said = sorted({channel.description for channel in seen(channels, upright=upright)})
        text = self.model.texts.table(said) if self.model.reads_channels else dict.fromkeys(said, _NO_WORDS)
        pieces = cut(windows / references(channels), channels, rate, self.patch_seconds, upright=upright)
        return collate([pieces], text)

    @torch.no_grad()
    def _run(self, batches: Iterable[Batch]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        device = self.model.bank.query.device
        was_training = self.model.training
        self.model.eval()
        try:
            parts = [self.model.channel_features(batch.to(device)).float().cpu().numpy() for batch in batches]
        finally:
            self.model.train(was_training)
        features = np.concatenate(parts)
        return features[:, : self.model.bank.config.dim], features


def _in_range(signal: NDArray[np.float32], rate: float) -> tuple[NDArray[np.float32], float]:
    """A signal [T, C] at a rate that the encoder is made for, and that rate."""
    wanted = min(max(rate, MIN_RATE), MAX_RATE)
    return (signal, rate) if wanted == rate else (resample(signal, rate, wanted), wanted)


def _all_in_range(windows: NDArray[np.float32], rate: float) -> tuple[NDArray[np.float32], float]:
    """`_in_range` for windows [N, T, C]."""
    n, t, c = windows.shape
    signal, wanted = _in_range(windows.transpose(1, 0, 2).reshape(t, n * c), rate)
    return signal.reshape(-1, n, c).transpose(1, 0, 2), wanted
