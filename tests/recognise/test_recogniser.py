from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from otolith.data.loader import LoaderConfig, Windows, collate, cut, references
from otolith.data.recording import Recording
from otolith.data.store import Dataset
from otolith.data.windows import index_windows
from otolith.models.encoder import SIZES
from otolith.models.model import Otolith
from otolith.recognise.recogniser import Recogniser
from otolith.train.probe import embed_windows
from otolith.types import CheckpointError, ConfigError, DataError


@pytest.fixture
def recording(spar_recordings: list[Recording]) -> Recording:
    whole = spar_recordings[0]
    return Recording(whole.signal[:1030], whole.rate, whole.channels, whole.subject, whole.name)


def with_signal(recording: Recording, signal: np.ndarray, rate: float = 50.0) -> Recording:
    return replace(recording, signal=signal.astype(np.float32), rate=rate)


def test_sees_what_training_sees(recogniser: Recogniser, spar_dataset: Dataset) -> None:
    index = index_windows(spar_dataset, 4.0, 1.0)
    index = index.take(index.recording == 0)
    first = spar_dataset.read(0)
    text = recogniser.model.texts.table([c.description for c in first.channels])
    expected = embed_windows(recogniser.model, Windows([index], text, LoaderConfig()), recogniser.model.embed)
    got = recogniser.embed(first)
    n = len(index)  # training has no window that is flush with the end
    np.testing.assert_allclose(got.starts[:n], index.start / 50)
    np.testing.assert_allclose(got.vectors[:n], expected, atol=1e-5)


def test_windows_cover_everything(recogniser: Recogniser, recording: Recording) -> None:
    got = recogniser.embed(recording)
    assert got.seconds == 4.0 and got.missing == ()
    assert got.starts[0] == 0 and got.starts[-1] + 4.0 == recording.duration == 20.6
    np.testing.assert_allclose(got.starts[:17], np.arange(17))
    np.testing.assert_allclose(np.linalg.norm(got.vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(got.features[:, : got.vectors.shape[1]], got.vectors)


def test_batching_changes_nothing(recogniser: Recogniser, recording: Recording) -> None:
    small = Recogniser(recogniser.model, batch_size=3)
    batches, starts = small.windows(recording, step_seconds=2.0)
    sizes = [len(batch) for batch in batches]
    assert sum(sizes) == len(starts) and max(sizes) == 3
    np.testing.assert_allclose(small.embed(recording).features, recogniser.embed(recording).features, atol=1e-5)


def test_a_window_does_not_depend_on_its_neighbours(recogniser: Recogniser, recording: Recording) -> None:
    alone = recogniser.embed(with_signal(recording, recording.signal[250:450]))
    assert len(alone.starts) == 1
    np.testing.assert_allclose(alone.features[0], recogniser.embed(recording).features[5], atol=1e-5)


def test_padding_changes_nothing(recogniser: Recogniser, recording: Recording) -> None:
    """Beside a longer window with more channels, a window gives what it gives alone."""
    model, channels = recogniser.model, recording.channels
    text = model.texts.table([c.description for c in channels])
    signal = recording.signal[None] / references(channels)
    long = cut(signal[:, :300], channels, 50.0, 1.0)
    short = cut(signal[:, :200, :3], channels[:3], 50.0, 1.0)
    with torch.no_grad():
        beside = model.features(collate([long, short], text))[1].numpy()
        alone = model.features(collate([short], text))[0].numpy()
    np.testing.assert_allclose(beside, alone, atol=1e-5)
    vectors, _ = recogniser.embed_windows(recording.signal[None, :200, :3], channels[:3], 50.0)
    np.testing.assert_allclose(beside[: vectors.shape[1]], vectors[0], atol=1e-5)


def test_the_order_of_columns_changes_nothing(recogniser: Recogniser, recording: Recording) -> None:
    """A profile learnt from one export serves another that puts the gyroscope first."""
    order = [3, 4, 5, 0, 1, 2]
    windows, channels = recording.signal[None, :200], recording.channels
    turned = recogniser.embed_windows(windows[..., order], [channels[c] for c in order], 50.0)
    for one, other in zip(recogniser.embed_windows(windows, channels, 50.0), turned, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_windows_cut_already_give_the_same(recogniser: Recogniser, recording: Recording) -> None:
    windows = np.stack([recording.signal[s : s + 200] for s in (0, 50, 100)])
    vectors, features = recogniser.embed_windows(windows, recording.channels, recording.rate)
    whole = recogniser.embed(recording)
    np.testing.assert_allclose(vectors, whole.vectors[:3], atol=1e-5)
    np.testing.assert_allclose(features, whole.features[:3], atol=1e-5)


def test_missing_samples_are_reported_and_not_filled(recogniser: Recogniser, recording: Recording) -> None:
    signal = recording.signal.copy()
    signal[500:600, 2] = np.nan
    got = recogniser.embed(with_signal(recording, signal))
    assert not any(start < 12 and start + 4 > 10 for start in got.starts)
    assert got.missing == ((10.0, 12.0),)
    assert np.isfinite(got.features).all()


def waves(rate: float) -> np.ndarray:
    """Twelve seconds of slow waves on six channels, which any rate can hold."""
    phase = 2 * np.pi * 0.7 * np.arange(round(12 * rate)) / rate
    return 9.8 * np.sin(phase[:, None] + np.arange(6))


@pytest.mark.parametrize("rate", [400.0, 12.5])
def test_other_rates_are_resampled(recogniser: Recogniser, recording: Recording, rate: float) -> None:
    odd = recogniser.embed(with_signal(recording, waves(rate), rate))
    usual = recogniser.embed(with_signal(recording, waves(50.0)))
    np.testing.assert_allclose(odd.starts, usual.starts, atol=0.06)
    alike = (odd.features[1:-1] * usual.features[1:-1]).sum(1) / 2  # the features are two unit vectors
    strange = (odd.features[1:-1] * recogniser.embed(recording).features[1 : len(odd.starts) - 1]).sum(1) / 2
    assert alike.min() > 0.995 and alike.min() > strange.max()


def test_short_recordings_are_one_window(recogniser: Recogniser, recording: Recording) -> None:
    got = recogniser.embed(with_signal(recording, recording.signal[:130]))
    assert got.starts.tolist() == [0.0] and got.seconds == 2.6 and got.missing == ()
    with pytest.raises(DataError, match=r"lasts 0.8 s, less than the 1 s"):
        recogniser.embed(with_signal(recording, recording.signal[:40]))


def test_nothing_to_see_is_said(recogniser: Recogniser, recording: Recording) -> None:
    holes = recording.signal.copy()
    holes[::100] = np.nan
    with pytest.raises(DataError, match=r"missing samples in every stretch of 4 s; fill"):
        recogniser.embed(with_signal(recording, holes))
    dead = recording.signal.copy()
    dead[:, 4] = np.nan
    with pytest.raises(DataError, match=f"channel '{recording.channels[4].name}' has no values at all"):
        recogniser.embed(with_signal(recording, dead))
    with pytest.raises(ConfigError, match="step of 0 s"):
        recogniser.embed(recording, step_seconds=0)
    with pytest.raises(CheckpointError, match="does not say how its windows are made"):
        Recogniser(Otolith(SIZES["tiny"]))


def test_reads_the_settings_of_a_saved_model(recogniser: Recogniser) -> None:
    model = recogniser.model
    stored = Otolith(SIZES["tiny"], meta=json.loads(json.dumps(model.meta)))  # lists for tuples, as in a checkpoint
    again = Recogniser(stored)
    assert again.view == recogniser.view and again.patch_seconds == recogniser.patch_seconds


def test_a_view_chooses_channels(recogniser: Recogniser, recording: Recording) -> None:
    meta = json.loads(json.dumps(recogniser.model.meta))
    meta["loader"]["view"]["sensors"] = ["acc"]
    narrow = Otolith(SIZES["tiny"], texts=recogniser.model.texts, meta=meta)
    narrow.load_state_dict(recogniser.model.state_dict())
    signal = recording.signal.copy()
    signal[:, 3:] = np.nan  # the gyroscope is not looked at
    got = Recogniser(narrow).embed(with_signal(recording, signal))
    assert got.missing == () and all(b > a for a, b in pairwise(got.starts))
