"""What a model must have learnt for what is asked of it: words, a threshold for these labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.cli.test_classify import NAMES, TIMED, remade

from otolith.models.io import read_checkpoint


@pytest.fixture
def unsure(otolith: Command, checkpoint: Path, csv: Path) -> Callable[..., list[dict[str, Any]]]:
    """Segments of the session with `--abstain`."""

    def run(*options: object) -> list[dict[str, Any]]:
        outcome = otolith("classify", csv, "-m", checkpoint, *TIMED, "--abstain", "--json", *options)
        assert outcome.code == 0, outcome
        segments: list[dict[str, Any]] = json.loads(outcome.out)
        return segments

    return run


@pytest.mark.slow
def test_the_threshold_of_training_is_for_its_labels(
    unsure: Callable[..., Any], refused: Callable[..., str], checkpoint: Path, csv: Path
) -> None:
    labels = read_checkpoint(checkpoint).meta["labels"]
    assert unsure() == unsure("-l", ",".join(labels))
    said = refused("classify", csv, "-m", checkpoint, *TIMED, "--abstain", "-l", NAMES)
    assert "calibrated for the labels of training and does not carry over to others" in said


def test_a_profile_has_a_threshold_of_its_own(
    otolith: Command, unsure: Callable[..., Any], refused: Callable[..., str], checkpoint: Path, csv: Path
) -> None:
    intervals = csv.with_name("intervals.csv")
    learn = ("enrol", csv, "-m", checkpoint, *TIMED, "--intervals", intervals, "-o")
    intervals.write_text("start_s,end_s,activity\n0,12,one\n16,28,two\n32,44,three\n")
    assert otolith(*learn, "me.safetensors").code == 0
    found = unsure("--profile", "me.safetensors")
    assert sum(row["end_s"] - row["start_s"] for row in found if row["activity"] != "unknown") > 0.7 * 48
    intervals.write_text("start_s,end_s,activity\n6,10,one\n20,24,two\n")
    assert otolith(*learn, "brief.safetensors").code == 0
    said = refused("classify", csv, "-m", checkpoint, *TIMED, "--abstain", "--profile", "brief.safetensors")
    assert "brief.safetensors has one example of each activity" in said


def test_a_run_folder_is_a_model(otolith: Command, checkpoint: Path, run_folder: Path, csv: Path) -> None:
    of_folder, of_file = (otolith("classify", csv, "-m", model, *TIMED, "--json") for model in (run_folder, checkpoint))
    assert of_folder.code == 0 and of_folder == of_file


def test_a_model_of_stage_1_reads_no_words(
    refused: Callable[..., str], checkpoint: Path, csv: Path, tmp_path: Path
) -> None:
    stage1 = remade(checkpoint, tmp_path / "stage1.safetensors", lambda meta: meta.update(stage="pretrain"))
    for options in ((), ("-l", NAMES)):
        assert "run otolith align first" in refused("classify", csv, "-m", stage1, *TIMED, *options)
