"""From windows on disk to batches: gather, view, augment, cut into patches, pad, mask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from otolith.data.augment import channel_shuffle
from otolith.data.augmenter import AugmentConfig, Augmenter
from otolith.data.channels import Channel, triads
from otolith.data.masking import check_masking, structured_mask
from otolith.data.patches import to_patches
from otolith.data.sampling import SamplingConfig, epoch_batches
from otolith.data.upright import add_upright, seen
from otolith.data.views import ChannelView
from otolith.data.windows import UNLABELLED, WindowIndex
from otolith.types import MAX_CHANNELS, PATCH_SAMPLES, Batch, ConfigError, DataError

TextTable = Mapping[str, NDArray[np.float32]]
"""Channel description to its sentence embedding [E]."""


@dataclass(frozen=True)
class MaskConfig:
    """Structured masking for stage 1."""

    ratio: float = 0.5
    """Share of the valid tokens (patch x channel) that is hidden."""
    span: int = 2
    """Patches in a hidden span of time."""
    channel_dropout: float = 0.1
    """Probability that a channel is hidden over the whole window."""

    def __post_init__(self) -> None:
        check_masking(self.ratio, self.span, self.channel_dropout)


@dataclass(frozen=True)
class LoaderConfig:
    """What a batch holds."""

    window_seconds: float = 4.0
    """Duration of a window."""
    step_seconds: float = 1.0
    """From one window's start to the next."""
    patch_seconds: tuple[float, ...] = (1.0,)
    """Durations of a patch; several are drawn from at random in training, the first is used at evaluation."""
    view: ChannelView = field(default_factory=ChannelView)
    """Channels to keep."""
    one_placement: bool = False
    """Whether a training window of several sensors shows one of them, drawn anew for each batch, so that a model learns
    from every place alone; at evaluation all are shown."""
    upright: bool = False
    """Whether the parts of each triad along gravity and across it are channels too, made of the (augmented) window."""
    workers: int = 0
    """Loader processes; 0 loads in the training process, which is fastest for small windows."""

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ConfigError(f"loader.workers must be 0 or more, not {self.workers}")
        if not self.patch_seconds or min(self.patch_seconds) <= 0:
            raise ConfigError(f"loader.patch_seconds must list positive durations, not {self.patch_seconds}")
        if max(self.patch_seconds) > self.window_seconds:
            raise ConfigError(
                f"loader.patch_seconds {max(self.patch_seconds):g} is longer than "
                f"loader.window_seconds {self.window_seconds:g}"
            )


@dataclass(frozen=True)
class Cut:
    """Windows of one layout, cut into patches."""

    patches: NDArray[np.float32]  # [B, P, 64, C]
    channels: tuple[Channel, ...]
    seconds: float


def cut(
    windows: NDArray[np.float32], channels: tuple[Channel, ...], rate: float, seconds: float, *, upright: bool = False
) -> Cut:
    """Windows [B, T, C] in reference units at `rate` to patches, `upright` with channels along gravity and across."""
    if upright:
        windows = add_upright(windows, channels)
    return Cut(to_patches(windows, rate, seconds), seen(channels, upright=upright), seconds)


def references(channels: Sequence[Channel]) -> NDArray[np.float32]:
    """[C] size of an ordinary value of each channel."""
    return np.array([c.reference for c in channels], dtype=np.float32)


def collate(cuts: Sequence[Cut], text: TextTable, order: NDArray[np.int64] | None = None) -> Batch:
    """Joins cuts of any channel and patch counts into one padded batch.

    Args:
        cuts: At least one.
        text: Must hold the description of every channel.
        order: [B] place in the batch of each window of the cuts; None keeps their order.

    Returns:
        A batch without labels; padding is zero and masked.
    """
    total = sum(len(c.patches) for c in cuts)
    patches = max(c.patches.shape[1] for c in cuts)
    channels = max(c.patches.shape[3] for c in cuts)
    if channels > MAX_CHANNELS:
        raise DataError(
            f"{channels} channels in one window, but at most {MAX_CHANNELS} can be used; choose a view with fewer"
        )
    width = len(next(iter(text.values())))
    order = np.arange(total) if order is None else order
    patch_mask = np.zeros((total, patches), bool)
    channel_mask = np.zeros((total, channels), bool)
    words = np.zeros((total, channels, width), np.float32)
    seconds = np.zeros(total, np.float32)
    row = 0
    for c in cuts:
        n, p, _, k = c.patches.shape
        here = order[row : row + n]
        patch_mask[here, :p], channel_mask[here, :k] = True, True
        words[here, :k] = np.stack([text[channel.description] for channel in c.channels])
        seconds[here] = c.seconds
        row += n
    arrays = (_pad(cuts, order, patches, channels), patch_mask, channel_mask, words, seconds)
    return Batch(*(torch.from_numpy(a) for a in arrays))


def _pad(cuts: Sequence[Cut], order: NDArray[np.int64], patches: int, channels: int) -> NDArray[np.float32]:
    # In numpy: indexing small tensors in torch wakes its threads, which on a busy machine takes ten times as long.
    values = np.zeros((len(order), patches, PATCH_SAMPLES, channels), np.float32)
    row = 0
    for c in cuts:
        n, p, _, k = c.patches.shape
        values[order[row : row + n], :p, :, :k] = c.patches
        row += n
    return values


@dataclass(frozen=True)
class Shown:
    """Channels of one layout that a window shows."""

    columns: list[int]
    channels: tuple[Channel, ...]
    augmenter: Augmenter | None


@dataclass(frozen=True)
class Request:
    """One batch to load: which windows, and the numbers that seed its randomness."""

    rows: NDArray[np.int64]
    seed: tuple[int, int, int]  # run seed, epoch, batch


class Windows(TorchDataset[Batch]):
    """Windows of several datasets as a source of whole batches.

    Args:
        indexes: Windows of each dataset.
        text: Embeddings of the channel descriptions, of all that the view keeps.
        config: Patch durations and view.
        labels: Label of each class number; windows with other labels get -1.
        augment: Augmentations of training batches; None loads plain windows.
        views: Whether a second, augmented view is wanted (stage 1); else `patches` itself is augmented.
        mask: Structured masking; None hides nothing.
    """

    def __init__(
        self,
        indexes: Sequence[WindowIndex],
        text: TextTable,
        config: LoaderConfig,
        *,
        labels: Sequence[str] = (),
        augment: AugmentConfig | None = None,
        views: bool = False,
        mask: MaskConfig | None = None,
    ) -> None:
        if views and augment is None:
            raise ValueError("two views need augmentations")
        self.indexes, self.text, self.config = list(indexes), text, config
        self.views, self.mask = views, mask
        sizes = [len(i) for i in self.indexes]
        self.dataset = np.repeat(np.arange(len(sizes)), sizes)
        self.first = np.concatenate([[0], np.cumsum(sizes)])
        self.text_labels = np.concatenate([i.label for i in self.indexes])
        number = {label: k for k, label in enumerate(labels)}
        self.label = np.array([number.get(str(x), -1) for x in self.text_labels], dtype=np.int64)
        self.training = augment is not None
        self.shown: dict[tuple[int, int], list[Shown]] = {}
        for d, index in enumerate(self.indexes):
            used = set(index.dataset.recordings["layout"].to_numpy()[index.recording].tolist())
            for layout, channels in enumerate(index.dataset.layouts):
                if layout in used:  # else of another recording of the session, such as the skeleton
                    self.shown[d, layout] = _shown(channels, config, augment)
        self.layout = [i.dataset.recordings["layout"].to_numpy(dtype=np.int64)[i.recording] for i in self.indexes]
        self.rate = [i.dataset.recordings["rate"].to_numpy(dtype=np.float64)[i.recording] for i in self.indexes]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, request: Request) -> Batch:
        """Loads one batch; the same request gives the same batch in any process."""
        rng = np.random.default_rng(request.seed)
        seconds = float(rng.choice(self.config.patch_seconds)) if self.training else self.config.patch_seconds[0]
        plain, augmented, order = self._cuts(request.rows, seconds, rng)
        batch = collate(plain, self.text, order)
        rows = request.rows
        extra = {
            "label": torch.from_numpy(self.label[rows]),
            "dataset": torch.from_numpy(self.dataset[rows]),
        }
        if self.views:
            extra["augmented"] = torch.from_numpy(_pad(augmented, order, *batch.patches.shape[1::2]))
        if self.mask is not None:
            hidden = structured_mask(
                batch.patch_mask.numpy(),
                batch.channel_mask.numpy(),
                self.mask.ratio,
                self.mask.span,
                self.mask.channel_dropout,
                rng,
            )
            extra["masked"] = torch.from_numpy(hidden)
        return Batch(**{**vars(batch), **extra})

    def _cuts(
        self, rows: NDArray[np.int64], seconds: float, rng: np.random.Generator
    ) -> tuple[list[Cut], list[Cut], NDArray[np.int64]]:
        """Plain and augmented cuts, one of each for every (dataset, layout, rate), and the order they come in."""
        plain: list[Cut] = []
        augmented: list[Cut] = []
        order = []
        for at, d, layout, rate in self._homogeneous(rows):
            index = self.indexes[d]
            local = rows[at] - self.first[d]
            windows = index.dataset.gather(index.recording[local], index.start[local], int(index.length[local[0]]))
            choices = self.shown[d, layout]
            shown = choices[int(rng.integers(len(choices)))] if len(choices) > 1 else choices[0]
            channels = shown.channels
            windows = windows[:, :, shown.columns] / references(channels)
            order.append(at)
            views = self._views(windows, shown.augmenter, rate, rng)
            if shown.augmenter:
                shuffled = shown.augmenter.order(len(channels), rng)
                views = tuple(channel_shuffle(view, shuffled) for view in views)
                channels = tuple(channels[c] for c in shuffled)
            for cuts, view in zip((plain, augmented), views, strict=False):
                cuts.append(cut(view, channels, rate, seconds, upright=self.config.upright))
        return plain, augmented, np.concatenate(order)

    def _views(
        self, windows: NDArray[np.float32], augmenter: Augmenter | None, rate: float, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], ...]:
        """The windows as they are, augmented, or as two views."""
        if augmenter is None:
            return (windows,)
        return augmenter.views(windows, rate, rng) if self.views else (augmenter(windows, rate, rng),)

    def _homogeneous(self, rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], int, int, float]]:
        datasets = self.dataset[rows]
        for d in np.unique(datasets):
            at = np.flatnonzero(datasets == d)
            local = rows[at] - self.first[d]
            keys = np.stack([self.layout[d][local].astype(float), self.rate[d][local]], axis=1)
            for layout, rate in np.unique(keys, axis=0):
                same = (keys == (layout, rate)).all(axis=1)
                yield at[same], int(d), int(layout), float(rate)

    def batches(self, batch_size: int = 256) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
        """All windows once, in order, for evaluation: each batch and its rows."""
        for first in range(0, len(self), batch_size):
            rows = np.arange(first, min(first + batch_size, len(self)))
            yield self[Request(rows, (0, 0, 0))], rows

    def bucket(self) -> NDArray[np.int64]:
        """[N] number of channels that each window shows."""
        upright = self.config.upright
        widest = {k: max(len(seen(s.channels, upright=upright)) for s in shown) for k, shown in self.shown.items()}
        return np.concatenate(
            [np.array([widest[d, int(k)] for k in layout], dtype=np.int64) for d, layout in enumerate(self.layout)]
        )

    def group_numbers(self) -> NDArray[np.int64]:
        """[N] number of each window's activity group; unlabelled windows form one of their own."""
        groups = np.concatenate([i.group for i in self.indexes])
        return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _shown(channels: Sequence[Channel], config: LoaderConfig, augment: AugmentConfig | None) -> list[Shown]:
    """What windows of a layout may show: all that the view keeps, or in training, where wanted, one placement each."""
    kept = config.view.columns(channels)
    parts = [kept]
    if config.one_placement and augment is not None:
        placements = dict.fromkeys(channels[c].placement for c in kept)
        parts = [[c for c in kept if channels[c].placement == placement] for placement in placements]
    found = []
    for columns in parts:
        own = tuple(channels[c] for c in columns)
        found.append(Shown(columns, own, None if augment is None else Augmenter(augment, triads(own))))
    return found


class Drawable(Protocol):
    """What `Plan` draws batches from."""

    dataset: NDArray[np.int64]

    def __len__(self) -> int: ...

    def __getitem__(self, request: Request) -> Any: ...

    def bucket(self) -> NDArray[np.int64]:
        """[N] windows of different numbers are never in one batch."""
        ...

    def group_numbers(self) -> NDArray[np.int64]:
        """[N] groups over which batches may be balanced."""
        ...


class Plan:
    """The batches of a run from any step on: an endless sequence that is a pure function of the seed.

    Args:
        windows: The source.
        config: How an epoch is drawn.
        seed: Seed of the run.
        rank: This process among `world`; each takes every `world`-th window of a batch.
        world: Number of processes.
    """

    def __init__(self, windows: Drawable, config: SamplingConfig, seed: int, rank: int = 0, world: int = 1) -> None:
        if len(windows) == 0:
            raise DataError("there is no window to train on: check the subjects, labels and window length")
        if config.batch_size % world:
            raise ConfigError(
                f"sampling.batch_size {config.batch_size} cannot be shared evenly by {world} processes: "
                f"make it a multiple of {world}"
            )
        self.arguments = (windows.dataset, windows.bucket(), windows.group_numbers(), config, seed)
        self.seed, self.rank, self.world = seed, rank, world
        self.windows = windows

    def requests(self, first_step: int) -> Iterator[Request]:
        """Requests from `first_step` on, without loading what came before."""
        # Every epoch has the same number of batches: the counts of the cells do not depend on the epoch.
        per_epoch = len(epoch_batches(*self.arguments, epoch=0))
        epoch, batch = divmod(first_step, per_epoch)
        while True:
            for b, rows in enumerate(epoch_batches(*self.arguments, epoch=epoch)[batch:], start=batch):
                yield Request(rows[self.rank :: self.world], (self.seed, epoch, b * self.world + self.rank))
            epoch, batch = epoch + 1, 0

    def loader(self, first_step: int, workers: int) -> Iterator[Any]:
        """Batches from `first_step` on, loaded by `workers` processes (0: in this one)."""
        requests = self.requests(first_step)
        if not workers:
            return (self.windows[r] for r in requests)
        # An endless generator of requests serves as the sampler, though torch names the type of a finite one.
        return iter(
            DataLoader(cast(TorchDataset[Any], self.windows), batch_size=None, sampler=requests, num_workers=workers)
        )


def describe_channels(indexes: Sequence[WindowIndex], view: ChannelView, *, upright: bool = False) -> list[str]:
    """Descriptions of all channels that the view keeps, and of those made of them, each once, sorted."""
    layouts = [tuple(filter(view.keeps, channels)) for index in indexes for channels in index.dataset.layouts]
    return sorted({channel.description for channels in layouts for channel in seen(channels, upright=upright)})


__all__ = ["UNLABELLED", "Cut", "LoaderConfig", "MaskConfig", "Plan", "Request", "Windows", "collate", "cut"]
