from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from otolith.data.channels import skeleton
from otolith.data.recording import Annotation, Recording
from otolith.data.registry import CARDS
from otolith.data.store import Dataset, DatasetWriter
from otolith.data.views import ChannelView
from otolith.data.windows import (
    WindowIndex,
    index_trials,
    index_windows,
    label_windows,
    overlapping,
    split_by_subject,
    window_starts,
)
from otolith.types import ConfigError, DataError, LeakError


@pytest.fixture(scope="module")
def index(spar_dataset: Dataset) -> WindowIndex:
    return index_windows(spar_dataset, seconds=4.0, step=1.0)


def write(path: Path, name: str, recordings: list[Recording]) -> Dataset:
    with DatasetWriter(path / name, name) as writer:
        for recording in recordings:
            writer.add(recording)
    return Dataset.open(path / name)


def named(index: WindowIndex, name: str) -> WindowIndex:
    """The same windows under the name of another dataset."""
    dataset = Dataset(
        index.dataset.path, {**index.dataset.info, "name": name}, index.dataset.recordings, index.dataset.annotations
    )
    return replace(index, dataset=dataset)


# Labels


@pytest.mark.parametrize(
    ("start", "purity", "label"),
    [
        (0.0, 0.9, "walking"),
        (6.0, 0.9, "walking"),  # ends with the activity
        (6.4, 0.9, "walking"),  # 3.6 of 4 s
        (6.5, 0.9, ""),
        (6.5, 0.8, "walking"),
        (8.0, 0.5, "walking"),  # half and half: the first
        (8.5, 0.5, "sitting"),
        (12.5, 0.5, "sitting"),  # 2.5 s, then nothing
        (13.1, 0.5, ""),
        (30.0, 0.1, ""),
    ],
)
def test_label_of_a_window(start: float, purity: float, label: str) -> None:
    notes = [Annotation(0, 10, "walking"), Annotation(10, 15, "sitting")]
    assert label_windows(np.array([start]), 4.0, notes, purity).tolist() == [label]


def test_pieces_of_one_activity_count_together() -> None:
    notes = [Annotation(0, 2, "walking"), Annotation(2, 2.2, "jumping"), Annotation(2.2, 4, "walking")]
    assert label_windows(np.zeros(1), 4.0, notes, 0.9).tolist() == ["walking"]
    assert label_windows(np.zeros(1), 4.0, notes, 0.96).tolist() == [""]
    assert label_windows(np.zeros(2), 4.0, [], 0.9).tolist() == ["", ""]


def test_labels_are_canonical(spar_recordings: list[Recording], tmp_path: Path) -> None:
    first = spar_recordings[0]
    notes = (Annotation(0, 5, "Walking_Upstairs"), Annotation(5, 10, "my own thing"))
    dataset = write(tmp_path, "own", [replace(first, annotations=notes)])
    labels = index_windows(dataset, 4.0, 1.0).label
    assert labels[:2].tolist() == ["walking upstairs"] * 2 and labels[5:7].tolist() == ["my own thing"] * 2
    assert set(labels[10:].tolist()) == {""}


# The index


def test_index_of_the_watch_set(index: WindowIndex, spar_recordings: list[Recording]) -> None:
    expected = sum((len(r.signal) - 200) // 50 + 1 for r in spar_recordings)
    assert len(index) == expected
    assert set(index.length.tolist()) == {200} and set(index.label.tolist()) == set(CARDS["spar"].activities.values())
    assert set(index.group.tolist()).isdisjoint({""})
    for row in (0, len(index) // 2, len(index) - 1):
        recording = spar_recordings[index.recording[row]]
        assert index.subject[row] == recording.subject and index.label[row] == recording.annotations[0].activity
        assert 0 <= index.start[row] <= len(recording.signal) - 200
    assert (np.diff(index.start)[np.diff(index.recording) == 0] == 50).all()


def test_windows_with_missing_samples_are_dropped(spar_recordings: list[Recording], tmp_path: Path) -> None:
    signal = spar_recordings[0].signal.copy()
    signal[310, 4] = np.nan
    starts = index_windows(write(tmp_path, "gap", [replace(spar_recordings[0], signal=signal)]), 4.0, 1.0).start
    whole = np.arange(0, len(signal) - 199, 50)
    assert starts.tolist() == [s for s in whole if not s <= 310 < s + 200]
    assert len(starts) == len(whole) - 4


def test_window_starts_by_the_definition() -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(60, 2)).astype(np.float32)
    signal[rng.random((60, 2)) < 0.05] = np.nan
    for length, step in ((1, 1), (7, 3), (60, 1), (61, 1)):
        expected = [s for s in range(0, 61 - length, step) if not np.isnan(signal[s : s + length]).any()]
        assert window_starts(signal, length, step).tolist() == expected


def test_windows_last_as_long_at_any_rate(spar_recordings: list[Recording], tmp_path: Path) -> None:
    slow = replace(spar_recordings[1], signal=spar_recordings[1].signal[::2].copy(), rate=25.0)
    found = index_windows(write(tmp_path, "two", [spar_recordings[0], slow]), 2.0, 1.0)
    assert set(found.length[found.recording == 0].tolist()) == {100}
    assert set(found.length[found.recording == 1].tolist()) == {50}
    assert (np.diff(found.start[found.recording == 1]) == 25).all()


def test_windows_that_cannot_be(spar_dataset: Dataset) -> None:
    with pytest.raises(DataError, match="dataset 'spar': no recording holds 1000 s without a gap; use shorter windows"):
        index_windows(spar_dataset, 1000.0, 1.0)
    for arguments in ((0.0, 1.0, 0.9), (4.0, -1.0, 0.9), (4.0, 1.0, 0.0), (4.0, 1.0, 1.1)):
        with pytest.raises(ConfigError, match="must be positive"):
            index_windows(spar_dataset, *arguments)


def test_choosing(index: WindowIndex) -> None:
    row = index.labelled(["bent over row"])
    assert set(row.label.tolist()) == {"bent over row"} and 0 < len(row) < len(index)
    assert len(index.labelled()) == len(index) and len(index.labelled([])) == 0
    assert set(index.of_subjects(["subject03"]).subject.tolist()) == {"subject03"}
    blank = replace(index, label=np.full(len(index), ""))
    assert len(blank.labelled()) == 0 and set(blank.group.tolist()) == {""}


def test_the_smallest_overlap_with_an_activity_counts(spar_recordings: list[Recording], tmp_path: Path) -> None:
    notes = (
        Annotation(0, 5.5, "Walking_Upstairs"),
        Annotation(5.5, 6.25, "sitting down"),
        Annotation(6.25, 20, "sitting"),
    )
    both = [replace(spar_recordings[0], annotations=notes), replace(spar_recordings[1], annotations=notes[2:])]
    index = index_windows(write(tmp_path, "own", both), 4.0, 1.0)
    found = overlapping(index, {"sitting down"})
    # Windows of 4 s that begin at 2 to 6 s touch 5.5 to 6.25 s; none is labelled with it.
    assert (index.start[found] / 50).tolist() == [2, 3, 4, 5, 6] and set(index.recording[found].tolist()) == {0}
    assert "sitting down" not in index.label
    assert (index.start[overlapping(index, {"walking upstairs"})] / 50).tolist() == [0, 1, 2, 3, 4, 5]
    assert not overlapping(index, set()).any()


# Trials


def test_a_trial_is_an_annotated_stretch_from_its_beginning_to_its_end(
    spar_recordings: list[Recording], tmp_path: Path
) -> None:
    notes = (Annotation(1.0, 5.02, "Walking_Upstairs"), Annotation(5.02, 5.5, "sitting"), Annotation(9, 20.5, "own"))
    slow = replace(spar_recordings[20], signal=spar_recordings[20].signal[::2].copy(), rate=25.0, annotations=notes[2:])
    found = index_trials(write(tmp_path, "own", [replace(spar_recordings[0], annotations=notes), slow]), 1.0)
    assert found.label.tolist() == ["walking upstairs", "own", "own"]  # half a second of sitting is too short
    assert found.recording.tolist() == [0, 0, 1]
    assert found.start.tolist() == [50, 450, 225] and found.length.tolist() == [201, 575, 287]
    assert found.subject.tolist() == [spar_recordings[0].subject] * 2 + [spar_recordings[20].subject]
    assert len(index_trials(found.dataset, 0.48)) == 4 and len(index_trials(found.dataset, 0.49)) == 3


def test_whole_recordings_of_the_watch_set_are_its_trials(
    spar_dataset: Dataset, spar_recordings: list[Recording]
) -> None:
    found = index_trials(spar_dataset, 1.0)
    assert found.recording.tolist() == list(range(140)) and not found.start.any()
    assert found.length.tolist() == [len(r.signal) for r in spar_recordings]
    assert found.label.tolist() == [r.annotations[0].activity for r in spar_recordings]


def test_trials_with_missing_samples_are_dropped(spar_recordings: list[Recording], tmp_path: Path) -> None:
    signal = spar_recordings[0].signal.copy()
    signal[[99, 300], 4] = np.nan  # just before the first, and within the second
    notes = (Annotation(2, 4, "walking"), Annotation(5, 7, "sitting"), Annotation(7, 9, "lying"))
    dataset = write(tmp_path, "gap", [replace(spar_recordings[0], signal=signal, annotations=notes)])
    assert index_trials(dataset, 1.0).label.tolist() == ["walking", "lying"]
    acceleration = ChannelView(sensors=("acc",))  # the gap is in the gyroscope
    assert index_trials(dataset, 1.0, acceleration).label.tolist() == ["walking", "sitting", "lying"]


def test_what_the_view_does_not_see_has_no_trials(spar_recordings: list[Recording], tmp_path: Path) -> None:
    watch = replace(spar_recordings[0], session="s")
    camera = replace(
        watch, name="camera", signal=watch.signal[:, :3].copy(), channels=skeleton(["head"], "camera"), rate=30.0
    )
    camera = replace(camera, annotations=(Annotation(0, 5, "walking"),))
    dataset = write(tmp_path, "both", [camera, watch])
    assert index_trials(dataset, 1.0, ChannelView()).recording.tolist() == [1]
    assert index_trials(dataset, 1.0).recording.tolist() == [0, 1]
    with pytest.raises(ConfigError, match="keeps no channel"):
        index_trials(dataset, 1.0, ChannelView(sensors=("mag",)))


def test_trials_that_cannot_be(spar_dataset: Dataset, spar_recordings: list[Recording], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="dataset 'spar': no annotated stretch holds 1000 s without a gap"):
        index_trials(spar_dataset, 1000.0)
    with pytest.raises(DataError, match="no annotated stretch"):
        index_trials(write(tmp_path, "bare", [replace(spar_recordings[0], annotations=())]), 1.0)


# Splits


def people(index: WindowIndex) -> set[str]:
    return set(index.subject.tolist())


@pytest.mark.parametrize("seed", range(5))
def test_split_is_by_subject(index: WindowIndex, seed: int) -> None:
    split = split_by_subject(index, val=0.2, test=0.3, seed=seed)
    sides = [people(side) for side in (split.train, split.val, split.test)]
    assert [len(side) for side in sides] == [5, 2, 3]
    assert set.union(*sides) == people(index) and sum(map(len, sides)) == 10
    assert len(split.train) + len(split.val) + len(split.test) == len(index)
    again = split_by_subject(index, val=0.2, test=0.3, seed=seed)
    assert [people(side) for side in (again.train, again.val, again.test)] == sides


def test_seed_chooses_the_subjects(index: WindowIndex) -> None:
    assert len({tuple(sorted(people(split_by_subject(index, val=0, test=0.3, seed=s).test))) for s in range(10)}) > 5


def test_a_share_holds_out_at_least_one(index: WindowIndex) -> None:
    split = split_by_subject(index, val=0.01, test=0)
    assert len(people(split.val)) == 1 and len(split.test) == 0


def test_named_subjects(index: WindowIndex) -> None:
    split = split_by_subject(index, val=["subject02"], test=("subject01", "subject10"))
    assert people(split.val) == {"subject02"} and people(split.test) == {"subject01", "subject10"}
    assert len(people(split.train)) == 7


def test_shares_avoid_named_subjects(index: WindowIndex) -> None:
    for seed in range(10):
        split = split_by_subject(index, val=0.3, test=["subject01", "subject10"], seed=seed)
        assert people(split.val).isdisjoint({"subject01", "subject10"}) and len(people(split.val)) == 3


def test_splits_that_cannot_be(index: WindowIndex) -> None:
    with pytest.raises(DataError, match="there is no subject 'subject11'; subjects are subject01, subject02"):
        split_by_subject(index, val=0, test=["subject11"])
    with pytest.raises(LeakError, match="subject subject01 of 'spar' on both sides, val and test"):
        split_by_subject(index, val=["subject01"], test=["subject01"])
    with pytest.raises(DataError, match="10 subjects leave none for training"):
        split_by_subject(index, val=0.5, test=0.5)
    with pytest.raises(ConfigError, match=r"must be in \[0, 1\), not 1.5"):
        split_by_subject(index, val=0, test=1.5)


def test_numbered_subjects_sort_as_numbers(spar_recordings: list[Recording], tmp_path: Path) -> None:
    some = [replace(r, subject=str(n), name=str(n)) for n, r in zip((10, 9, 2), spar_recordings, strict=False)]
    with pytest.raises(DataError, match="subjects are 2, 9, 10"):
        split_by_subject(index_windows(write(tmp_path, "n", some), 4.0, 1.0), val=0, test=["1"])
