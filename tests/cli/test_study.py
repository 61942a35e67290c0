"""`otolith teach`, `distil` and `study`: from YAML to rows, resumable, and nobody who was seen is judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
import yaml
from tests.cli.conftest import Command
from tests.train.bodies import write as write_bodies

from otolith.data.recording import Recording
from otolith.evaluate import bench, splits
from otolith.evaluate.study import StudyConfig, Variant
from otolith.models.io import read_checkpoint
from otolith.models.pupil import Student
from otolith.models.registry import load_model

BASE: dict[str, Any] = {
    "segments": {
        "window_seconds": 1.0,
        "samples": 60,
        "prepare": {"frames": 8},
        "patching": {"size": 12, "samples": 12},
    },
    "sampling": {"batch_size": 16},
    "train": {"steps": 6, "evaluate_every": 6, "save_every": 6, "threads": 1, "accelerator": "cpu"},
}
TEACHER = {"dim": 32, "layers": 1, "heads": 2, "width": 16}
STUDENT = {"dim": 32, "layers": 1, "heads": 2}


@pytest.fixture(scope="module")
def bodies(spar_recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bodies") / "bodies"
    write_bodies(path, spar_recordings, people=4, trials=1)
    return path


def plan(**changes: Any) -> dict[str, Any]:
    return {
        "protocols": ["odd-even"],
        "seeds": [0],
        "base": BASE,
        "stages": {"teach": {"model": TEACHER}, "distil": {"model": STUDENT}},
        "variants": [
            {"name": "teacher", "stage": "teach"},
            {"name": "student", "teachers": ["teacher"], "robustness": True},
            {"name": "student-scratch", "set": {"model.position": "none"}},
            {"name": "logistic-on-statistics+skeleton", "stage": "control"},
            {"name": "nearest-raw-window", "stage": "control", "robustness": True},
        ],
        **changes,
    }


def written(path: Path, values: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_study_measures_every_variant_and_resumes(
    otolith: Command, bodies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = written(tmp_path / "study.yaml", plan())
    arguments = ("study", "-c", config, "-d", bodies, "-o", "results.csv", "--runs", "runs")
    assert otolith(*arguments, "--only", "teacher,student").code == 0
    first = pd.read_csv(tmp_path / "results.csv")
    assert otolith(*arguments).code == 0
    rows = pd.read_csv(tmp_path / "results.csv")
    pd.testing.assert_frame_equal(rows[: len(first)], first)  # what was there is as it was
    assert not rows.duplicated(["model", "protocol", "fold", "seed", "metric"]).any()
    closed = rows[rows["protocol"] == "odd-even"]
    assert closed["model"].unique().tolist() == [variant["name"] for variant in plan()["variants"]]
    assert set(closed["n"]) == {14}  # two people, seven exercises
    value = closed.set_index(["model", "metric"])["value"]
    assert value["student", "mflops"] < value["teacher", "mflops"]
    assert 0 < value["student", "size_mb_int8"] < value["student", "size_mb"] < value["teacher", "size_mb"]
    assert value["student-scratch", "parameters"] == value["student", "parameters"] - 5 * 32
    disturbed = rows[rows["protocol"].str.startswith("robustness-")]
    assert set(disturbed["model"]) == {"student", "nearest-raw-window"} and disturbed["protocol"].nunique() == 8
    f1 = disturbed[disturbed["metric"] == "macro_f1"].pivot_table(index="model", columns="protocol", values="value")
    assert (f1.nunique(axis=1) > 3).all()  # the controls see the disturbance too

    def refuse(*arguments: object) -> None:
        raise AssertionError("a known cell was measured again")

    monkeypatch.setattr(bench.Bench, "checkpoint", refuse)
    assert otolith(*arguments, "--only", "teacher,logistic-on-statistics+skeleton").code == 0
    assert len(pd.read_csv(tmp_path / "results.csv")) == len(rows)


def test_a_fold_that_two_protocols_share_has_rows_of_both(otolith: Command, bodies: Path, tmp_path: Path) -> None:
    """Groups of one person are the folds of leave-one-out too."""
    controls = [{"name": "majority", "stage": "control"}]
    config = written(tmp_path / "study.yaml", plan(protocols=["group-10fold", "loso"], variants=controls))
    assert otolith("study", "-c", config, "-d", bodies, "-o", "results.csv", "--runs", "runs").code == 0
    rows = pd.read_csv(tmp_path / "results.csv")
    f1 = rows[rows["metric"] == "macro_f1"].pivot_table(index="fold", columns="protocol", values="value")
    assert f1.shape == (4, 2) and (f1["loso"] == f1["group-10fold"]).all()


def test_disturbances_that_the_results_lack_are_measured_alone(otolith: Command, bodies: Path, tmp_path: Path) -> None:
    """As where the rows of a model were measured before there was such a disturbance."""
    controls = [{"name": "nearest-raw-window", "stage": "control", "robustness": True}]
    config = written(tmp_path / "study.yaml", plan(variants=controls))
    arguments = ("study", "-c", config, "-d", bodies, "-o", "results.csv", "--runs", "runs")
    assert otolith(*arguments).code == 0
    lines = (tmp_path / "results.csv").read_text().splitlines(keepends=True)
    counts = (tmp_path / "results.counts.csv.gz").read_bytes()
    left = [line for line in lines if "robustness-half-rate" not in line]
    assert len(left) < len(lines)
    (tmp_path / "results.csv").write_text("".join(left))
    assert otolith(*arguments).code == 0
    found = (tmp_path / "results.csv").read_text().splitlines(keepends=True)
    assert found[: len(left)] == left and sorted(found) == sorted(lines)
    assert (tmp_path / "results.counts.csv.gz").read_bytes() == counts


@pytest.mark.parametrize(("protocol", "seeds"), [("loso", [0]), ("supervised-10pct", [0, 1])])
def test_what_draws_nothing_learns_from_other_labels_at_every_seed(protocol: str, seeds: list[int]) -> None:
    control = Variant("logistic-on-statistics", "control", seeds=1)
    study = StudyConfig((protocol,), (control,), (0, 1))
    fold = splits.Fold("all", (), ("ann",), ("ann",))
    cells = [bench.Bench(study, cast(Any, None), protocol, fold, seed, Path(), cast(Any, None)) for seed in study.seeds]
    assert [cell.seed for cell in cells if bench.runs_here(control, study, cell)] == seeds


@pytest.mark.slow
def test_recipes_are_never_judged_on_those_they_were_tuned_on(
    otolith: Command, refused: Callable[..., str], bodies: Path, tmp_path: Path
) -> None:
    recipes = [
        {"tuned_on": ["subject01", "subject03"], "set": {"model.dropout": 0.2}},
        {"tuned_on": ["subject02"], "set": {"model.dropout": 0.3}},
    ]
    scratch = [{"name": "student-scratch"}]
    config = written(tmp_path / "study.yaml", plan(protocols=["loso"], recipes=recipes, variants=scratch))
    run = otolith("study", "-c", config, "-d", bodies, "-o", "results.csv", "--runs", "runs")
    assert run.code == 0, run.err
    used = {}
    for fold in ("subject01", "subject02", "subject03", "subject04"):
        (folder,) = (tmp_path / "runs" / "bodies" / "loso" / fold / "seed0").glob("student-scratch-*")
        model = load_model(folder)
        assert isinstance(model, Student)
        used[fold] = model.net.config.dropout
        assert fold not in model.meta["history"]["bodies"]["tuned"]
    assert used == {"subject01": 0.3, "subject02": 0.2, "subject03": 0.3, "subject04": 0.2}
    written(config, plan(protocols=["loso"], recipes=recipes[:1], variants=scratch))
    assert "subject01" in refused("study", "-c", config, "-d", bodies, "-o", "other.csv", "--runs", "others")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"variants": [{"name": "a", "teachers": ["b"]}]}, "does not come before it"),
        ({"variants": [{"name": "a"}, {"name": "a"}]}, "is there twice"),
        ({"variants": [{"name": "a", "stage": "train"}]}, "stage must be"),
        ({"variants": [{"name": "a", "stage": "teach"}, {"name": "b", "stage": "teach", "parent": "a"}]}, "begin with"),
        ({"variants": [{"name": "oracle", "stage": "control"}]}, "no control 'oracle'"),
        ({"stages": {"training": {}}}, "stages names 'training'"),
        ({"protocols": ["random"]}, "no protocol 'random'"),
        ({"stages": {"distil": {"model": {"with": 3}}}}, "did you mean 'width'|unknown key"),
    ],
)
def test_a_study_that_makes_no_sense_is_one_sentence(
    change: dict[str, Any], said: str, refused: Callable[..., str], bodies: Path, tmp_path: Path
) -> None:
    import re

    config = written(tmp_path / "study.yaml", plan(**change))
    sentence = refused(
        "study", "-c", config, "-d", bodies, "-o", "results.csv", "--runs", "runs", *(
            ("--only", "student-scratch") if "stages" in change else ()
        ),
    )  # fmt: skip
    assert re.search(said, sentence)


@pytest.mark.slow
def test_teach_and_distil_from_the_command(otolith: Command, bodies: Path, tmp_path: Path) -> None:
    common = {**BASE, "data": {"val": ["subject03"], "test": ["subject04"]}}
    teacher = written(tmp_path / "teach.yaml", {**common, "model": TEACHER})
    student = written(tmp_path / "distil.yaml", {**common, "model": STUDENT})
    first = otolith("teach", "-c", teacher, "-d", bodies, "-o", "teacher", "--json")
    assert first.code == 0, first.err
    best = json.loads(first.out)["checkpoint"]
    second = otolith("distil", "-c", student, "-d", bodies, "--from", best, "-o", "student", "--steps", 3, "--seed", 4)
    assert second.code == 0 and "held-out subjects" in second.out
    meta = read_checkpoint(tmp_path / "student" / "best.safetensors").meta
    assert meta["stage"] == "distil" and meta["parents"][0]["file"] == "best.safetensors" and meta["step"] == 3
    alone = otolith("distil", "-c", student, "-d", bodies, "-o", "alone", "--set", "data.val=[]", "--steps", 2)
    assert alone.code == 0 and "nothing to choose by" in alone.out
    refit = otolith("distil", "-c", student, "-d", bodies, "--size", "student-huge", "-o", "no")
    assert refit.code == 2 and "student-small" in refit.err


def test_a_student_of_classes_is_not_asked_in_words(
    otolith: Command, refused: Callable[..., str], bodies: Path, csv: Path, tmp_path: Path
) -> None:
    student = written(tmp_path / "distil.yaml", {**BASE, "data": {"val": [], "test": ["subject04"]}, "model": STUDENT})
    assert otolith("distil", "-c", student, "-d", bodies, "-o", "student", "--steps", 1).code == 0
    worn = ("--placement", "left wrist", "--acc-unit", "m/s^2", "--gyro-unit", "rad/s", "--time-unit", "s")
    said = refused("classify", csv, "--model", "student", "--labels", "pendulum, shoulder abduction", *worn)
    assert "knows no words" in said


@pytest.mark.slow
def test_what_one_variant_sets_does_not_reach_the_next(otolith: Command, bodies: Path, tmp_path: Path) -> None:
    """Nor what a recipe sets the next fold."""
    variants = [{"name": "bare", "set": {"model.position": "none", "train.steps": 2}}, {"name": "plain"}]
    recipes = [
        {"tuned_on": ["subject02", "subject04"], "distil": {"model.dim": 48}},
        {"tuned_on": ["subject01", "subject03"]},
    ]
    config = written(tmp_path / "study.yaml", plan(protocols=["loso"], variants=variants, recipes=recipes))
    assert otolith("study", "-c", config, "-d", bodies, "-o", "results.csv", "--runs", "runs").code == 0
    for fold, dim in (("subject01", 48), ("subject02", 32), ("subject03", 48), ("subject04", 32)):
        for name, position, step in (("bare", "none", 2), ("plain", "learnable", 6)):
            (folder,) = (tmp_path / "runs" / "bodies" / "loso" / fold / "seed0").glob(f"{name}-*")
            model = load_model(folder)
            assert isinstance(model, Student)
            assert (model.net.config.position, model.net.config.dim, model.meta["step"]) == (position, dim, step)


@pytest.mark.slow
def test_networks_learn_without_labels_and_then_with_them(otolith: Command, bodies: Path, tmp_path: Path) -> None:
    common = {**BASE, "data": {"val": ["subject03"], "test": ["subject04"]}}
    config = written(tmp_path / "net.yaml", common)
    first = otolith("reconstruct", "-c", config, "-d", bodies, "--network", "limu-bert", "-o", "first", "--json")
    assert first.code == 0, first.err
    best = json.loads(first.out)["checkpoint"]
    arguments = ("finetune", "-c", config, "-d", bodies, "--from", best, "-o", "second", "--steps", 2)
    assert otolith(*arguments, "--network", "tinyhar").code == 2  # another network
    done = otolith(*arguments, "--network", "limu-bert", "--json")
    assert done.code == 0, done.err
    meta = read_checkpoint(tmp_path / "second" / "best.safetensors").meta
    assert meta["stage"] == "finetune" and meta["parents"][0]["stage"] == "reconstruct" and meta["step"] == 2
