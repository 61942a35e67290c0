"""Batches from several datasets of different channels, rates and placements, all made from real watch recordings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from otolith.data.augmenter import AugmentConfig
from otolith.data.channels import Channel
from otolith.data.loader import (
    LoaderConfig,
    MaskConfig,
    Plan,
    Request,
    TextTable,
    Windows,
    collate,
    cut,
    describe_channels,
)
from otolith.data.patches import to_patches
from otolith.data.recording import Recording
from otolith.data.sampling import SamplingConfig, epoch_batches
from otolith.data.signal import resample
from otolith.data.store import Dataset, DatasetWriter
from otolith.data.views import ChannelView
from otolith.data.windows import WindowIndex, index_windows
from otolith.types import Batch, ConfigError, DataError

CONFIG = LoaderConfig(window_seconds=4.0, step_seconds=2.0, patch_seconds=(1.0, 0.8))
LABELS = ("bent over row", "shoulder pendulum")


def elsewhere(channels: tuple[Channel, ...], placement: str, prefix: str) -> tuple[Channel, ...]:
    return tuple(replace(c, placement=placement, name=prefix + c.name) for c in channels)


def phone(recording: Recording) -> Recording:
    """A phone without gyroscope at 20 Hz."""
    signal = resample(recording.signal[:, :3], 50.0, 20.0).astype(np.float32)
    return replace(recording, signal=signal, rate=20.0, channels=elsewhere(recording.channels[:3], "waist", ""))


def pair(recording: Recording) -> Recording:
    """Two watches of 100 Hz, one of them delayed, and a third accelerometer without gravity that the view drops."""
    signal = resample(recording.signal, 50.0, 100.0).astype(np.float32)
    without = tuple(replace(c, gravity=False) for c in elsewhere(recording.channels[:3], "chest", "u_"))
    channels = (*recording.channels, *elsewhere(recording.channels, "left ankle", "a_"), *without)
    both = np.hstack([signal, np.roll(signal, 30, axis=0), signal[:, :3] - signal[:, :3].mean(0)])
    return replace(recording, signal=both, rate=100.0, channels=channels)


@pytest.fixture(scope="module")
def indexes(spar_recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> list[WindowIndex]:
    folder = tmp_path_factory.mktemp("datasets")
    content = {
        "watch": spar_recordings[::9],
        "phone": [phone(r) for r in spar_recordings[1::11]],
        "pair": [pair(r) for r in spar_recordings[2::23]],
        "mixed": [spar_recordings[3], phone(spar_recordings[4]), spar_recordings[5]],
    }
    found = []
    for name, recordings in content.items():
        with DatasetWriter(folder / name, name) as writer:
            for recording in recordings:
                writer.add(recording)
        found.append(index_windows(Dataset.open(folder / name), CONFIG.window_seconds, CONFIG.step_seconds))
    return found


@pytest.fixture(scope="module")
def text(indexes: list[WindowIndex]) -> TextTable:
    rng = np.random.default_rng(0)
    words = describe_channels(indexes, CONFIG.view)
    return {description: rng.normal(size=16).astype(np.float32) for description in words}


@pytest.fixture(scope="module")
def windows(indexes: list[WindowIndex], text: TextTable) -> Windows:
    return Windows(indexes, text, CONFIG, labels=LABELS)


@pytest.fixture(scope="module")
def training(indexes: list[WindowIndex], text: TextTable) -> Windows:
    return Windows(indexes, text, CONFIG, labels=LABELS, augment=AugmentConfig(), views=True, mask=MaskConfig())


def same(a: Batch, b: Batch) -> bool:
    ours, theirs = vars(a), vars(b)
    return all(
        (ours[k] is None) == (theirs[k] is None) and (ours[k] is None or torch.equal(ours[k], theirs[k])) for k in ours
    )


def by_hand(windows: Windows, row: int, seconds: float) -> tuple[NDArray[np.float32], tuple[Channel, ...]]:
    """One window, slowly: read its recording, cut, choose channels, divide each by its reference, cut into patches."""
    number = int(windows.dataset[row])
    index, local = windows.indexes[number], row - int(windows.first[number])
    recording = index.dataset.read(int(index.recording[local]))
    start = int(index.start[local])
    signal = recording.signal[start : start + round(4 * recording.rate)]
    kept = [i for i, c in enumerate(recording.channels) if c.sensor in ("acc", "gyro") and c.gravity is not False]
    columns = [signal[:, i] / recording.channels[i].reference for i in kept]
    patches = to_patches(np.stack(columns, axis=1)[None], recording.rate, seconds)[0]
    return patches, tuple(recording.channels[i] for i in kept)


# One batch


def test_a_mixed_batch_equals_the_windows_one_by_one(windows: Windows, text: TextTable) -> None:
    rows = np.random.default_rng(1).choice(len(windows), 40, replace=False)
    rows = np.concatenate([rows, rows[:3]])  # a window may occur twice
    batch = windows[Request(rows, (0, 0, 0))]
    assert batch.patches.shape == (43, 4, 64, 12) and batch.patches.dtype == torch.float32
    widths = set()
    for at, row in enumerate(rows):
        patches, channels = by_hand(windows, int(row), 1.0)
        p, c = patches.shape[0], len(channels)
        widths.add(c)
        np.testing.assert_allclose(batch.patches[at, :p, :, :c], patches, atol=1e-6)
        np.testing.assert_array_equal(batch.channel_text[at, :c], [text[x.description] for x in channels])
        assert batch.patch_mask[at].tolist() == [True] * p + [False] * (4 - p)
        assert batch.channel_mask[at].tolist() == [True] * c + [False] * (12 - c)
        assert not batch.patches[at, :, :, c:].any() and not batch.channel_text[at, c:].any()
    assert widths == {3, 6, 12}


def test_labels_and_datasets_follow_the_rows(windows: Windows) -> None:
    rows = np.random.default_rng(2).permutation(len(windows))[:200]
    batch = windows[Request(rows, (0, 0, 0))]
    assert batch.label is not None and batch.dataset is not None
    labels = np.concatenate([i.label for i in windows.indexes])[rows]
    assert batch.label.tolist() == [LABELS.index(x) if x in LABELS else -1 for x in labels]
    assert set(batch.label.tolist()) == {-1, 0, 1}
    assert batch.dataset.tolist() == windows.dataset[rows].tolist()
    assert batch.augmented is None and batch.masked is None


def test_padding_of_patches(spar_recordings: list[Recording], text: TextTable) -> None:
    channels = spar_recordings[0].channels
    signal = spar_recordings[0].signal
    long, short = cut(signal[None, :200], channels, 50.0, 1.0), cut(signal[None, :100, :3], channels[:3], 50.0, 1.0)
    batch = collate([short, long], text)
    assert batch.patch_mask.tolist() == [[True, True, False, False], [True] * 4]
    assert batch.channel_mask.sum(1).tolist() == [3, 6]
    assert not batch.patches[0, 2:].any()
    torch.testing.assert_close(batch.patches[0, :2, :, :3], batch.patches[1, :2, :, :3])


def test_references_turn_gravity_into_one(windows: Windows) -> None:
    batch = windows[Request(np.arange(len(windows)), (0, 0, 0))]
    magnitude = batch.patches[..., :3].norm(dim=-1)
    assert magnitude.median() == pytest.approx(1.0, abs=0.1)


def test_too_many_channels(text: TextTable) -> None:
    channel = Channel("acc_x", "acc", "x", "waist", "smartwatch", True)
    many = cut(np.zeros((1, 200, 53), np.float32), (channel,) * 53, 50.0, 1.0)
    with pytest.raises(DataError, match="53 channels in one window, but at most 52"):
        collate([many], {channel.description: np.zeros(4, np.float32)})


def test_batches_are_all_windows_in_order(windows: Windows) -> None:
    seen = list(windows.batches(batch_size=64))
    assert np.concatenate([rows for _, rows in seen]).tolist() == list(range(len(windows)))
    assert all(set(batch.patch_seconds.tolist()) == {1.0} for batch, _ in seen)  # the first duration, not a random one


def test_view_of_one_sensor(indexes: list[WindowIndex], text: TextTable) -> None:
    gyro = Windows(indexes[:1], text, replace(CONFIG, view=ChannelView(sensors=("gyro",))))
    whole = Windows(indexes[:1], text, CONFIG)
    request = Request(np.arange(8), (0, 0, 0))
    assert torch.equal(gyro[request].patches, whole[request].patches[..., 3:])
    with pytest.raises(ConfigError, match="keeps no channel"):
        Windows(indexes, text, replace(CONFIG, view=ChannelView(sensors=("gyro",))))  # the phone has none


def test_buckets_and_groups(windows: Windows) -> None:
    assert set(windows.bucket()[windows.dataset == 2].tolist()) == {12}
    assert set(windows.bucket()[windows.dataset == 3].tolist()) == {3, 6}
    groups, names = windows.group_numbers(), np.concatenate([i.group for i in windows.indexes])
    assert len(set(zip(groups.tolist(), names.tolist(), strict=True))) == len(set(names.tolist()))


# Augmented batches


def test_augmented_batches_are_a_function_of_the_request(training: Windows) -> None:
    rows = np.arange(0, len(training), 9)
    batch = training[Request(rows, (7, 0, 3))]
    assert same(training[Request(rows, (7, 0, 3))], batch)
    other = training[Request(rows, (7, 0, 4))]
    assert batch.augmented is not None and other.augmented is not None and batch.masked is not None
    assert not torch.equal(batch.augmented, other.augmented) and not torch.equal(batch.masked, other.masked)


def test_views_of_a_batch(training: Windows) -> None:
    rows = np.random.default_rng(3).choice(len(training), 64, replace=False)
    batch = training[Request(rows, (0, 0, 0))]
    assert batch.augmented is not None and batch.augmented.shape == batch.patches.shape
    valid = batch.patch_mask[:, :, None] & batch.channel_mask[:, None]
    padding = ~valid[:, :, None].expand_as(batch.patches)
    assert not batch.augmented[padding].any() and not batch.patches[padding].any()
    # Each row is augmented from its own window, in its own place.
    one, two = (x.flatten(1) for x in (batch.patches, batch.augmented))
    nearest = torch.cdist(one, two).argmin(1)
    assert (nearest == torch.arange(64)).float().mean() > 0.8


def test_masks_hide_half_of_what_is_valid(training: Windows) -> None:
    batch = training[Request(np.arange(0, len(training), 5), (0, 0, 0))]
    assert batch.masked is not None
    valid = batch.patch_mask[:, :, None] & batch.channel_mask[:, None]
    assert not batch.masked[~valid].any()
    hidden, count = batch.masked.sum((1, 2)), valid.sum((1, 2))
    assert ((hidden - count / 2).abs() <= 0.5).all()


def test_patch_durations_vary_in_training_only(training: Windows) -> None:
    rows = np.arange(16)
    seconds = [training[Request(rows, (0, 0, n))].patch_seconds for n in range(20)]
    assert all(len(set(s.tolist())) == 1 for s in seconds)
    assert {round(float(s[0]), 3) for s in seconds} == {1.0, 0.8}


def test_single_view_training_changes_the_windows(indexes: list[WindowIndex], text: TextTable) -> None:
    plain, augmented = Windows(indexes, text, CONFIG), Windows(indexes, text, CONFIG, augment=AugmentConfig())
    request = Request(np.arange(10), (0, 0, 1))
    batch = augmented[request]
    assert batch.augmented is None
    assert batch.patches.shape != plain[request].patches.shape or not torch.equal(batch.patches, plain[request].patches)
    with pytest.raises(ValueError, match="two views need augmentations"):
        Windows(indexes, text, CONFIG, views=True)


def test_shuffled_channels_keep_their_descriptions(indexes: list[WindowIndex], text: TextTable) -> None:
    nothing = dict.fromkeys(("jitter", "scale", "shift", "time_warp", "magnitude_warp", "resample", "rotation"), 0.0)
    config = replace(CONFIG, patch_seconds=(1.0,))
    shuffled = Windows(indexes, text, config, augment=AugmentConfig(**nothing, shuffle=1.0), views=True)
    rows = np.arange(0, len(shuffled), 25)
    plain = Windows(indexes, text, config)[Request(rows, (0, 0, 0))]
    batch = shuffled[Request(rows, (0, 0, 0))]
    assert not torch.equal(batch.patches, plain.patches) and torch.equal(batch.patches, batch.augmented)  # type: ignore[arg-type]
    for row in range(len(rows)):
        for channel in range(int(batch.channel_mask[row].sum())):
            home = (plain.channel_text[row] == batch.channel_text[row, channel]).all(1).nonzero()[0, 0]
            torch.testing.assert_close(batch.patches[row, :, :, channel], plain.patches[row, :, :, home])


# The plan


def requests(plan: Plan, first: int, count: int) -> list[Request]:
    return list(islice(plan.requests(first), count))


def equal(a: list[Request], b: list[Request]) -> bool:
    return len(a) == len(b) and all(
        x.seed == y.seed and np.array_equal(x.rows, y.rows) for x, y in zip(a, b, strict=True)
    )


def test_a_plan_can_start_anywhere(training: Windows) -> None:
    config = SamplingConfig(batch_size=16)
    epoch = len(epoch_batches(*Plan(training, config, 0).arguments, epoch=0))
    count = 3 * epoch + 5
    whole = requests(Plan(training, config, seed=5), 0, count)
    for first in (0, 1, epoch - 1, epoch, epoch + 1, 2 * epoch, count - 1):
        assert equal(requests(Plan(training, config, seed=5), first, count - first), whole[first:])
    assert len({r.seed for r in whole}) == count
    assert not np.array_equal(whole[0].rows, whole[epoch].rows)
    assert not equal(requests(Plan(training, config, seed=6), 0, 3), whole[:3])


def test_processes_share_each_batch(training: Windows) -> None:
    config = SamplingConfig(batch_size=12)
    whole = requests(Plan(training, config, 0), 0, 20)
    parts = [requests(Plan(training, config, 0, rank, 3), 0, 20) for rank in range(3)]
    for step, request in enumerate(whole):
        shares = [part[step] for part in parts]
        assert [len(s.rows) for s in shares] == [4, 4, 4]
        assert sorted(np.concatenate([s.rows for s in shares])) == sorted(request.rows)
    assert len({r.seed for part in parts for r in part}) == 60  # each draws its own augmentations
    with pytest.raises(ConfigError, match="batch_size 12 cannot be shared evenly by 5 processes"):
        Plan(training, config, 0, 0, 5)


def test_nothing_to_train_on(indexes: list[WindowIndex], text: TextTable) -> None:
    empty = Windows([i.labelled([]) for i in indexes], text, CONFIG)
    with pytest.raises(DataError, match="no window to train on"):
        Plan(empty, SamplingConfig(), 0)


def test_a_batch_has_one_width(training: Windows) -> None:
    for batch in islice(Plan(training, SamplingConfig(batch_size=8), 0).loader(0, workers=0), 20):
        assert bool(batch.channel_mask.all())


def padding(batches: Iterable[Batch]) -> float:
    """Share of the places for patches of channels that hold none."""
    valid = [batch.patch_mask[:, :, None] & batch.channel_mask[:, None] for batch in batches]
    return 1 - sum(int(v.sum()) for v in valid) / sum(v.numel() for v in valid)


@pytest.mark.parametrize("changes", [{}, {"upright": True}, {"one_placement": True}])
def test_little_of_an_epoch_is_padding(changes: dict[str, Any], indexes: list[WindowIndex], text: TextTable) -> None:
    """3, 6 and 12 channels at 20, 50 and 100 Hz."""
    config = replace(CONFIG, **changes)
    if config.upright:
        text = dict.fromkeys(describe_channels(indexes, CONFIG.view, upright=True), np.ones(16, np.float32))
    training = Windows(indexes, text, config, augment=AugmentConfig(), views=True, mask=MaskConfig())
    sampling = SamplingConfig(batch_size=16)
    arguments = (training.dataset, training.bucket(), training.group_numbers(), sampling)
    rows = epoch_batches(*arguments, seed=0, epoch=0)
    assert padding(training[Request(r, (0, 0, n))] for n, r in enumerate(rows)) < 0.1
    mixed = np.random.default_rng(0).permutation(rows.ravel()).reshape(rows.shape)
    assert padding(training[Request(r, (0, 0, n))] for n, r in enumerate(mixed)) > 0.1


@pytest.mark.parametrize("first", [0, 11])
def test_workers_load_the_same_batches(training: Windows, first: int) -> None:
    plan = Plan(training, SamplingConfig(batch_size=8), 0)
    expected = list(islice(plan.loader(first, workers=0), 8))
    loader: Iterator[Batch] = plan.loader(first, workers=2)
    assert all(same(a, b) for a, b in zip(expected, islice(loader, 8), strict=True))


def test_training_may_show_one_of_several_sensors(indexes: list[WindowIndex], text: TextTable) -> None:
    """The one drawn is the same for both views; at evaluation all are shown, and words go with their channels."""
    pairs, config = [indexes[2]], replace(CONFIG, one_placement=True)
    still = AugmentConfig(jitter=0, scale=0, shift=0, time_warp=0, magnitude_warp=0, resample=0, rotation=0, shuffle=0)
    shown = Windows(pairs, text, config, augment=still, views=True)
    assert set(shown.bucket().tolist()) == {6}
    plain = Windows(pairs, text, CONFIG)
    rows = np.arange(4)
    whole = plain[Request(rows, (0, 0, 0))]
    everything = Windows(pairs, text, config)[Request(rows, (0, 0, 0))]
    assert same(whole, everything) and whole.patches.shape[3] == 12
    seen = set()
    for draw in range(12):
        batch = shown[Request(rows, (0, 0, draw))]
        assert batch.patches.shape[3] == 6 and batch.augmented is not None and batch.augmented.shape[3] == 6
        first = next(k for k in (0, 6) if torch.equal(batch.channel_text, whole.channel_text[:, k : k + 6]))
        if batch.patches.shape == whole.patches[..., :6].shape:  # patches of the first duration
            torch.testing.assert_close(batch.patches, whole.patches[..., first : first + 6])
        seen.add(first)
    assert seen == {0, 6}
