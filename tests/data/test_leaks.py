"""Leaks are planted in real watch recordings: each must be found, named, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from otolith.data.leaks import Leak, check_leak, check_statistics, find_leaks, share_recordings
from otolith.data.recording import Recording
from otolith.data.segments import SegmentConfig, Segments
from otolith.data.store import Dataset, DatasetWriter
from otolith.data.windows import WindowIndex, index_windows, split_by_subject
from otolith.models.pupil import Student
from otolith.models.student import StudentConfig
from otolith.train.supervised import normalise
from otolith.types import LeakError

Write = Callable[[str, list[Recording]], WindowIndex]


@pytest.fixture(scope="module")
def index(spar_dataset: Dataset) -> WindowIndex:
    return index_windows(spar_dataset, seconds=4.0, step=1.0)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Windows of 4 s, each second, of recordings that are written as a dataset."""

    def windows(name: str, recordings: list[Recording]) -> WindowIndex:
        with DatasetWriter(tmp_path / name, name) as writer:
            for recording in recordings:
                writer.add(recording)
        return index_windows(Dataset.open(tmp_path / name), 4.0, 1.0)

    return windows


def named(index: WindowIndex, name: str, sha256: str = "") -> WindowIndex:
    """The same windows under the name of another dataset, or as if they were of another."""
    old = index.dataset
    info = {**old.info, "name": name, "sha256": sha256 or old.sha256}
    return replace(index, dataset=Dataset(old.path, info, old.recordings, old.annotations))


def people(index: WindowIndex) -> set[str]:
    return set(index.subject.tolist())


def kinds(leaks: list[Leak]) -> list[str]:
    return [leak.kind for leak in leaks]


def name_of(index: WindowIndex, row: int) -> str:
    return str(index.dataset.recordings["name"].iloc[row])


# The guard that raises


def test_guard_finds_a_moved_subject(index: WindowIndex) -> None:
    split = split_by_subject(index, val=0.2, test=0.2)
    check_leak(train=[split.train], val=[split.val], test=[split.test])
    moved = sorted(people(split.train))[:2]
    mixed = index.of_subjects(people(split.test) | set(moved))
    with pytest.raises(LeakError, match=f"subjects {', '.join(moved)} of 'spar' on both sides, train and test"):
        check_leak(train=[split.train], val=[split.val], test=[mixed])


def test_guard_finds_a_single_window(index: WindowIndex) -> None:
    split = split_by_subject(index, val=0, test=0.2)
    with pytest.raises(LeakError):
        check_leak(train=[split.train, split.test.take(np.array([0]))], test=[split.test])


def test_guard_knows_sets_of_the_same_recordings(index: WindowIndex) -> None:
    one, other = index.of_subjects(["subject01"]), index.of_subjects(["subject02"])
    assert share_recordings("uci_har", "hapt") and share_recordings("hapt", "uci_har")
    assert not share_recordings("hapt", "spar") and not share_recordings("own", "other")
    for pair in (("hapt", "uci_har"), ("uci_har", "hapt")):
        with pytest.raises(LeakError, match="contain the same recordings"):
            check_leak(train=[named(one, pair[0], "1")], test=[named(other, pair[1], "2")])
    check_leak(train=[named(one, "hapt", "1"), named(other, "uci_har", "2")], test=[named(other, "own", "3")])
    none = named(other, "uci_har", "2").take(np.zeros(len(other), bool))
    check_leak(train=[named(one, "hapt", "1")], test=[none])


def test_guard_lets_equal_names_of_different_sets_pass(index: WindowIndex) -> None:
    check_leak(train=[named(index, "one", "1")], test=[named(index, "two", "2")])


def test_guard_knows_a_set_under_another_name(index: WindowIndex) -> None:
    split = split_by_subject(index, val=0, test=0.2)
    check_leak(train=[split.train], test=[named(split.test, "own")])
    moved = named(index.of_subjects(["subject03"]), "own")
    text = r"subject subject03 of 'own' \(which is 'spar' under another name\) on both sides"
    with pytest.raises(LeakError, match=text):
        check_leak(train=[index], test=[moved])


def test_guard_says_how_much_more_there_is(index: WindowIndex) -> None:
    with pytest.raises(LeakError, match=r"^subjects subject01, .*: split by subject \(2 more leaks found\)$"):
        check_leak(train=[index], test=[index])
    check_leak(train=[index], test=[])


# What it finds: names and times


def test_nothing_is_found_where_nothing_is_shared(index: WindowIndex) -> None:
    split = split_by_subject(index, val=0.2, test=0.2)
    assert find_leaks(contents=True, train=[split.train], val=[split.val], test=[split.test]) == []


def test_a_moved_subject_is_named_with_all_it_takes_along(index: WindowIndex) -> None:
    split = split_by_subject(index, val=0, test=["subject02", "subject10"])
    moved = index.of_subjects(["subject05"])
    test = index.of_subjects(["subject02", "subject05", "subject10"])
    found = find_leaks(train=[split.train], test=[test])
    assert kinds(found) == ["subjects", "recordings", "time"]
    assert {(leak.sides, leak.datasets, leak.windows) for leak in found} == {
        (("train", "test"), ("spar", "spar"), len(moved))
    }
    assert found[0].names == ("subject05",)
    own = sorted({name_of(index, row) for row in moved.recording})
    assert sorted(found[1].names) == sorted(found[2].names) == own
    # Windows of 4 s, each second, cover a recording but for less than its last second.
    covered = sum(max(moved.start[moved.recording == row]) / 50 + 4 for row in set(moved.recording.tolist()))
    assert [leak.seconds for leak in found] == pytest.approx([covered] * 3)
    assert f"{len(moved)} windows of test overlap with windows of train by {covered:.1f} s of" in found[2].sentence
    assert "and 2 more in 'spar'" in found[1].sentence.replace(" of 'spar'", " in 'spar'")


def test_a_recording_under_two_subjects_is_found(index: WindowIndex) -> None:
    """As when the list of subjects is wrong: the people differ, the recording is the same."""
    first = index.take(index.recording == 0)
    wrong = replace(first, subject=np.full(len(first), "somebody else"))
    assert kinds(find_leaks(train=[index], test=[wrong])) == ["recordings", "time"]


@pytest.mark.parametrize(
    ("left", "right", "windows", "seconds"),
    [
        ([0], [200], 0, 0.0),  # touch
        ([0], [190], 1, 0.2),
        ([0, 600], [200, 400], 0, 0.0),  # in between
        ([0, 600], [100, 500, 900], 2, 4.0),
        ([0, 100, 200], [50, 60, 1000], 2, 4.2),  # time that several cover counts once
        ([0, 50], [0, 50], 2, 5.0),
    ],
)
def test_overlapping_time(index: WindowIndex, left: list[int], right: list[int], windows: int, seconds: float) -> None:
    longest = int(np.argmax(index.dataset.recordings["rows"]))

    def at(starts: list[int]) -> WindowIndex:
        some = index.take(np.flatnonzero(index.recording == longest)[: len(starts)])
        return replace(some, start=np.array(starts))

    found = [leak for leak in find_leaks(train=[at(left)], test=[at(right)]) if leak.kind == "time"]
    assert [(leak.windows, leak.seconds) for leak in found] == ([(windows, seconds)] if windows else [])
    assert all(leak.names == (name_of(index, longest),) for leak in found)


def test_overlapping_time_by_the_definition(index: WindowIndex) -> None:
    rng = np.random.default_rng(0)
    sides = [index.take(rng.permutation(len(index))[:300]) for _ in range(2)]
    samples = [
        [(r, s) for r, first in zip(side.recording.tolist(), side.start.tolist(), strict=True)
         for s in range(first, first + 200)]
        for side in sides
    ]  # fmt: skip
    both = set(samples[0]) & set(samples[1])
    touched = sum(
        any((r, s) in both for s in range(first, first + 200))
        for r, first in zip(sides[1].recording.tolist(), sides[1].start.tolist(), strict=True)
    )
    (leak,) = (leak for leak in find_leaks(a=[sides[0]], b=[sides[1]]) if leak.kind == "time")
    assert (leak.windows, leak.seconds) == (touched, pytest.approx(len(both) / 50))


def test_each_pair_of_sides_is_looked_at(index: WindowIndex) -> None:
    a, b = index.of_subjects(["subject01"]), index.of_subjects(["subject02"])
    found = find_leaks(train=[a, b], val=[b], test=[a])
    assert [(leak.sides, leak.names) for leak in found if leak.kind == "subjects"] == [
        (("train", "val"), ("subject02",)),
        (("train", "test"), ("subject01",)),
    ]


# What it finds: contents


def test_a_copied_recording_of_another_dataset_is_found(write: Write, spar_recordings: list[Recording]) -> None:
    copy = replace(spar_recordings[3], name="trial 7", subject="volunteer 1")
    one, other = write("one", spar_recordings[:6]), write("other", [copy, *spar_recordings[6:9]])
    assert find_leaks(train=[one], test=[other]) == []
    recording, windows = find_leaks(contents=True, train=[one], test=[other])
    assert (recording.kind, windows.kind) == ("copied recordings", "copied windows")
    assert recording.names == windows.names == ("trial 7",) and recording.datasets == ("one", "other")
    assert recording.windows == windows.windows == (other.recording == 0).sum()
    assert recording.seconds == windows.seconds == other.start[other.recording == 0].max() / 50 + 4
    assert f"recording trial 7 (there {spar_recordings[3].name}) of 'other' (test)" in recording.sentence
    with pytest.raises(LeakError, match=r"can be found in 'one' \(train\), sample for sample.* \(1 more leak found\)"):
        check_leak(contents=True, train=[one], test=[other])


def test_a_copied_recording_of_the_same_dataset_is_found(write: Write, spar_recordings: list[Recording]) -> None:
    copy = replace(spar_recordings[3], name="copy", subject="volunteer 1")
    all_of_them = write("own", [*spar_recordings[:6], copy])
    rest, one = all_of_them.recording < 6, all_of_them.recording == 6
    sides = {"train": [all_of_them.take(rest)], "test": [all_of_them.take(one)]}
    assert find_leaks(**sides) == []
    assert kinds(find_leaks(contents=True, **sides)) == ["copied recordings", "copied windows"]


def test_a_copied_window_in_another_recording_is_found(write: Write, spar_recordings: list[Recording]) -> None:
    signal = spar_recordings[20].signal.copy()
    signal[150:350] = spar_recordings[3].signal[250:450]
    changed = replace(spar_recordings[20], signal=signal)
    one, other = write("one", spar_recordings[:6]), write("other", [spar_recordings[21], changed])
    (leak,) = find_leaks(contents=True, train=[one], test=[other])
    assert (leak.kind, leak.windows, leak.seconds, leak.names) == ("copied windows", 1, 4.0, (changed.name,))
    assert "1 window of 'other' (test)" in leak.sentence
    # As the docstring says: a copy between the windows' starts is not found.
    signal[150:350] = spar_recordings[3].signal[255:455]
    shifted = write("shifted", [replace(changed, signal=signal)])
    assert find_leaks(contents=True, train=[one], test=[shifted]) == []


def test_a_sensor_that_reads_nothing_is_no_copy(write: Write, spar_recordings: list[Recording]) -> None:
    def off(recording: Recording, whole: bool) -> Recording:
        signal = recording.signal.copy()
        signal[: len(signal) if whole else 250] = [0, 0, 9.81, 0, 0, 0]
        return replace(recording, signal=signal)

    for whole in (True, False):
        one = write(f"one{whole}", [off(spar_recordings[0], whole)])
        other = write(f"other{whole}", [off(spar_recordings[20], whole)])
        assert find_leaks(contents=True, train=[one], test=[other]) == []


def test_a_shared_recording_is_not_named_twice(index: WindowIndex) -> None:
    some = index.take(index.recording < 4)
    assert kinds(find_leaks(contents=True, train=[some], test=[some])) == ["subjects", "recordings", "time"]


def test_windows_of_different_lengths_and_channels(write: Write, spar_recordings: list[Recording]) -> None:
    slow = replace(spar_recordings[1], signal=spar_recordings[1].signal[::2].copy(), rate=25.0)
    third = spar_recordings[2]
    narrow = replace(third, signal=third.signal[:, :3].copy(), channels=third.channels[:3])
    mixed = [spar_recordings[0], slow, narrow]
    one, other = write("one", mixed), write("other", [replace(r, name=f"x{r.name}") for r in mixed])
    recording, windows = find_leaks(contents=True, train=[one], test=[other])
    assert len(recording.names) == 3 and windows.windows == len(other)


# Normalisers


CONFIG = SegmentConfig(whole_trials=False, window_seconds=4.0, step_seconds=2.0)


@pytest.fixture(scope="module")
def sides(spar_dataset: Dataset) -> tuple[Segments, Segments]:
    """Segments of the training people, and of all."""
    index = CONFIG.index(spar_dataset)
    train = index.take(index.subject != "subject10")
    return Segments([train], CONFIG), Segments([index], CONFIG)


def student(fitted_on: Segments) -> Student:
    sizes = StudentConfig(channels=len(fitted_on.channels), triads=tuple(map(tuple, fitted_on.triads)))
    model = Student(sizes, 2)
    normalise(model, fitted_on)
    return model


def stored(model: torch.nn.Module) -> tuple[np.ndarray, np.ndarray]:
    buffers = dict(model.named_buffers())
    mean, std = (next(v for k, v in buffers.items() if k.endswith(end)) for end in ("mean", "std"))
    return mean.numpy(), std.numpy()


def test_a_normaliser_that_saw_one_person_more_is_found(sides: tuple[Segments, Segments]) -> None:
    train, everyone = sides
    expected = train.statistics()
    check_statistics(*stored(student(train)), *expected)
    said = r"normaliser holds the (mean|deviation) .* for channel \d+, where the training"
    with pytest.raises(LeakError, match=said):
        check_statistics(*stored(student(everyone)), *expected)


def test_a_normaliser_that_saw_one_person_more_in_any_way(sides: tuple[Segments, Segments]) -> None:
    train, everyone = sides
    mean, std = train.statistics()
    check_statistics(mean, std, mean, std)
    more = everyone.statistics()
    for leaked in ((more[0], std), (mean, more[1])):
        with pytest.raises(LeakError, match="it has seen others, fit it again on the training people alone"):
            check_statistics(*leaked, mean, std)


def test_rounding_is_no_leak(sides: tuple[Segments, Segments]) -> None:
    mean, std = sides[0].statistics()
    signal = sides[0].plain()
    sizes = [np.linalg.norm(signal[..., list(t)], axis=-1, keepdims=True) for t in sides[0].triads]
    values = np.concatenate([signal, *sizes], axis=-1).reshape(-1, len(mean))[::-1]
    check_statistics(mean, std, np.array([v.mean(dtype=np.float32) for v in values.T]), values.std(axis=0))


def test_a_normaliser_of_another_kind() -> None:
    with pytest.raises(LeakError, match="is of 2 channels, the training side of 3"):
        check_statistics(np.zeros(2), np.ones(2), np.zeros(3), np.ones(3))
    for bad in (np.nan, np.inf):
        with pytest.raises(LeakError, match="for channel 1"):
            check_statistics([0, bad], [1, 1], [0, 0], [1, 1])
