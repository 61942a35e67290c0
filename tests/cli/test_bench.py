"""`otolith bench`: rows of every candidate, held against one that is measured in the same run."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command, call

from otolith.cli import benching
from otolith.data.store import Dataset
from otolith.export import candidates, memory, modules

for package in ("onnx", "onnxruntime", "onnxscript"):
    pytest.importorskip(package, reason="needs the extra `export`")

SMALL = ("model.dim=32", "model.layers=1", "model.heads=2", "train.threads=1", "train.accelerator=cpu",
         "sampling.batch_size=16", "segments.prepare.frames=2", "segments.samples=60", "segments.patching.size=12",
         "segments.patching.samples=12")  # fmt: skip


@pytest.fixture(scope="module")
def data(spar_dataset: Dataset) -> Path:
    return spar_dataset.path


@pytest.fixture(scope="module")
def student(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "student"
    settings = [word for value in SMALL for word in ("--set", value)]
    assert call(["distil", "-o", folder, "-d", data, "--steps", 4, *settings]) == 0
    return folder / "best.safetensors"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One reference, short turns, few segments, no processes for their memory."""
    monkeypatch.setattr(benching, "LEAST", 0.002)
    monkeypatch.setattr(candidates, "SEGMENTS", 5)
    monkeypatch.setattr(candidates, "REFERENCES", modules.REFERENCES[:1])
    monkeypatch.setattr(memory, "measure", lambda ask: memory.Memory(100.0, 5.0))


def read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_bench_holds_each_backend_against_the_reference(student: Path, data: Path, otolith: Command) -> None:
    outcome = otolith("bench", "-m", student, "-d", data, "-o", "out", "--turns", 2, "--backends", "onnx-int8-dynamic")
    assert outcome.code == 0, outcome.err
    held, ours = read(Path("out/latency.csv"))
    assert (held["model"], held["backend"], ours["model"], ours["backend"]) == (
        "xtinyhar", "pytorch", "student-d32", "onnx-int8-dynamic",
    )  # fmt: skip
    assert [float(held[f"{what}_ratio"]) for what in ("latency", "throughput")] == [1, 1]
    assert held["samples"] == "100" and ours["samples"] == "60" and held["segments"] == "5"
    for row in (held, ours):
        assert 0 < float(row["latency_ms"]) <= float(row["latency_p95_ms"])
        assert row["reference"] == "xtinyhar pytorch" and row["commit"] and len(row["config_sha256"]) == 64
        assert row["data_sha256"] == Dataset.open(data).sha256
        assert row["peak_memory_mb"] == "100.0" and row["model_memory_mb"] == "5.0"
    assert 0 <= float(ours["agreement"]) <= 1 and held["agreement"] == ""
    assert outcome.out.startswith("| model | backend |") and outcome.out.count("\n| `") == 2
    assert Path("out/latency.md").read_text().strip() == outcome.out.strip()
    assert {path.name for path in Path("out").iterdir()} == {
        "latency.csv", "latency.md", "ratios.png", "ratios.pdf", "ratios.csv",
    }  # fmt: skip
    assert [row["ratio"] for row in read(Path("out/ratios.csv"))] == [held["latency_ratio"], ours["latency_ratio"]]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", pytest.param("litert", marks=pytest.mark.skipif(
    find_spec("litert_torch") is None, reason="needs the extra `litert`"))])  # fmt: skip
def test_all_references_and_precisions(form: str, student: Path, data: Path, otolith: Command) -> None:
    wanted = ["pytorch", f"{form}-fp32", f"{form}-int8-dynamic", f"{form}-int8-static"]
    arguments = ("-m", student, "-d", data, "-o", "out", "--turns", 2, "--backends", ",".join(wanted), "--json")
    outcome = otolith("bench", *arguments)
    assert outcome.code == 0, outcome.err
    rows: list[dict[str, Any]] = json.loads(outcome.out)
    assert [row["backend"] for row in rows if row["model"] == "student-d32"] == wanted
    plain, *exported = (row for row in rows if row["model"] == "student-d32")
    assert all(row["parameters"] == plain["parameters"] and row["mflops"] == plain["mflops"] for row in exported)
    assert exported[0]["agreement"] == 1 and exported[1]["size_mb"] < exported[0]["size_mb"]
    if sys.platform != "win32":
        # Without torch a process is smaller, in spite of the one that started it.
        assert all(0 < row["model_memory_mb"] < row["peak_memory_mb"] < plain["peak_memory_mb"] for row in exported)
    for row in rows:
        if row["model"] in modules.REFERENCES and row["backend"] != "pytorch":
            assert row["agreement"] == 1


def test_what_cannot_be_measured_is_said(
    student: Path, data: Path, refused: Callable[..., str], tmp_path: Path
) -> None:
    arguments = ("bench", "-m", student, "-d", data, "-o")
    assert "--threads must be 1 or more" in refused(*arguments, "out", "--threads", 0)
    assert "--turns must be from 2" in refused(*arguments, "out", "--turns", 1)
    assert "no backend 'tensorrt'" in refused(*arguments, "out", "--backends", "tensorrt")
    (tmp_path / "file").write_text("")
    assert "name a folder" in refused(*arguments, "file")
    twice = refused("bench", "-m", student, "-m", student, "-d", data, "-o", "out", "--backends", "pytorch")
    assert "'student-d32@student'" in twice
