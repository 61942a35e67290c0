from __future__ import annotations

import json
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Command, listing, tiny

from otolith.config import build, read_yaml
from otolith.data.recording import Recording
from otolith.data.store import Dataset, DatasetWriter
from otolith.models.io import read_checkpoint
from otolith.models.model import Otolith
from otolith.train.align import AlignConfig


@pytest.fixture(scope="module")
def few(spar_recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people's left-wrist recordings, 12 s of each."""
    path = tmp_path_factory.mktemp("few") / "spar"
    with DatasetWriter(path, "spar") as writer:
        for recording in spar_recordings[:42:2]:
            notes = tuple(replace(note, end=12.0) for note in recording.annotations)
            writer.add(replace(recording, signal=recording.signal[:600], annotations=notes))
    return path


SPLIT = ("data.val=subject02", "data.test=subject03")


def test_the_run_folder(run_folder: Path, spar_dataset: Dataset) -> None:
    assert {"config.yaml", "metrics.jsonl", "latest.safetensors", "best.safetensors", "plots"} == {
        path.name for path in run_folder.iterdir()
    }
    config = build(AlignConfig, read_yaml(run_folder / "config.yaml"))
    assert config.data.datasets == (str(spar_dataset.path),)
    assert (config.train.steps, config.model.dim, config.loader.step_seconds) == (20, 32, 4.0)
    lines = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "train"] == list(range(1, 21))
    assert read_checkpoint(run_folder / "best.safetensors").meta["stage"] == "align"


def test_both_stages_and_resume_without_repeating_oneself(otolith: Command, few: Path) -> None:
    first = otolith("pretrain", "-o", "one", "-d", few, "--steps", 2, "--seed", 5, *tiny(*SPLIT), "--json")
    assert first.code == 0
    said = json.loads(first.out)
    assert said["checkpoint"] == "one/best.safetensors" and said["step"] == 2 and 0 <= said["macro_f1"] <= 1
    again = otolith("pretrain", "-o", "one", "--resume", "--json")
    assert again.code == 0 and json.loads(again.out) == said
    second = otolith(
        "align", "-o", "two", "-d", few, "--from", "one/best.safetensors", "--steps", 2, *tiny(*SPLIT),
        "--labels", "pendulum, bent over row",
    )  # fmt: skip
    assert second.code == 0 and "best checkpoint: two/best.safetensors (step 2, macro-F1" in second.out
    model = Otolith.from_pretrained("two/best.safetensors")
    assert model.meta["parent"]["weights_sha256"] == Otolith.from_pretrained("one/best.safetensors").fingerprint()
    assert model.meta["labels"] == ["shoulder pendulum", "bent over row"]


def test_a_yaml_with_flags_on_top(otolith: Command, few: Path, tmp_path: Path) -> None:
    values = {"data": {"datasets": [str(few)], "val": ["subject02"], "test": ["subject03"]}, "seed": 3}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({**values, "train": {"steps": 9, "clip": 0.5}}))
    outcome = otolith("align", "-c", "run.yaml", "-o", "run", "--size", "tiny", *tiny("train.steps=1"))
    assert outcome.code == 0
    config = build(AlignConfig, read_yaml(tmp_path / "run" / "config.yaml"))
    assert (config.train.steps, config.train.clip, config.seed) == (1, 0.5, 3)
    assert (config.model.dim, config.model.heads, config.model.blocks) == (32, 2, 1)  # --set wins over --size


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--size", "huge"], "there is no size 'huge': use base, small, tiny"),
        (["--steps", "0"], "train.steps must be at least 1"),
        (["--seed", "-1"], "seed must be 0 or more"),
        (["--set", "train.stps=3"], "unknown key 'train.stps' in the configuration: did you mean 'steps'?"),
        (["--set", "train.steps=many"], "'train.steps' must be int, not 'many'"),
        (["--set", "train"], "write key=value"),
        (["--set", "train.precision=8"], "'train.precision' must be str, not 8"),
        (["--set", "train.precision=double"], "train.precision must be 32-true or bf16-mixed"),
        (["--set", "train.accelerator=abacus"], "train.accelerator must be auto, cpu or cuda, not 'abacus'"),
        (["--set", "train.accelerator=cuda", "--devices", "99"], "train.devices 99 needs as many GPUs"),
        (["--set", "data.val=subject77"], "subject77"),
        (["--set", "data.exclude=[pendulm]"], "data.exclude names 'pendulm', which no recording holds"),
        (["--set", "loader.window_seconds=1000"], "window"),
        (["--labels", "juggling"], "no training window is labelled 'juggling'; there are"),
        (["--labels", "pendulum,,row"], "label"),
        (["--labels", "pendulum,shoulder pendulum"], "'shoulder pendulum' twice"),
        (["--from", "none.safetensors"], "there is no checkpoint at none.safetensors"),
        (["-d", "nowhere"], "there is no dataset at nowhere"),
    ],
)
def test_mistakes_end_before_anything_is_written(
    refused: Callable[..., str], few: Path, options: list[str], said: str
) -> None:
    assert said in refused("align", "-o", "run", "-d", few, "--steps", 1, *tiny(), *options)


def test_no_data(refused: Callable[..., str]) -> None:
    for command in ("pretrain", "align"):
        assert "no data to train on: name a converted dataset with --data" in refused(command, "-o", "run")


def test_a_folder_with_a_run(refused: Callable[..., str], run_folder: Path, spar_dataset: Dataset) -> None:
    before = listing(run_folder)
    assert "already holds a run: add --resume" in refused("align", "-o", run_folder, "-d", spar_dataset.path)
    said = refused("align", "-o", run_folder, "--resume", "--set", "train.clip=0.5")
    assert "the configuration differs from" in said and "name another folder" in said
    assert listing(run_folder) == before


def test_a_parent_of_another_split(otolith: Command, refused: Callable[..., str], few: Path) -> None:
    """A person that the parent was trained on cannot be held out by the child."""
    assert otolith("pretrain", "-o", "one", "-d", few, "--steps", 1, *tiny(*SPLIT)).code == 0
    said = refused(
        "align", "-o", "run", "-d", few, "--from", "one/best.safetensors", *tiny("data.val=subject01", "data.test=0.0")
    )
    assert "subject01 of 'spar' is held out here" in said


def test_a_parent_of_stage_2_with_another_bank(refused: Callable[..., str], few: Path, checkpoint: Path) -> None:
    said = refused("align", "-o", "run", "-d", few, "--from", checkpoint, *tiny(*SPLIT, "bank.prototypes=2"))
    assert said.endswith("or of stage 2 with the same bank")


@pytest.mark.slow
def test_a_run_that_failed_at_once_can_be_corrected(otolith: Command, few: Path, tmp_path: Path) -> None:
    broken = ("train.learning_rate=1.0e+30", "train.warmup=0", "train.weight_decay=0")
    failed = otolith("align", "-o", "run", "-d", few, "--steps", 3, *tiny(*SPLIT, *broken))
    assert failed.code == 2 and "the loss is" in failed.err and (tmp_path / "run" / "config.yaml").exists()
    assert otolith("align", "-o", "run", "-d", few, "--steps", 1, *tiny(*SPLIT)).code == 0


def test_full_disk_while_training_keeps_what_was_there(otolith: Command, few: Path, tmp_path: Path) -> None:
    """The system refuses a real write of the checkpoint, which is larger than any file may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        outcome = otolith("align", "-o", "run", "-d", few, "--steps", 2, *tiny(*SPLIT))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outcome.code == 2 and outcome.out == "" and "Traceback" not in outcome.err
    assert outcome.err.splitlines()[-1] == (
        "otolith: cannot write run/best.safetensors: File too large; choose another place"
    )
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.yaml", "metrics.jsonl"}
