from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.cli.conftest import Command
from tests.cli.test_classify import remade

from otolith.data.recording import Recording
from otolith.data.store import Dataset, DatasetWriter
from otolith.data.windows import index_windows
from otolith.evaluate import words
from otolith.evaluate.counts import CountsFile
from otolith.evaluate.results import COLUMNS
from otolith.models.model import Otolith


def test_a_dataset_of_training_is_judged_on_its_test_subjects_beside_controls(
    otolith: Command, spar_dataset: Dataset, checkpoint: Path, tmp_path: Path
) -> None:
    done = otolith("evaluate", "-m", checkpoint, "-d", spar_dataset.path, "-o", "results.csv")
    assert done.code == 0, done.err
    results = pd.read_csv(tmp_path / "results.csv")
    assert tuple(results.columns) == COLUMNS
    assert set(results["protocol"]) == {"supervised"}
    assert set(results["model"]) == {
        "otolith-d32",
        "logistic-on-statistics",
        "nearest-raw-window",
        "untrained+ridge",
        "chance",
    }
    kept_away = Otolith.from_pretrained(checkpoint).meta["data"]["spar"]["test"]
    windows = index_windows(spar_dataset, 4.0, 2.0).labelled().of_subjects(kept_away)
    assert len(windows) > 0 and set(results["n"]) == {len(windows)}
    value = results[results["metric"] == "macro_f1"].set_index("model")["value"]
    assert value["logistic-on-statistics"] > 0.6 > 0.2 > value["chance"]
    ends = results[results["model"] == "otolith-d32"].set_index("metric")["value"]
    assert ends["macro_f1_low"] <= ends["macro_f1"] <= ends["macro_f1_high"]


def test_another_dataset_is_zero_shot(
    otolith: Command, session_dataset: Path, checkpoint: Path, tmp_path: Path
) -> None:
    done = otolith("evaluate", "-m", checkpoint, "-d", session_dataset, "-o", "results.csv", "--json")
    rows = json.loads(done.out)
    assert {row["protocol"] for row in rows} == {"zero-shot-closed", "zero-shot-open"}
    assert {row["model"] for row in rows} == {"otolith-d32", "chance"}
    assert len(pd.read_csv(tmp_path / "results.csv")) == len(rows)


def test_a_dataset_that_shares_recordings_with_training_is_refused(
    refused: Callable[..., str], checkpoint: Path, session: Recording, tmp_path: Path
) -> None:
    with DatasetWriter(tmp_path / "uci", "uci_har") as writer:
        writer.add(session)
    model = Otolith.from_pretrained(checkpoint)
    model.meta["history"]["hapt"] = model.meta["history"]["spar"]
    model.save(tmp_path / "of_hapt.safetensors")
    said = refused("evaluate", "-m", "of_hapt.safetensors", "-d", "uci", "-o", "results.csv")
    assert "hapt" in said and "uci_har" in said


@pytest.mark.slow
def test_a_renamed_copy_of_training_data_is_judged_on_its_test_subjects_too(
    otolith: Command, spar_dataset: Dataset, checkpoint: Path, tmp_path: Path
) -> None:
    with DatasetWriter(tmp_path / "copy", "copy") as writer:
        for number in range(len(spar_dataset)):
            writer.add(spar_dataset.read(number))
    one, copy = (
        json.loads(otolith("evaluate", "-m", checkpoint, "-d", path, "-o", f"{path.name}.csv", "--json").out)
        for path in (spar_dataset.path, tmp_path / "copy")
    )
    same = [{**row, "dataset": "copy"} for row in one if row["metric"] != "latency_ms"]
    assert same == [row for row in copy if row["metric"] != "latency_ms"]


@pytest.mark.slow
def test_what_training_did_not_teach_is_not_supervised(
    otolith: Command, spar_dataset: Dataset, checkpoint: Path, tmp_path: Path
) -> None:
    """A label that alignment did not see, and a dataset that only stage 1 saw."""

    def lose_a_label(meta: dict[str, Any]) -> None:
        meta["labels"] = meta["labels"][1:]

    def seen_by_stage_1_alone(meta: dict[str, Any]) -> None:
        meta["data"] = {}  # the history still has it

    for change in (lose_a_label, seen_by_stage_1_alone):
        model = remade(checkpoint, tmp_path / "other.safetensors", change)
        done = otolith("evaluate", "-m", model, "-d", spar_dataset.path, "-o", f"{change.__name__}.csv", "--json")
        assert done.code == 0, done.err
        protocols = {row["protocol"] for row in json.loads(done.out)}
        assert protocols == {"zero-shot-closed", "zero-shot-open"}


def test_twice_is_once(otolith: Command, session_dataset: Path, checkpoint: Path, tmp_path: Path) -> None:
    arguments = ("evaluate", "-m", checkpoint, "-d", session_dataset, "-o", "results.csv", "--json")
    first, content = otolith(*arguments), (tmp_path / "results.csv").read_bytes()
    again = otolith(*arguments)
    assert again.code == 0 and json.loads(again.out) == json.loads(first.out)
    assert "holds this evaluation already" in again.err
    assert (tmp_path / "results.csv").read_bytes() == content
    assert otolith(*arguments, "--seed", 1).err == ""
    assert len(pd.read_csv(tmp_path / "results.csv")) == 2 * len(json.loads(first.out))


def test_checkpoints_of_one_size_are_told_apart_by_a_name(
    otolith: Command, refused: Callable[..., str], session_dataset: Path, checkpoint: Path
) -> None:
    asked = ("evaluate", "-m", checkpoint, "-d", session_dataset, "-o", "named.csv", "--name", "upright")
    assert otolith(*asked).code == 0
    rows = pd.read_csv("named.csv")
    assert "upright" in set(rows["model"]) and not rows["model"].str.startswith("otolith-").any()
    assert "--name is for one checkpoint" in refused(*asked, "-m", checkpoint)


def test_nobody_to_judge_on(
    refused: Callable[..., str], spar_dataset: Dataset, checkpoint: Path, tmp_path: Path
) -> None:
    people = spar_dataset.recordings["subject"].unique().tolist()
    model = remade(checkpoint, tmp_path / "all.safetensors", lambda m: m["history"]["spar"].update(train=people))
    said = refused("evaluate", "-m", model, "-d", spar_dataset.path, "-o", "results.csv")
    assert "no window of 'spar' with these labels is of a person kept away from training" in said


def test_no_place_for_results(
    refused: Callable[..., str],
    session_dataset: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Said before anything is measured."""
    monkeypatch.setattr(words, "evaluate_words", lambda *_: pytest.fail("measured in vain"))
    (tmp_path / "taken").mkdir()
    said = refused("evaluate", "-m", checkpoint, "-d", session_dataset, "-o", "taken")
    assert "give the path of a file in a folder" in said


@pytest.mark.parametrize("change", ["order", "rate"])
def test_unlike_recordings_are_not_stacked(
    refused: Callable[..., str], checkpoint: Path, session: Recording, tmp_path: Path, change: str
) -> None:
    order = [3, 4, 5, 0, 1, 2]
    other = {
        "order": replace(session, signal=session.signal[:, order], channels=tuple(session.channels[c] for c in order)),
        "rate": replace(session, rate=49.9),  # its windows have as many samples
    }[change]
    with DatasetWriter(tmp_path / "mixed", "mixed") as writer:
        writer.add(session)
        writer.add(replace(other, name="other"))
    said = refused("evaluate", "-m", checkpoint, "-d", "mixed", "-o", "results.csv")
    assert "recordings of 'mixed' differ in rate, or in channels or their order" in said


def test_a_model_of_stage_1_is_refused(
    refused: Callable[..., str], session_dataset: Path, checkpoint: Path, tmp_path: Path
) -> None:
    stage1 = remade(checkpoint, tmp_path / "stage1.safetensors", lambda meta: meta.update(stage="pretrain"))
    assert "run otolith align first" in refused("evaluate", "-m", stage1, "-d", session_dataset, "-o", "r.csv")


def test_unknown_labels_are_named(refused: Callable[..., str], session_dataset: Path, checkpoint: Path) -> None:
    said = refused("evaluate", "-m", checkpoint, "-d", session_dataset, "-o", "r.csv", "--labels", "flying,swimming")
    assert "'flying'" in said


@pytest.mark.slow
def test_examples_add_enrolment_with_controls_and_costs(
    otolith: Command, refused: Callable[..., str], spar_dataset: Dataset, checkpoint: Path, tmp_path: Path
) -> None:
    chosen = "pendulum, shoulder abduction, bent over row"
    place = ("evaluate", "-m", checkpoint, "-d", spar_dataset.path, "-o", "results.csv", "--labels", chosen)
    done = otolith(*place, "--examples", "1,2")
    assert done.code == 0, done.err
    results = pd.read_csv(tmp_path / "results.csv")
    enrolled = results[results["protocol"].isin(["enrol-k1", "enrol-k2"])]
    assert enrolled["fold"].nunique() == 5 and set(enrolled["n"]) == set(results["n"])
    assert {"otolith-d32+ridge", "otolith-d32+ridge+words", "logistic-on-statistics", "untrained+ridge"} <= set(
        enrolled["model"]
    )
    value = enrolled[enrolled["metric"] == "macro_f1"].groupby(["model", "protocol"])["value"].mean()
    assert value["logistic-on-statistics", "enrol-k2"] > value["chance", "enrol-k2"]
    cost = results[results["model"] == "otolith-d32"].set_index("metric")["value"]
    model = Otolith.from_pretrained(checkpoint)
    assert cost["parameters"] == sum(p.numel() for part in (model.encoder, model.head) for p in part.parameters())
    assert cost["mflops"] > 0 and cost["size_mb"] == pytest.approx(4e-6 * cost["parameters"])
    assert "numbers of examples" in refused(*place, "--examples", "one")
    assert "ask for fewer" in refused(*place, "--examples", "5000")


def test_an_open_answer_counts_where_it_can_mean_one_label_only(
    otolith: Command, session_dataset: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All labels of training are candidates; one that means nothing here is a miss."""
    known = Otolith.from_pretrained(checkpoint).meta["labels"]
    there = Dataset.open(session_dataset).annotations["activity"].unique().tolist()
    absent = next(label for label in known if label not in there)
    say = {"label": there[0]}
    real = words.open_set

    def always(*arguments: Any) -> Any:
        found = real(*arguments)
        return replace(found, label=np.full(len(found.label), say["label"]))

    monkeypatch.setattr(words, "open_set", always)
    accuracy = []
    for name in (there[0], absent):
        say["label"] = name
        rows = json.loads(
            otolith("evaluate", "-m", checkpoint, "-d", session_dataset, "-o", f"{name}.csv", "--json").out
        )
        own = {(r["protocol"], r["metric"]): r["value"] for r in rows if r["model"] != "chance"}
        accuracy.append(own["zero-shot-open", "accuracy"])
    assert accuracy[0] > 0.1 and accuracy[1] == 0.0


@pytest.mark.slow
def test_a_protocol_trains_models_by_name_and_skips_what_is_there(
    otolith: Command, refused: Callable[..., str], spar_dataset: Dataset, tmp_path: Path
) -> None:
    arguments = ("evaluate", "group-kfold", "-m", "majority", "-m", "nearest-raw-window", "-d", spar_dataset.path)
    first = otolith(*arguments, "-o", "results.csv", "--seeds", "0")
    assert first.code == 0, first.err
    rows = pd.read_csv(tmp_path / "results.csv")
    people = {name for fold in rows["fold"].unique() for name in fold.split("+")}
    assert people == set(spar_dataset.recordings["subject"])
    assert set(rows["model"]) == {"majority", "nearest-raw-window"} and set(rows["protocol"]) == {"group-kfold"}
    again = otolith(*arguments, "-o", "results.csv", "--seeds", "0")
    assert again.code == 0 and "(known)" in again.err
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "results.csv"), rows)
    counts = CountsFile.beside(tmp_path / "results.csv").read()
    assert counts["count"].sum() == rows[rows["metric"] == "accuracy"]["n"].sum()
    assert "majority" in refused("evaluate", "loso", "-m", "oracle", "-d", spar_dataset.path, "-o", "results.csv")
    assert "group-kfold" in refused("evaluate", "random", "-m", "cnn", "-d", spar_dataset.path, "-o", "results.csv")


def test_rows_of_a_dataset_left_out_say_so(
    otolith: Command,
    refused: Callable[..., str],
    spar_dataset: Dataset,
    session_dataset: Path,
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    done = otolith(
        "evaluate", "leave-one-dataset-out", "-m", checkpoint, "-d", session_dataset, "-o", "results.csv", "--json"
    )
    assert {row["protocol"] for row in json.loads(done.out)} == {"leave-one-dataset-out", "zero-shot-open"}
    arguments = ("evaluate", "leave-one-dataset-out", "-m", checkpoint, "-d", spar_dataset.path, "-o", "results.csv")
    assert "was trained on 'spar'" in refused(*arguments)
