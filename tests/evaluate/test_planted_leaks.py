"""A leak that is planted is caught in every protocol: a person moved, a recording copied, a normaliser of everyone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otolith.data.card import SubjectSplit
from otolith.data.recording import Recording
from otolith.data.store import Dataset, DatasetWriter
from otolith.evaluate.bench import Bench, benches
from otolith.evaluate.results import ResultsFile
from otolith.evaluate.splits import PROTOCOLS
from otolith.evaluate.study import StudyConfig, Variant
from otolith.train import finetune
from otolith.types import LeakError

CARD = SubjectSplit(test=("subject02",), val=("subject03",))
NET = Variant("net", "finetune", set={"network": "tinyhar"})
NEAREST = Variant("nearest-raw-window", "control")
BASE: dict[str, Any] = {
    "segments": {
        "whole_trials": False,
        "window_seconds": 2.0,
        "step_seconds": 2.0,
        "samples": 40,
        "prepare": {"rate": 20.0, "lowpass": 0.0},
        "patching": {"size": 20, "samples": 20},
    },
    "sampling": {"batch_size": 8},
    "train": {"steps": 1, "threads": 1, "accelerator": "cpu", "precision": "32-true"},
}


@pytest.fixture(scope="module")
def people(spar_recordings: list[Recording]) -> list[Recording]:
    """Eight people with both wrists, ten seconds of each of seven exercises."""
    return [
        replace(r, signal=r.signal[:500], annotations=(replace(r.annotations[0], end=10.0),))
        for r in spar_recordings
        if int(r.subject[-2:]) <= 8
    ]


def write(path: Path, recordings: list[Recording]) -> Dataset:
    with DatasetWriter(path, "people", split=CARD) as writer:
        for recording in recordings:
            writer.add(recording)
    return Dataset.open(path)


@pytest.fixture(scope="module")
def dataset(people: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write(tmp_path_factory.mktemp("people") / "people", people)


def runs(dataset: Dataset, protocol: str, folder: Path, variant: Variant) -> Iterator[Bench]:
    plan = StudyConfig((protocol,), (variant,), base=BASE)
    yield from benches(plan, dataset, folder / "runs", ResultsFile(folder / "r.csv"), protocols=[protocol], seeds=[0])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_found_where_nothing_is_planted(protocol: str, dataset: Dataset, tmp_path: Path) -> None:
    bench = next(runs(dataset, protocol, tmp_path, NEAREST))
    assert "accuracy" in bench.measure(NEAREST)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_person_who_trains_is_not_judged(protocol: str, dataset: Dataset, tmp_path: Path) -> None:
    bench = next(runs(dataset, protocol, tmp_path, NEAREST))
    moved = replace(bench, fold=replace(bench.fold, judged=("subject01", "subject02", "subject05", "subject06")))
    with pytest.raises(LeakError, match=r"subjects? .* on both sides"):
        moved.measure(NEAREST)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_copied_recording_is_found_under_another_name(
    protocol: str, people: list[Recording], dataset: Dataset, tmp_path: Path
) -> None:
    fold = next(runs(dataset, protocol, tmp_path, NEAREST)).fold
    trains = next(r for r in people if r.subject not in fold.test + fold.val and _worn(r, fold.judged_worn))
    copy = replace(trains, subject=fold.judged[0], name="another")
    if fold.worn:  # it is trained on where it is worn
        trains = replace(trains, channels=tuple(replace(c, placement=fold.worn) for c in trains.channels), name="same")
        people = [*people, trains]
    bench = next(runs(write(tmp_path / "people", [*people, copy]), protocol, tmp_path, NEAREST))
    with pytest.raises(LeakError, match="sample for sample"):
        bench.measure(NEAREST)


def _worn(recording: Recording, placement: str) -> bool:
    return not placement or recording.channels[0].placement == placement


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_normaliser_of_everyone_is_found(
    protocol: str, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    normalise = finetune.normalise

    def of_everyone(model: Any, segments: Any) -> None:
        index = segments.config.index(dataset).labelled()
        normalise(model, type(segments)([index], segments.config))

    monkeypatch.setattr(finetune, "normalise", of_everyone)
    bench = next(runs(dataset, protocol, tmp_path, NET))
    with pytest.raises(LeakError, match="normaliser"):
        bench.measure(NET)
    assert not (tmp_path / "r.csv").exists()
