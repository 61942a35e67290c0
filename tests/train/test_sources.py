from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from otolith.data.card import SubjectSplit
from otolith.data.loader import LoaderConfig
from otolith.data.recording import Annotation
from otolith.data.registry import CARDS
from otolith.data.store import Dataset, DatasetWriter
from otolith.models.text_cache import TextCache
from otolith.train.sources import (
    SourceConfig,
    Sources,
    check_chain,
    evaluation_windows,
    lineage,
    open_sources,
    subjects_in,
)
from otolith.types import ConfigError, DataError, LeakError

LOADER = LoaderConfig(step_seconds=2.0)
Opener = Callable[..., Sources]


@pytest.fixture(scope="module")
def texts() -> TextCache:
    return TextCache()


@pytest.fixture(scope="module")
def sources(texts: TextCache, few: Path, other: Path) -> Opener:
    def read(*folders: Path, **settings: object) -> Sources:
        names = tuple(str(folder) for folder in folders or (few, other))
        return open_sources(SourceConfig(names, **settings), LOADER, texts)  # type: ignore[arg-type]

    return read


@pytest.fixture
def renamed(few: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Recordings of the first two people under the name of another dataset."""

    def write(name: str, first: int = 0) -> Path:
        dataset = Dataset.open(few)
        with DatasetWriter(tmp_path / name, name) as writer:
            for number in range(first, 14, 3):
                writer.add(dataset.read(number))
        return tmp_path / name

    return write


def test_each_dataset_is_split(sources: Opener, few: Path) -> None:
    found = sources(val=0.25, test=0.25)
    assert found.names == ["spar", "other"] and len(found.labels) == 7
    sides = found.describe()["spar"]
    assert sides["sha256"] == Dataset.open(few).sha256
    assert [len(sides[s]) for s in ("train", "val", "test")] == [2, 1, 1]  # type: ignore[arg-type]
    assert len({*sides["train"], *sides["val"], *sides["test"]}) == 4  # type: ignore[misc]
    assert sources(val=0.25, test=0.25).describe() == found.describe()
    assert set(found.text) == {
        c.description for split in found.splits for layout in split.train.dataset.layouts for c in layout
    }


def test_labels(sources: Opener) -> None:
    found = sources(val=0, test=0, labels=("Bent_over_row", "shoulder pendulum"))
    assert found.labels == ["bent over row", "shoulder pendulum"]  # canonical, in the order given
    assert len(set(np.concatenate([index.label for index in found.train]).tolist())) == 7  # the others stay, unlabelled
    with pytest.raises(DataError, match="no training window is labelled 'jogging'; there are bent over row, "):
        sources(labels=("jogging",))


def test_excluded_windows_are_gone(sources: Opener) -> None:
    found = sources(val=0, test=0, exclude=("Bent over row",))
    assert "bent over row" not in found.labels
    assert all("bent over row" not in index.label for index in found.train)
    everything = tuple(CARDS["spar"].activities.values())
    with pytest.raises(DataError, match="data.exclude leaves no window of 'spar': exclude fewer"):
        sources(exclude=everything)


def test_windows_that_touch_an_excluded_activity_are_gone(sources: Opener, few: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(few)
    notes = (
        Annotation(0, 7, "sitting"),
        Annotation(7, 8.5, "standing up from sitting"),
        Annotation(8.5, 16, "standing"),
    )
    with DatasetWriter(tmp_path / "own", "own") as writer:
        for number in (0, 7):
            writer.add(replace(dataset.read(number), annotations=notes))
    (index,) = sources(tmp_path / "own", val=0, test=0, exclude=("Sit to stand",)).train
    begin, end = index.start / 50, (index.start + index.length) / 50
    assert len(index) > 0 and not ((begin < 8.5) & (end > 7)).any()
    with pytest.raises(DataError, match="data.exclude names 'jumping', which no recording holds"):
        sources(tmp_path / "own", val=0, test=0, exclude=("jumping",))


def test_named_subjects_of_several_datasets(sources: Opener) -> None:
    found = sources(val=("subject04",), test=("subject05",)).describe()  # of `spar` the one, of `other` the other
    assert [found[name][side] for name in ("spar", "other") for side in ("val", "test")] == [
        ["subject04"], [], [], ["subject05"],
    ]  # fmt: skip
    with pytest.raises(DataError, match="data.test names 'subject77', but there is no such subject; subjects are subj"):
        sources(val=("subject04",), test=("subject05", "subject77"))


def test_the_split_of_the_card_is_taken_unless_another_is_asked_for(sources: Opener, few: Path, tmp_path: Path) -> None:
    """And a share where no card fixes who is on which side, as in one's own recordings."""
    dataset = Dataset.open(few)
    with DatasetWriter(
        tmp_path / "spar", "spar", split=SubjectSplit(("subject02", "absent"), ("subject01",))
    ) as writer:
        for number in range(len(dataset)):
            writer.add(dataset.read(number))
    fixed = sources(tmp_path / "spar").splits[0]
    assert set(fixed.test.subject) == {"subject02"} and set(fixed.val.subject) == {"subject01"}
    asked = sources(tmp_path / "spar", test=("subject03",)).splits[0]
    assert set(asked.test.subject) == {"subject03"} and set(asked.val.subject) == {"subject01"}
    free = sources(few).splits[0]
    assert len(set(free.test.subject)) == len(set(free.val.subject)) == 1


def test_a_copy_without_those_who_test_needs_a_word(sources: Opener, few: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(few)
    with DatasetWriter(tmp_path / "spar", "spar", split=SubjectSplit(("absent",), ())) as writer:
        for number in range(len(dataset)):
            writer.add(dataset.read(number))
    with pytest.raises(DataError, match="of the people whom the card of 'spar' keeps for test none is in"):
        sources(tmp_path / "spar")


def test_evaluation_windows_are_spread_and_plain(sources: Opener) -> None:
    found = sources(val=0.5, test=0)
    whole = evaluation_windows(found.val, found, LOADER, limit=10**6)
    assert len(whole) == sum(len(index) for index in found.val)
    some = evaluation_windows(found.val, found, LOADER, limit=40)
    assert 20 <= len(some) <= 40 and set(some.dataset.tolist()) == {0, 1} and len(set(some.label.tolist())) == 7
    batch, _ = next(some.batches())
    assert batch.augmented is None and batch.masked is None
    assert len(evaluation_windows(found.val, replace(found, labels=[]), LOADER, limit=40)) == 0


def test_what_is_refused(sources: Opener, few: Path, renamed: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match="data.datasets is empty"):
        SourceConfig()
    with pytest.raises(ConfigError, match="names 'spar' twice: give"):
        sources(few, few)
    with pytest.raises(ConfigError, match="data.split_seed must be 0 or more, not -1"):
        SourceConfig(("a",), split_seed=-1)
    with pytest.raises(DataError, match="there is no dataset at"):
        sources(few.parent / "nothing")
    with pytest.raises(ConfigError, match="'motionsense' is reserved for zero-shot tests"):
        sources(renamed("motionsense"))
    assert sources(renamed("motionsense"), val=0.5, test=0, allow_zero_shot_only=True).names == ["motionsense"]


def test_sets_of_the_same_recordings_are_refused(sources: Opener, renamed: Callable[[str], Path]) -> None:
    with pytest.raises(LeakError, match="'hapt' .* and 'uci_har' .* contain the same recordings"):
        sources(renamed("hapt"), renamed("uci_har", first=1), val=0.5, test=0)


def test_a_renamed_copy_is_the_same_dataset(sources: Opener, renamed: Callable[[str], Path]) -> None:
    one, copy = renamed("own"), renamed("copy")
    with pytest.raises(ConfigError, match="names 'copy' twice, once as 'own': give each dataset once"):
        sources(one, copy)
    history = lineage(None, sources(one, val=0.5, test=0))
    held = history["own"]["train"]
    with pytest.raises(LeakError, match=f"subject {held[0]} of 'copy' is held out here, but the parent"):
        check_chain(history, sources(copy, val=tuple(held), test=0))
    check_chain(history, sources(copy, val=tuple(history["own"]["val"]), test=0))


def test_history_is_cumulative(sources: Opener, few: Path, other: Path) -> None:
    first = sources(few, val=("subject04",), test=("subject03",))
    second = sources(few, other, val=("subject03",), test=("subject04",))
    history = lineage({"history": lineage(None, first)}, second)
    assert history["spar"] == {
        "sha256": [Dataset.open(few).sha256],
        "train": ["subject01", "subject02"],
        "val": ["subject03", "subject04"],
        "tuned": [],
    }
    assert history["other"]["train"] == sorted({*Dataset.open(other).recordings["subject"]})
    third = lineage({"history": history}, sources(other, val=0.5, test=0))
    assert third["spar"] == history["spar"]  # two generations later
    assert subjects_in(third, "spar", "", ("train", "val")) == {f"subject0{n}" for n in range(1, 5)}
    assert subjects_in(third, "new name", Dataset.open(few).sha256, ("train",)) == {"subject01", "subject02"}
    assert subjects_in(third, "unknown", "", ("train",)) is None


def test_chain(sources: Opener, renamed: Callable[[str], Path], few: Path) -> None:
    parent = lineage(None, sources(few, val=0.25, test=0.25))
    check_chain(parent, sources(val=0.25, test=0.25))
    check_chain({}, sources(val=0.25, test=0.25))
    train, val = parent["spar"]["train"], parent["spar"]["val"]
    check_chain(parent, sources(few, val=val, test=0))  # what was held out once may be trained on; not the reverse
    for sides in ({"val": train[:1], "test": 0}, {"val": 0, "test": train[:1]}):
        with pytest.raises(LeakError, match=f"subject {train[0]} of 'spar' is held out here, but the parent"):
            check_chain(parent, sources(few, **sides))
    twins = {"uci_har": {"sha256": ["a"], "train": ["1"], "val": []}}
    with pytest.raises(LeakError, match="'hapt' contains the recordings of 'uci_har', on which the parent"):
        check_chain(twins, sources(renamed("hapt"), val=0.5, test=0))
    check_chain(twins, sources(renamed("hapt"), val=0, test=0))
