from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Command, listing
from tests.evaluate.small_study import write_study

from otolith.data.store import Dataset
from otolith.evaluate.embedding import Embedding
from otolith.models.io import read_checkpoint
from otolith.models.model import Otolith

Refused = Callable[..., str]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_study(tmp_path / "small.csv")


def test_a_report_has_page_tables_and_figures_with_their_data(
    otolith: Command, results: Path, run_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "walk.csv").write_text("start_s,end_s,activity,group,confidence\n0.0,4.5,walk,locomotion,0.9\n")
    done = otolith("report", results, "-o", "out", "--runs", run_folder, "--timeline", "walk.csv")
    assert done.code == 0, done.err
    assert done.out.startswith("page: out/index.html, with 11 figures and 5 tables")
    names = set(listing(tmp_path / "out"))
    for table in ("scores-loso", "few-examples", "robustness", "comparison-loso", "cost"):
        assert {f"tables/{table}.md", f"tables/{table}.tex"} <= names
    figures = {name.removesuffix(".png") for name in names if name.endswith(".png")}
    assert len(figures) == 11
    for figure in figures:
        assert f"{figure}.pdf" in names and ({f"{figure}.csv", f"{figure}.json"} & names)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "Training" in page and "Timeline" in page and "http" not in page
    assert not [name for name in names if Path(name).name.startswith(".")], "nothing half-written is left"


@pytest.mark.slow
def test_equal_results_give_equal_tables_and_data(
    otolith: Command, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, format: path.write_text(format))
    for name in ("one", "two"):
        assert otolith("report", results, "-o", name, "--model", "nearest").code == 0
    one, two = listing(tmp_path / "one"), listing(tmp_path / "two")
    assert one == two
    assert "figures/confusion-hand_made-loso-nearest.json" in one


def test_what_was_measured_twice_is_said(
    otolith: Command, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, format: path.write_text(format))
    other = tmp_path / "other.csv"
    other.write_text(results.read_text().replace("c0ffee", "decaf"))
    done = otolith("report", results, other, "-o", "out")
    assert done.code == 0 and "measurements are there more than once" in done.err
    assert "the last of each counts" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no results file"),
        ("", "holds no result"),
        ("name,age\nA,3\n", "is not a results file"),
    ],
)
def test_files_that_are_no_results(refused: Refused, tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "file.csv").write_text(content)
    assert sentence in refused("report", "file.csv", "-o", "out")


def test_what_is_named_and_cannot_be_used_is_said_before_anything_is_written(
    refused: Refused, results: Path, tmp_path: Path
) -> None:
    assert "no such model; there are nearest" in refused("report", results, "-o", "out", "--model", "absent")
    assert "holds no training run" in refused("report", results, "-o", "out", "--runs", "absent")
    assert "there is no embedding" in refused("report", results, "-o", "out", "--embedding", "absent")
    assert "is no timeline" in refused("report", results, "-o", "out", "--timeline", results)
    (tmp_path / "late.csv").write_text("start_s,end_s,activity,group,confidence\n3,1,walk,x,0.5\n")
    assert "ends before it starts" in refused("report", results, "-o", "out", "--timeline", "late.csv")
    assert "is a file: name a folder" in refused("report", results, "-o", results)
    counts = results.with_name("small.counts.csv.gz")
    counts.write_bytes(b"not gzip")
    assert "counts" in refused("report", results, "-o", "out")


def test_snapshots_of_a_run_become_one_embedding(
    otolith: Command, refused: Refused, checkpoint: Path, session_dataset: Path, tmp_path: Path
) -> None:
    model = Otolith.from_pretrained(checkpoint)
    step = read_checkpoint(checkpoint).meta["step"]
    model.meta["step"] = step + 10
    model.save(tmp_path / "later.safetensors")
    done = otolith("embed", "-m", "later.safetensors", "-m", checkpoint, "-d", session_dataset, "-o", "e.safetensors")
    assert done.code == 0, done.err
    found = Embedding.load(tmp_path / "e.safetensors")
    assert found.steps == (step, step + 10) and found.features.shape[0] == 2
    assert (found.features[0] == found.features[1]).all(), "the same weights"
    assert (found.model, found.dataset) == ("otolith-d32", "own")
    assert set(found.labels) == set(Dataset.open(session_dataset).annotations["activity"])
    assert set(found.subjects) == {"subject03"}
    said = refused("embed", "-m", checkpoint, "-m", checkpoint, "-d", session_dataset, "-o", "x.safetensors")
    assert f"two checkpoints are of step {step}" in said
    assert "must end in .safetensors" in refused("embed", "-m", checkpoint, "-d", session_dataset, "-o", "x.npz")
