"""Segments of real watch recordings, of a small archive with a camera, and of a made-up session with a known answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from otolith.data import prepared
from otolith.data.augmenter import AugmentConfig
from otolith.data.channels import GRAVITY, Channel, six_axes, skeleton, triad
from otolith.data.converters import convert
from otolith.data.loader import LoaderConfig, Plan, Request, TextTable, Windows, describe_channels
from otolith.data.patching import PatchingConfig, patch
from otolith.data.prepared import PrepareConfig, prepare
from otolith.data.recording import Annotation, Recording
from otolith.data.sampling import SamplingConfig
from otolith.data.segments import SegmentAugment, SegmentConfig, Segments
from otolith.data.signal import lowpass
from otolith.data.store import Dataset, DatasetWriter
from otolith.data.views import ChannelView
from otolith.data.windows import WindowIndex
from otolith.types import ConfigError, DataError, SegmentBatch

Floats = NDArray[np.float32]
Archives = Callable[[str], Path | None]
PLAIN = PrepareConfig(lowpass=0.0)
TRIALS = SegmentConfig(prepare=PLAIN)
WINDOWS = SegmentConfig(
    whole_trials=False,
    window_seconds=4.0,
    step_seconds=2.0,
    samples=200,
    prepare=PLAIN,
    patching=PatchingConfig(size=50, samples=64),
)
STILL = AugmentConfig(
    **dict.fromkeys(("jitter", "scale", "shift", "time_warp", "magnitude_warp", "resample", "rotation"), 0.0)
)
RIGID = SegmentAugment(signal=STILL, crop=0.0, skeleton_turn=0.0, skeleton_scale=0.0, skeleton_jitter=0.0)


def write(path: Path, name: str, recordings: Sequence[Recording]) -> Dataset:
    with DatasetWriter(path / name, name) as writer:
        for recording in recordings:
            writer.add(recording)
    return Dataset.open(path / name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("segments")


@pytest.fixture(scope="module")
def some(spar_recordings: list[Recording]) -> list[Recording]:
    """Two people, seven exercises, both wrists, 28 to 60 s each."""
    return [r for r in spar_recordings if r.subject in ("subject01", "subject02")]


@pytest.fixture(scope="module")
def watch(some: list[Recording], folder: Path) -> Dataset:
    return write(folder, "watch", some)


@pytest.fixture(scope="module")
def utd(archives: Archives, folder: Path) -> Dataset:
    return write(folder, "utd_mhad", list(convert("utd_mhad", archives("utd_mhad"))))


def clocked(
    rate: float = 40.0, begin: float = 1.5, frames: float = 25.0, camera: float = 0.5, number: int = 0
) -> list[Recording]:
    """A session whose acceleration (x, in g) and head (x, in trunks) both say what time of the session it is."""
    person, session = f"p{number}", f"session{number}"
    t = begin + np.arange(round(8 * rate)) / rate
    acc = np.stack([t, 0 * t, 0 * t], axis=1) * GRAVITY
    notes = (Annotation(0.5, 3.5, "walking"), Annotation(4.0, 7.5, "running"))
    channels = triad("acc", "wrist", device="watch", gravity=True)
    felt = Recording(acc.astype(np.float32), rate, channels, person, f"{person}_felt", notes, session, begin)
    t = camera + np.arange(round(7 * frames)) / frames
    zero = 0 * t
    # Hip, thorax one metre above it, head: all walk away together, which must not matter.
    seen = np.stack([7 * t, zero, zero, 7 * t, zero + 1, zero, 8 * t, zero + 1.5, zero], axis=1)
    joints = skeleton(["hip centre", "thorax", "head"], "camera")
    return [felt, Recording(seen.astype(np.float32), frames, joints, person, f"{person}_seen", (), session, camera)]


@pytest.fixture(scope="module")
def clocks(folder: Path) -> Dataset:
    return write(folder, "clocks", [*clocked(), *clocked(50.0, 0.25, 30.0, 0.75, number=1)])


def same(a: SegmentBatch, b: SegmentBatch) -> bool:
    ours, theirs = vars(a), vars(b)
    return all(torch.equal(v, theirs[k]) for k, v in ours.items() if isinstance(v, torch.Tensor))


def everything(segments: Segments) -> SegmentBatch:
    return segments[Request(np.arange(len(segments)), (0, 0, 0))]


def trial_of(index: WindowIndex, row: int) -> Floats:
    """One trial as it was written, in reference units."""
    recording = index.dataset.read(int(index.recording[row]))
    start, length = int(index.start[row]), int(index.length[row])
    return recording.signal[start : start + length] / np.array([c.reference for c in recording.channels], np.float32)


# Whole trials


def test_trials_keep_their_own_length_until_they_become_segments(watch: Dataset, some: list[Recording]) -> None:
    index = TRIALS.index(watch)
    found = prepare(index, PLAIN, skeletons=False)
    assert found.length.tolist() == [len(r.signal) for r in some] and len(set(found.length.tolist())) > 10
    assert found.signal.shape == (28, found.length.max(), 6) and found.signal.dtype == np.float32
    assert found.skeleton is None
    for row, length in enumerate(found.length):
        np.testing.assert_allclose(found.signal[row, :length], trial_of(index, row), rtol=1e-6)
        assert (found.signal[row, length:] == found.signal[row, length - 1]).all()


def test_a_trial_is_brought_to_the_wanted_samples_from_its_first_to_its_last(watch: Dataset) -> None:
    index = TRIALS.index(watch)
    batch = everything(Segments([index], TRIALS))
    assert batch.patches.shape == (28, 8, 20, 6) and batch.patches.dtype == torch.float32
    for row in range(0, 28, 5):
        trial = trial_of(index, row)
        places = np.linspace(0, len(trial) - 1, 160)
        columns = [np.interp(places, np.arange(len(trial)), trial[:, c]) for c in range(6)]
        np.testing.assert_allclose(batch.patches[row].reshape(160, 6), np.stack(columns, axis=1), atol=1e-4)


def test_labels_subjects_and_datasets_follow_the_rows(watch: Dataset, utd: Dataset) -> None:
    indexes = [TRIALS.index(watch), TRIALS.index(utd)]
    labels = sorted(set(indexes[0].label.tolist()))[:3]
    segments = Segments(indexes, TRIALS, labels=labels)
    assert len(segments) == 28 + 5 and segments.dataset.tolist() == [0] * 28 + [1] * 5
    rows = np.random.default_rng(0).permutation(33)
    batch = segments[Request(rows, (0, 0, 0))]
    truth = np.concatenate([index.label for index in indexes])[rows]
    assert batch.label is not None and batch.dataset is not None
    assert batch.label.tolist() == [labels.index(x) if x in labels else -1 for x in truth]
    assert batch.dataset.tolist() == segments.dataset[rows].tolist()
    assert segments.subjects.tolist() == [s for index in indexes for s in index.subject.tolist()]
    groups = segments.group_numbers()
    assert len(set(zip(groups.tolist(), segments.text_labels.tolist(), strict=True))) == len(set(groups.tolist()))
    whole = everything(segments)
    assert torch.equal(batch.patches, whole.patches[torch.from_numpy(rows)])  # each row from its own dataset
    assert torch.equal(batch.seconds, whole.seconds[torch.from_numpy(rows)])


def test_batches_are_all_segments_in_order(watch: Dataset) -> None:
    segments = Segments([TRIALS.index(watch)], TRIALS)
    seen = list(segments.batches(batch_size=12))
    assert np.concatenate([rows for _, rows in seen]).tolist() == list(range(28))
    assert torch.equal(torch.cat([batch.patches for batch, _ in seen]), everything(segments).patches)


def test_a_plan_draws_from_segments(watch: Dataset) -> None:
    segments = Segments([TRIALS.index(watch)], TRIALS, augment=SegmentAugment())
    plan = Plan(segments, SamplingConfig(batch_size=8), seed=3)
    first, again = (list(islice(plan.loader(0, workers=0), 5)) for _ in range(2))
    assert all(same(a, b) and len(a) == 8 for a, b in zip(first, again, strict=True))


def test_trials_that_are_too_short_are_left_out(folder: Path, some: list[Recording]) -> None:
    notes = (Annotation(0, 0.9, "walking"), Annotation(1, 3, "running"), Annotation(3, 4.0, "sitting"))
    dataset = write(folder, "short", [replace(some[0], annotations=notes)])
    assert TRIALS.index(dataset).label.tolist() == ["running", "sitting"]
    assert replace(TRIALS, window_seconds=1.8).index(dataset).label.tolist() == ["walking", "running", "sitting"]
    with pytest.raises(DataError, match="no annotated stretch holds 5 s without a gap"):
        replace(TRIALS, window_seconds=10.0).index(dataset)


# Durations

DYNAMIC = PatchingConfig(dynamic=True)


@pytest.mark.parametrize("rate", [50.0, 25.0])
@pytest.mark.parametrize("patching", [PatchingConfig(), DYNAMIC], ids=["fixed", "dynamic"])
def test_the_patches_of_a_trial_last_as_long_as_the_trial(
    patching: PatchingConfig, rate: float, watch: Dataset, utd: Dataset, some: list[Recording]
) -> None:
    """Whatever its rate and its length after resampling; each row has the duration of its own trial."""
    config = replace(TRIALS, patching=patching, prepare=replace(PLAIN, rate=rate))
    segments = Segments([config.index(watch), config.index(utd)], config)
    expected = torch.tensor([len(r.signal) / r.rate for r in some] + [6.0] * 5)
    assert len(expected.unique()) > 10 and expected.max() > 2 * expected[:28].min()
    rows = np.random.default_rng(1).permutation(33)
    for chosen in (np.arange(33), rows):
        batch = segments[Request(chosen, (0, 0, 0))]
        assert batch.seconds.dtype == torch.float32 and batch.seconds.shape == batch.patch_mask.shape
        torch.testing.assert_close(batch.seconds.sum(1), expected[torch.from_numpy(chosen)], atol=0.51 / rate, rtol=0)
        assert torch.equal(batch.seconds > 0, batch.patch_mask)
        # Where a patch lies and how long it lasts say the same.
        ends = batch.seconds.cumsum(1) / batch.seconds.sum(1, keepdim=True)
        middle = ends - batch.seconds / (2 * batch.seconds.sum(1, keepdim=True))
        torch.testing.assert_close(middle[batch.patch_mask], batch.centre[batch.patch_mask], atol=1e-5, rtol=0)
        if not patching.dynamic:
            torch.testing.assert_close(batch.seconds, batch.seconds[:, :1].expand(33, 8))


@pytest.mark.parametrize("rate", [40.0, 50.0])
@pytest.mark.parametrize("patching", [PatchingConfig(), DYNAMIC], ids=["fixed", "dynamic"])
def test_the_patches_of_a_cropped_trial_last_as_long_as_what_is_left(
    patching: PatchingConfig, rate: float, clocks: Dataset
) -> None:
    """The signal says what time it is: from its first to its last sample the crop is as long as the patches."""
    config = replace(TRIALS, prepare=PrepareConfig(rate=rate, lowpass=0.0))
    index = config.index(clocks)
    rows, augment = np.arange(40) % len(index), replace(RIGID, crop=0.4)
    request = Request(rows, (5, 0, 0))
    felt = Segments([index], config, augment=augment)[request].patches[..., 0].reshape(40, 160)
    segments = Segments([index], replace(config, patching=patching), augment=augment)
    seconds = segments[request].seconds.sum(1)
    samples = torch.from_numpy(segments.parts[0].length[rows])
    # Of n samples the last begins 1 / n of the duration before the end.
    torch.testing.assert_close(seconds, (felt[:, -1] - felt[:, 0]) * samples / (samples - 1), atol=1e-3, rtol=0)
    share = seconds / torch.tensor([3.0, 3.5])[torch.from_numpy(rows % 2)]
    assert 0.2 < share.min() < 0.5 < 0.8 < share.max() < 1 and len(share.unique()) == 40
    assert torch.equal(segments[request].seconds > 0, segments[request].patch_mask)


def test_what_is_left_after_the_last_fixed_patch_counts_for_no_patch(watch: Dataset) -> None:
    whole = everything(Segments([TRIALS.index(watch)], TRIALS)).seconds.sum(1)
    part = everything(Segments([TRIALS.index(watch)], replace(TRIALS, patching=PatchingConfig(size=50)))).seconds
    torch.testing.assert_close(part, (whole[:, None] * 50 / 160).expand(28, 3))


# Windows


def test_windows_of_as_many_samples_as_they_last_are_untouched(watch: Dataset) -> None:
    index = WINDOWS.index(watch)
    assert set(index.length.tolist()) == {200}
    segments = Segments([index], WINDOWS)
    assert segments.rate == pytest.approx(50.0)
    signal = segments.plain()
    for row in range(0, len(index), 29):
        np.testing.assert_allclose(signal[row], trial_of(index, row), atol=1e-5)


def test_the_text_aligned_teacher_sees_what_its_own_loader_gives(watch: Dataset) -> None:
    """Both wrists are among the rows: the words say which one, segment by segment."""
    index = WINDOWS.index(watch)
    rng = np.random.default_rng(0)
    text: TextTable = {
        words: rng.normal(size=16).astype(np.float32) for words in describe_channels([index], ChannelView())
    }
    assert len(text) == 12
    segments = Segments([index], WINDOWS, text=text, patch_seconds=1.0)
    windows = Windows([index], text, LoaderConfig(4.0, 2.0, (1.0,)))
    rows = rng.choice(len(index), 30, replace=False)
    ours, theirs = segments[Request(rows, (0, 0, 0))].window, windows[Request(rows, (0, 0, 0))]
    assert ours is not None and len(ours) == 30
    for name in ("patches", "patch_mask", "channel_mask", "channel_text", "patch_seconds"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), atol=1e-4, rtol=1e-4)
    # The student sees the same samples.
    batch = segments[Request(rows, (0, 0, 0))]
    torch.testing.assert_close(batch.patches, ours.patches, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(batch.seconds, ours.patch_seconds[:, None].expand(30, 4))


def test_without_a_teacher_of_words_there_is_no_window(watch: Dataset) -> None:
    assert everything(Segments([TRIALS.index(watch)], TRIALS)).window is None


def test_dynamic_patches_are_sized_by_the_motion_before_any_normalisation(watch: Dataset) -> None:
    config = replace(TRIALS, patching=PatchingConfig(dynamic=True))
    segments = Segments([TRIALS.index(watch)], config)
    batch, signal = everything(segments), segments.plain()
    patches, mask, centres, lengths = patch(signal, signal[..., :3], config.patching)
    assert not mask.all()
    np.testing.assert_array_equal(batch.patches, patches)
    np.testing.assert_array_equal(batch.patch_mask, mask)
    np.testing.assert_array_equal(batch.centre, centres)
    np.testing.assert_allclose(batch.seconds, lengths * segments.parts[0].length[:, None] / PLAIN.rate, rtol=1e-6)


def test_the_accelerometer_is_found_wherever_its_columns_are(folder: Path, some: list[Recording]) -> None:
    first = some[0]
    turned = replace(first, signal=first.signal[:, [3, 4, 5, 2, 0, 1]].copy())
    turned = replace(turned, channels=tuple(first.channels[i] for i in (3, 4, 5, 2, 0, 1)))
    segments = Segments([TRIALS.index(write(folder, "turned", [turned]))], TRIALS)
    assert segments.acceleration == [4, 5, 3]
    assert segments.triads == [(0, 1, 2), (4, 5, 3)]


# Rate and filter


def test_the_low_pass_and_the_rate_are_those_of_the_configuration(watch: Dataset, some: list[Recording]) -> None:
    index = TRIALS.index(watch)
    found = prepare(index, PrepareConfig(lowpass=5.0), skeletons=False)
    reference = np.array([c.reference for c in some[3].channels], np.float32)
    expected = lowpass(some[3].signal / reference, 50.0, 5.0)
    np.testing.assert_allclose(found.signal[3, : len(expected)], expected, atol=1e-5)
    slower = prepare(index, PrepareConfig(rate=20.0, lowpass=5.0), skeletons=False)
    for row, length in enumerate(slower.length):
        assert length == pytest.approx(len(some[row].signal) * 20 / 50, abs=1)
    # Below 5 Hz the signal is the same at its own moments.
    fast = found.signal[3, : len(expected) : 5]
    np.testing.assert_allclose(slower.signal[3, : slower.length[3] : 2][2:-2], fast[2:-2], atol=0.05)


def test_a_slower_recording_is_filtered_only_where_its_rate_allows_it(folder: Path, some: list[Recording]) -> None:
    slow = replace(some[0], signal=some[0].signal[::5].copy(), rate=10.0)
    index = TRIALS.index(write(folder, "slow", [slow]))
    config = PrepareConfig(rate=10.0, lowpass=4.9)
    assert np.isfinite(prepare(index, config, skeletons=False).signal).all()
    # 20 Hz is beyond what 10 samples a second can hold.
    assert np.isfinite(prepare(index, PrepareConfig(), skeletons=False).signal).all()


@pytest.mark.parametrize("rate", [50.0, 25.0, 30.0])
def test_a_gap_beside_a_trial_does_not_reach_into_it(rate: float, folder: Path, some: list[Recording]) -> None:
    """At another rate a sample may lie between the last missing and the first present one: it is not of the trial."""
    signal = some[0].signal.copy()
    notes = []
    for number, start in enumerate(range(100, 1100, 101)):  # at ten phases of the two grids
        signal[[start - 1, start + 80]] = np.nan
        notes.append(Annotation(start / 30, (start + 80) / 30, f"activity {number}"))
    dataset = write(folder, f"gaps{rate:g}", [replace(some[0], signal=signal, rate=30.0, annotations=tuple(notes))])
    config = replace(TRIALS, prepare=PrepareConfig(rate=rate, lowpass=10.0))
    index = config.index(dataset)
    assert len(index) == len(notes)
    found = prepare(index, config.prepare, skeletons=False)
    assert np.isfinite(found.signal).all()
    assert np.abs(found.length - 80 * rate / 30).max() <= 1


# Skeletons


def test_skeletons_are_picked_by_the_seconds_of_the_session(clocks: Dataset) -> None:
    index = TRIALS.index(clocks)
    assert index.label.tolist() == ["walking", "running"] * 2
    found = prepare(index, PLAIN, skeletons=True).skeleton
    assert found is not None and found.shape == (4, 32, 3, 3)
    for row, (begin, end) in enumerate(((0.5, 3.5), (4.0, 7.5)) * 2):
        rate, offset = (40.0, 1.5) if row < 2 else (50.0, 0.25)
        times = offset + np.linspace(begin, end - 1 / rate, 32)
        last = (0.5 + 7 - 1 / 25) if row < 2 else (0.75 + 7 - 1 / 30)
        seen = times <= last + 0.25  # so long the body is held
        assert seen.sum() == (20 if row == 1 else 32)  # the end of the second trial was not seen
        np.testing.assert_allclose(found[row, seen, 2, 0], np.minimum(times[seen], last), atol=2e-4)
        assert np.isnan(found[row, ~seen]).all()
        np.testing.assert_allclose(found[row, seen, 2, 1], 1.5, atol=1e-5)
        assert not found[row, seen, 0].any()  # the hip


@pytest.mark.parametrize("rate", [40.0, 50.0])
@pytest.mark.parametrize("crop", [0.0, 0.4])
def test_signal_and_skeleton_stay_at_the_same_moments(crop: float, rate: float, clocks: Dataset) -> None:
    """Both say what time it is: in a cropped segment too they begin, run and end together."""
    config = replace(TRIALS, prepare=PrepareConfig(rate=rate, lowpass=0.0))
    index = config.index(clocks)
    index = index.take(np.array([0, 2, 3]))
    segments = Segments([index], config, augment=replace(RIGID, crop=crop), skeletons=True)
    assert segments.joints == 3
    batch = segments[Request(np.array([0, 1, 2, 1, 0, 2]), (5, 0, 0))]
    assert batch.skeleton is not None
    felt = batch.patches[..., 0].reshape(6, 160)
    seen = batch.skeleton[:, :, 2, 0]
    duration = felt[:, -1] - felt[:, 0]
    assert (duration > 2).all() if not crop else len({round(float(d), 3) for d in duration}) == 6
    torch.testing.assert_close(seen[:, [0, -1]], felt[:, [0, -1]], atol=0.02, rtol=0)
    line = felt[:, :1] + duration[:, None] * torch.linspace(0, 1, 32)
    torch.testing.assert_close(seen, line, atol=0.04, rtol=0)


def test_a_session_without_a_skeleton_is_unseen(folder: Path) -> None:
    felt = clocked(number=7)[0]
    unfilmed = [replace(felt, session="alone"), replace(felt, name="x", session="", offset=0.0)]
    dataset = write(folder, "alone", [*clocked(), *unfilmed])
    index = TRIALS.index(dataset)
    found = prepare(index, PLAIN, skeletons=True).skeleton
    assert found is not None
    assert np.isnan(found).all(axis=(1, 2, 3)).tolist() == [False, False, True, True, True, True]
    # On a side of the split where nobody was seen, the shape is that of the dataset's skeletons.
    unseen = prepare(index.of_subjects(["p7"]), PLAIN, skeletons=True).skeleton
    assert unseen is not None and unseen.shape == (4, 32, 3, 3) and np.isnan(unseen).all()
    batch = everything(Segments([index], TRIALS, skeletons=True, augment=SegmentAugment()))
    assert batch.skeleton is not None
    assert torch.isnan(batch.skeleton).flatten(1).all(1).tolist() == [False, False, True, True, True, True]


def test_real_archive_with_its_camera(utd: Dataset) -> None:
    index = TRIALS.index(utd)
    assert len(index) == 5 and index.length.tolist() == [300] * 5  # the skeletons are no trials of their own
    segments = Segments([index], TRIALS, skeletons=True)
    batch = everything(segments)
    assert segments.joints == 20 and batch.skeleton is not None and batch.skeleton.shape == (5, 32, 20, 3)
    assert bool(torch.isfinite(batch.skeleton).all())  # to the end, though the last frame comes before the last sample
    assert (batch.skeleton[:, :, 3] == 0).all()  # about the hip
    torch.testing.assert_close(batch.skeleton[:, :, 1].norm(dim=-1).median(1).values, torch.ones(5))
    assert segments.channels[0].placement == "right wrist"  # of the first: the placements differ, the columns do not


def test_skeletons_must_be_there_and_alike(watch: Dataset, utd: Dataset, clocks: Dataset) -> None:
    with pytest.raises(DataError, match="dataset 'watch' has no skeleton beside its sensors"):
        Segments([TRIALS.index(watch)], TRIALS, skeletons=True)
    acc = replace(TRIALS, prepare=replace(PLAIN, view=ChannelView(sensors=("acc",))))
    with pytest.raises(DataError, match="joints"):
        Segments([acc.index(utd), acc.index(clocks)], acc, skeletons=True)


# Statistics


def test_statistics_by_the_definition(watch: Dataset) -> None:
    segments = Segments([TRIALS.index(watch)], TRIALS)
    mean, std = segments.statistics()
    signal = everything(segments).patches.reshape(-1, 6).numpy().astype(np.float64)
    sizes = [[np.sqrt(sum(v**2 for v in row[c : c + 3])) for c in (0, 3)] for row in signal]
    values = np.hstack([signal, sizes])
    np.testing.assert_allclose(mean, values.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(std, values.std(0), rtol=1e-4)


def test_z_scored_training_segments_have_mean_zero_and_std_one(watch: Dataset) -> None:
    segments = Segments([TRIALS.index(watch)], TRIALS)
    mean, std = segments.statistics()
    standard = (everything(segments).patches.reshape(-1, 6).double() - torch.from_numpy(mean[:6])) / torch.from_numpy(
        std[:6]
    )
    torch.testing.assert_close(standard.mean(0), torch.zeros(6).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(standard.std(0), torch.ones(6).double(), atol=1e-3, rtol=0)


def test_people_held_out_leave_no_trace(watch: Dataset, some: list[Recording], folder: Path) -> None:
    loud = [replace(r, signal=r.signal * np.float32(10)) for r in some if r.subject == "subject02"]
    kept = [r for r in some if r.subject == "subject01"]
    config = replace(TRIALS, prepare=PrepareConfig())
    alone = Segments([config.index(write(folder, "kept", kept))], config)
    beside = Segments([config.index(write(folder, "loud", [*loud, *kept])).of_subjects(["subject01"])], config)
    for ours, theirs in zip(alone.statistics(), beside.statistics(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert same(everything(alone), everything(beside))
    both = Segments([config.index(watch)], config).statistics()
    assert not np.allclose(both[0], alone.statistics()[0], atol=1e-3)


def test_plain_is_all_segments_as_they_are(utd: Dataset) -> None:
    index = TRIALS.index(utd)
    plain = Segments([index], TRIALS).plain()
    assert plain.shape == (5, 160, 6) and plain.dtype == np.float32
    np.testing.assert_array_equal(plain.reshape(5, 8, 20, 6), everything(Segments([index], TRIALS)).patches)
    augmented = Segments([index], TRIALS, skeletons=True, augment=SegmentAugment())
    both = augmented.plain()
    assert both.shape == (5, 160, 6 + 60)
    np.testing.assert_array_equal(both[..., :6], plain)
    skeleton = augmented.parts[0].skeleton
    assert skeleton is not None
    np.testing.assert_allclose(both[:, [0, -1], 6:], skeleton[:, [0, -1]].reshape(5, 2, 60), atol=1e-6)
    assert augmented.statistics()[0].shape == (8,)  # of the sensors alone


# Augmentation and changes


def test_batches_are_a_function_of_the_request(utd: Dataset) -> None:
    segments = Segments([TRIALS.index(utd)], TRIALS, augment=SegmentAugment(), skeletons=True)
    rows = np.array([4, 0, 2, 0])
    batch = segments[Request(rows, (7, 0, 3))]
    other = segments[Request(rows, (7, 0, 4))]
    assert same(segments[Request(rows, (7, 0, 3))], batch)
    assert not torch.equal(batch.patches, other.patches)
    assert batch.skeleton is not None and other.skeleton is not None
    assert not torch.equal(batch.skeleton, other.skeleton)
    assert not torch.equal(batch.patches[1], batch.patches[3])  # one segment twice, each drawn anew


def test_without_augmentation_the_seed_changes_nothing(utd: Dataset) -> None:
    segments = Segments([TRIALS.index(utd)], TRIALS, skeletons=True)
    rows = np.arange(5)
    batch = segments[Request(rows, (0, 0, 0))]
    assert same(segments[Request(rows, (1, 2, 3))], batch)
    # Nor does strength zero.
    still = Segments([TRIALS.index(utd)], TRIALS, augment=RIGID, skeletons=True)[Request(rows, (0, 0, 0))]
    torch.testing.assert_close(still.patches, batch.patches)
    torch.testing.assert_close(still.seconds, batch.seconds)
    torch.testing.assert_close(still.skeleton, batch.skeleton)


def test_bodies_are_turned_about_the_vertical_and_resized_whole(utd: Dataset) -> None:
    rows = np.zeros(200, np.int64)
    plain = Segments([TRIALS.index(utd)], TRIALS, skeletons=True)[Request(rows, (0, 0, 0))].skeleton

    def bodies(**strength: float) -> torch.Tensor:
        segments = Segments([TRIALS.index(utd)], TRIALS, augment=replace(RIGID, **strength), skeletons=True)
        found = segments[Request(rows, (0, 0, 0))].skeleton
        assert found is not None
        return found

    assert plain is not None
    turned = bodies(skeleton_turn=20.0)
    torch.testing.assert_close(turned[..., 1], plain[..., 1])  # heights stay
    torch.testing.assert_close(turned.norm(dim=-1), plain.norm(dim=-1), atol=1e-5, rtol=1e-5)
    head, before = turned[:, 0, 0, [0, 2]], plain[:, 0, 0, [0, 2]]
    cross = before[:, 0] * head[:, 1] - before[:, 1] * head[:, 0]
    angle = torch.atan2(cross, (before * head).sum(1))
    assert float(angle.rad2deg().std()) == pytest.approx(20, rel=0.15)
    grown = bodies(skeleton_scale=0.1)
    size = grown.flatten(1).norm(dim=1) / plain.flatten(1).norm(dim=1)
    torch.testing.assert_close(grown, plain * size[:, None, None, None])
    assert float(size.log().std()) == pytest.approx(0.1, rel=0.15)
    assert float((bodies(skeleton_jitter=0.02) - plain).std()) == pytest.approx(0.02, rel=0.02)


def test_a_change_sees_the_segments_in_reference_units_and_the_seed(watch: Dataset) -> None:
    seen = []

    def change(signal: Floats, rng: np.random.Generator) -> Floats:
        seen.append((signal.copy(), rng.random()))
        return signal * np.float32(2)

    index = TRIALS.index(watch)
    changed, plain = Segments([index], TRIALS, change=change), Segments([index], TRIALS)
    for seed in (0, 0, 1):
        batch = changed[Request(np.arange(3), (seed, 0, 0))]
        torch.testing.assert_close(batch.patches, 2 * plain[Request(np.arange(3), (0, 0, 0))].patches)
        assert torch.equal(batch.seconds, plain[Request(np.arange(3), (0, 0, 0))].seconds)
    np.testing.assert_array_equal(seen[0][0], plain.plain()[:3])
    assert seen[0][1] == seen[1][1] != seen[2][1]


def test_a_channel_that_gives_nothing_is_masked_where_that_can_be_said_and_zero_elsewhere(watch: Dataset) -> None:
    def change(signal: Floats, rng: np.random.Generator) -> Floats:
        out = signal.copy()
        out[1::2, :, 3:] = np.nan  # the gyroscope, in every second segment
        return out

    index, rows = WINDOWS.index(watch), Request(np.arange(8), (0, 0, 0))
    text: TextTable = {words: np.ones(16, np.float32) for words in describe_channels([index], ChannelView())}
    plain, changed = (
        Segments([index], WINDOWS, text=text, patch_seconds=1.0, change=how)[rows] for how in (None, change)
    )
    assert plain.window is not None and changed.window is not None
    silent = torch.zeros(8, 6, dtype=torch.bool)
    silent[1::2, 3:] = True
    assert torch.equal(changed.window.channel_mask, ~silent) and plain.window.channel_mask.all()
    for found, whole in ((changed, plain), (changed.window, plain.window)):
        torch.testing.assert_close(found.patches, whole.patches.masked_fill(silent[:, None, None], 0.0))
    everywhere = Segments([index], WINDOWS, change=change).plain()
    assert not everywhere[1::2, :, 3:].any() and everywhere[::2].all(axis=1).any()


# The cache


@pytest.fixture
def cached(tmp_path: Path) -> PrepareConfig:
    return replace(PLAIN, cache=str(tmp_path / "cache"))


def files(config: PrepareConfig) -> list[Path]:
    return sorted(Path(config.cache).iterdir())


def test_the_second_time_the_file_is_read(
    clocks: Dataset, cached: PrepareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = TRIALS.index(clocks)
    plain, first = prepare(index, PLAIN, skeletons=True), prepare(index, cached, skeletons=True)
    [file] = files(cached)
    with safe_open(file, framework="np") as handle:  # tensors, no pickle
        assert set(handle.keys()) == {"signal", "length", "skeleton"}
    monkeypatch.setattr(prepared, "_signals", lambda *_: pytest.fail("made again"))
    second = prepare(index, cached, skeletons=True)
    for found in (first, second):
        np.testing.assert_array_equal(found.signal, plain.signal)
        np.testing.assert_array_equal(found.length, plain.length)
        np.testing.assert_array_equal(found.skeleton, plain.skeleton)
        assert found.channels == plain.channels


@pytest.mark.parametrize("damage", [b"", b"\x80\x04N.", None])
def test_a_damaged_file_is_written_again(damage: bytes | None, clocks: Dataset, cached: PrepareConfig) -> None:
    index = TRIALS.index(clocks)
    expected = prepare(index, cached, skeletons=False)
    [file] = files(cached)
    whole = file.read_bytes()
    file.write_bytes(whole[:-7] if damage is None else damage)
    np.testing.assert_array_equal(prepare(index, cached, skeletons=False).signal, expected.signal)
    assert file.read_bytes() == whole and files(cached) == [file]


def test_what_the_arrays_depend_on_is_in_the_key(clocks: Dataset, cached: PrepareConfig, folder: Path) -> None:
    index = TRIALS.index(clocks)
    other = write(folder, "other", [*clocked(), *clocked(50.0, 0.5, 30.0, 1.0, number=1)])
    calls = [
        (index, cached, True),
        (index, cached, False),
        (index, replace(cached, lowpass=10.0), False),
        (index, replace(cached, rate=40.0), False),
        (index, replace(cached, view=ChannelView(sensors=("acc",))), False),
        (index.take(np.array([0, 1])), cached, False),
        (index.take(np.array([1, 0])), cached, False),
        (replace(index, length=index.length - 1), cached, False),
        (TRIALS.index(other), cached, False),
    ]
    for number, (what, config, skeletons) in enumerate(calls, 1):
        prepare(what, config, skeletons=skeletons)
        assert len(files(cached)) == number
    for what, config, skeletons in calls:
        moved = replace(config, cache=config.cache + "/../cache")  # where it lies does not matter
        prepare(what, moved, skeletons=skeletons)
    assert len(files(cached)) == len(calls)


# What cannot be


def felt(channels: Sequence[Channel], number: int) -> Recording:
    signal = np.random.default_rng(number).normal(size=(200, len(channels))).astype(np.float32)
    return Recording(signal, 50.0, tuple(channels), f"p{number}", f"r{number}", (Annotation(0, 4, "walking"),))


WATCH = six_axes("wrist", "watch")
PAIR = (*triad("acc", "wrist", gravity=True, prefix="l_"), *triad("acc", "ankle", gravity=True, prefix="r_"))


@pytest.mark.parametrize("kinds", [(WATCH, WATCH[:3]), (WATCH, PAIR), (WATCH, (*WATCH[3:], *WATCH[:3]))])
def test_channels_of_different_kinds_are_refused(kinds: Sequence[Sequence[Channel]], tmp_path: Path) -> None:
    one = write(tmp_path, "one", [felt(channels, number) for number, channels in enumerate(kinds)])
    with pytest.raises(DataError, match="'one' differ in their channels: choose a view that makes them alike"):
        Segments([TRIALS.index(one)], TRIALS)
    apart = [write(tmp_path, f"d{number}", [felt(channels, number)]) for number, channels in enumerate(kinds)]
    with pytest.raises(DataError, match="the datasets differ in the sensors or axes of their channels"):
        Segments([TRIALS.index(dataset) for dataset in apart], TRIALS)
    view = replace(TRIALS, prepare=replace(PLAIN, view=ChannelView(sensors=("acc",), placements=("wrist",))))
    segments = Segments([view.index(dataset) for dataset in (one, *apart)], view)
    assert [c.name[-5:] for c in segments.channels] == ["acc_x", "acc_y", "acc_z"]


@pytest.mark.parametrize("channels", [WATCH[3:], (*WATCH[:2], *WATCH[3:])])
def test_a_three_axis_accelerometer_is_needed(channels: Sequence[Channel], tmp_path: Path) -> None:
    dataset = write(tmp_path, "d", [felt(channels, 0)])
    with pytest.raises(DataError, match="segments need a three-axis accelerometer: choose a view that keeps one"):
        Segments([TRIALS.index(dataset)], TRIALS)


def test_an_empty_side_of_a_split(watch: Dataset) -> None:
    with pytest.raises(DataError, match="dataset 'watch' has no segment on this side of the split"):
        Segments([TRIALS.index(watch).of_subjects([])], TRIALS)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: PrepareConfig(rate=5), "prepare: a rate of 5 Hz must be from 10 to 1000"),
        (lambda: PrepareConfig(lowpass=25), "lowpass 25 Hz below half"),
        (lambda: PrepareConfig(lowpass=-1), "lowpass -1 Hz below half"),
        (lambda: PrepareConfig(frames=1), "frames 1 at least 2"),
        (lambda: SegmentConfig(samples=7), "segments: samples must be 8 or more"),
        (lambda: SegmentConfig(step_seconds=0), "window_seconds and step_seconds positive"),
        (lambda: SegmentConfig(samples=19), "segments: patches of 20 samples do not fit into 19"),
        (lambda: SegmentAugment(crop=0.5), r"augment: crop must be in \[0, 0.5\)"),
        (lambda: SegmentAugment(skeleton_jitter=-0.1), "the strengths of the skeleton 0 or more"),
    ],
)
def test_impossible_settings_are_refused(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        make()
    assert "\n" not in str(caught.value)
