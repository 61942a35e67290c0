"""The demo end to end, with a few steps: what it leaves, that it goes on where it was, and that it says the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from tests.cli.conftest import Outcome, listing

from otolith.cli.demo_session import FILES
from otolith.evaluate.results import COLUMNS
from otolith.models.io import read_checkpoint
from otolith.models.model import Otolith

pytestmark = pytest.mark.slow

STAGES = ("pretrain", "align")
OTOLITH = [sys.executable, "-c", "from otolith.cli.main import main; main()"]


def demo(folder: Path, *options: str) -> Outcome:
    """In a process of its own: threads and random state as a person has them, but for one thread."""
    arguments = [*OTOLITH, "demo", "-o", "demo", "--steps", "4", *options]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=600)
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("first")
    return folder, demo(folder)


def weights(folder: Path) -> list[str]:
    return [Otolith.from_pretrained(folder / "demo" / stage / "best.safetensors").fingerprint() for stage in STAGES]


def values(folder: Path) -> pd.DataFrame:
    """The results but for the commit, which may have changed in between."""
    return pd.read_csv(folder / "demo" / "results.csv").drop(columns="commit")


def test_ends_well_and_says_where_to_look(first: tuple[Path, Outcome]) -> None:
    folder, outcome = first
    assert outcome.code == 0, outcome.err
    assert "Traceback" not in outcome.err and "Warning" not in outcome.err
    assert "demo/report.html" in outcome.out and "demo/results.csv" in outcome.out
    there = {path.name for path in (folder / "demo").iterdir()}
    assert {"data", "pretrain", "align", *FILES, "results.csv", "report.html"} <= there
    assert not [name for name in listing(folder) if name.split("/")[-1].startswith(".")]


def test_results(first: tuple[Path, Outcome]) -> None:
    results = pd.read_csv(first[0] / "demo" / "results.csv")
    expected = "model,dataset,protocol,fold,seed,metric,value,n,commit,config_sha256,data_sha256"
    assert list(results.columns) == expected.split(",") == list(COLUMNS)
    assert results["value"].notna().all() and results["n"].gt(0).all()
    assert results["data_sha256"].nunique() == 1
    main = results[results["metric"].isin(["accuracy", "macro_f1"])]
    assert main["value"].between(0, 1).all()
    protocols = set(results["protocol"])
    assert {"supervised", "zero-shot-closed", "enrol-k1", "enrol-k4", "enrol-k16"} <= protocols
    controls = set(results[results.protocol == "supervised"]["model"])
    assert len(controls) >= 5 and "chance" in controls


def test_the_report_stands_alone(first: tuple[Path, Outcome]) -> None:
    text = (first[0] / "demo" / "report.html").read_text(encoding="utf-8")
    assert text.lstrip().lower().startswith("<!doctype html")
    assert not re.findall(r"""(?:src|href|srcset|action|data)\s*=\s*["']?\s*(?:https?:)?//""", text, re.IGNORECASE)
    assert not re.findall(r"@import|url\(\s*[\"']?(?:https?:)?//", text, re.IGNORECASE)
    without_pictures = re.sub(r"data:[\w/+-]+;base64,[A-Za-z0-9+/=]+", "", text)
    shown = re.sub(r"<(script|style)\b.*?</\1>", "", without_pictures, flags=re.DOTALL | re.IGNORECASE)
    assert not re.findall(r"\b(?:nan|undefined)\b", shown, re.IGNORECASE)  # in attributes of drawings too
    assert not re.findall(r"\bNone\b", re.sub(r"<[^>]*>", " ", shown))
    assert not re.findall(r"\bNaN\b", without_pictures)


def test_its_parting_words_can_be_typed(first: tuple[Path, Outcome]) -> None:
    """The command that the demo names at its end works, on what the demo left."""
    folder, outcome = first
    line = next(line for line in outcome.out.replace("\n ", " ").splitlines() if line.startswith("next: otolith "))
    command = line.removeprefix("next: otolith ")
    program = f'"{sys.executable}" -c "from otolith.cli.main import main; main()"'
    done = subprocess.run(f"{program} {command} --json", shell=True, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["start_s"] == 0


def test_again_in_the_same_folder(first: tuple[Path, Outcome]) -> None:
    folder, _ = first
    before, trained = values(folder), weights(folder)
    again = demo(folder, "--json")
    assert again.code == 0 and "is there and intact" in again.err
    pd.testing.assert_frame_equal(values(folder), before)
    assert weights(folder) == trained
    assert {row["protocol"] for row in json.loads(again.out)} == set(before["protocol"])


def test_other_settings_in_the_same_folder_are_refused(first: tuple[Path, Outcome]) -> None:
    folder, _ = first
    before = listing(folder)
    outcome = demo(folder, "--seed", "1")
    assert outcome.code == 2 and "the configuration differs from" in outcome.err.splitlines()[-1]
    assert listing(folder) == before


def test_killed_in_stage_1_and_started_again(first: tuple[Path, Outcome], tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*OTOLITH, "demo", "-o", "demo", "--steps", "4"], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    metrics = tmp_path / "demo" / "pretrain" / "metrics.jsonl"
    until = time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        if metrics.exists() and metrics.read_text().count('"train"') >= 2:
            break
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -9, "the demo ended before it could be killed"
    assert not (tmp_path / "demo" / "align").exists()
    latest = tmp_path / "demo" / "pretrain" / "latest.safetensors"
    assert not latest.exists() or read_checkpoint(latest).meta["state"]["step"] < 4
    assert demo(tmp_path).code == 0
    assert weights(tmp_path) == weights(first[0])
    pd.testing.assert_frame_equal(values(tmp_path), values(first[0]))
