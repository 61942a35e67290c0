from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from safetensors import safe_open
from tests.cli.conftest import Command, listing
from tests.explain.trained import UNSEEN, train_student, train_teacher
from tests.train.bodies import write as write_bodies

from otolith.data.recording import Recording
from otolith.evaluate.results import ResultsFile
from otolith.explain import faithfulness, run
from otolith.models.classifier import NetworkClassifier
from otolith.models.encoder import EncoderConfig
from otolith.models.model import Otolith
from otolith.models.registry import load_model

Refused = Callable[..., str]


@pytest.fixture(scope="module")
def bodies(spar_recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "bodies"
    write_bodies(path, spar_recordings, people=6)
    return path


@pytest.fixture(scope="module")
def student(bodies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_student(bodies, tmp_path_factory.mktemp("cli") / "student", 30)


@pytest.fixture(scope="module")
def teacher(bodies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_teacher(bodies, tmp_path_factory.mktemp("cli") / "teacher", 2)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_CHECKED", 2)
    monkeypatch.setattr(faithfulness, "STEPS", 4)
    # tests/evaluate/test_explanation_figures.py really draws.
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, format: path.write_text(format))


def test_figures_arrays_and_rows_of_unseen_people(
    otolith: Command, student: Path, teacher: Path, bodies: Path, tmp_path: Path
) -> None:
    done = otolith("explain", "-m", student, "-d", bodies, "-o", "out", "--limit", 9, "--draw", 1, "--teacher", teacher)
    assert done.code == 0, done.err
    assert "explain-ig: ig completeness error" in done.out and "explain-attention: attention similarity" in done.out
    names = set(listing(tmp_path / "out"))
    figures = {name.removesuffix(".png") for name in names if name.endswith(".png")}
    assert f"9 segments, {len(figures)} figures in out; out/faithfulness.csv" in done.out
    stems = {Path(figure).name.split("-")[0] for figure in figures}
    assert stems == {"map", "rollout", "removal", "randomisation", "classes", "similarity"}
    for figure in figures:
        assert f"{figure}.pdf" in names and ({f"{figure}.csv", f"{figure}.json"} & names), figure
    with safe_open(tmp_path / "out" / "ig.safetensors", "numpy") as handle:
        about = json.loads(handle.metadata()["otolith-explanation"])
        assert handle.get_tensor("map").shape == (9, 5, 12, 6)
    assert set(about["subjects"]) <= set(UNSEEN) and about["baseline"] == "mean" and len(about["true"]) == 9
    rows = ResultsFile(tmp_path / "out" / "faithfulness.csv").read()
    assert set(rows["protocol"]) == {f"explain-{name}" for name in ("ig", "rollout", "occlusion", "attention")}
    ig = rows[rows["protocol"] == "explain-ig"].set_index("metric")
    assert 0 <= ig.loc["ig_completeness_error", "value"] < 0.01 and ig.loc["deletion_auc_gain", "n"] == 9
    assert {"randomisation_correlation", "deletion_classes_above_random"} <= set(ig.index)
    of_classes = ig[ig.index.str.startswith("deletion_auc_gain/")]
    assert of_classes["n"].sum() == 9
    mean = (of_classes["value"] * of_classes["n"]).sum() / 9
    assert mean == pytest.approx(ig.loc["deletion_auc_gain", "value"], abs=1e-6)


def test_again_adds_nothing_and_seen_people_are_named(
    otolith: Command, student: Path, bodies: Path, tmp_path: Path
) -> None:
    ask = ("explain", "-m", student, "-d", bodies, "-o", "out", "--method", "rollout", "--limit", 8, "--draw", 0)
    assert otolith(*ask, "--results", "all.csv").code == 0
    once = (tmp_path / "all.csv").read_bytes()
    assert "holds these rows already" in otolith(*ask, "--results", "all.csv").out
    assert (tmp_path / "all.csv").read_bytes() == once
    assert otolith(*ask, "--results", "all.csv", "--seen").code == 0
    rows: pd.DataFrame = ResultsFile(tmp_path / "all.csv").read()
    assert set(rows["protocol"]) == {"explain-rollout", "explain-rollout-seen"}
    assert not (tmp_path / "out" / "faithfulness.csv").exists()
    with safe_open(tmp_path / "out" / "signal.safetensors", "numpy") as handle:
        assert not set(json.loads(handle.metadata()["otolith-explanation"])["subjects"]) <= set(UNSEEN)


def test_who_was_seen_is_not_explained_unasked(
    refused: Refused, student: Path, spar_recordings: list[Recording], tmp_path: Path
) -> None:
    write_bodies(tmp_path / "known", spar_recordings, people=4)
    said = refused("explain", "-m", student, "-d", "known", "-o", "out")
    assert "has seen everybody of 'bodies'" in said and "--seen" in said


def test_what_cannot_be_explained_is_said_before_anything_is_written(
    refused: Refused, student: Path, bodies: Path, tmp_path: Path
) -> None:
    ask = ("explain", "-m", student, "-d", bodies, "-o", "out")
    assert "--method must be one of ig, rollout, occlusion, not 'lime'" in refused(*ask, "--method", "lime")
    assert "--baseline must be one of" in refused(*ask, "--baseline", "noise")
    assert "--limit must be 1 or more" in refused(*ask, "--limit", 0)
    assert "--draw must be 0 or more" in refused(*ask, "--draw", -1)
    assert "is a file: name a folder" in refused(*ask[:-1], student)
    assert "knows no words" in refused(*ask, "--labels", "walk,sit")
    assert "compares a student with a teacher" in refused(*ask, "--teacher", student)
    Otolith(EncoderConfig(dim=16, heads=2, blocks=1)).save(tmp_path / "encoder.safetensors")
    assert "of the kind 'encoder' is not explained" in refused("explain", "-m", "encoder.safetensors", *ask[3:])
    meta = {key: load_model(student).meta[key] for key in ("labels", "segments", "history")}
    NetworkClassifier("cnn", 6, 60, 7, meta=meta).save(tmp_path / "cnn.safetensors")
    said = refused("explain", "-m", "cnn.safetensors", *ask[3:], "--method", "rollout")
    assert "needs the attention of a student, a teacher or an encoder" in said
