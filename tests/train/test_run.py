from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from otolith.models.io import read_checkpoint
from otolith.train.run import Run, State
from otolith.types import CheckpointError, ConfigError

CONFIG = {"seed": 0, "data": {"datasets": ("a", "b"), "val": 0.2}, "note": "µ"}


class LineTask:
    """The smallest task: a line through points."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.module = nn.Linear(3, 1)
        self.adam = torch.optim.AdamW(self.module.parameters(), lr=0.1)

    def step(self) -> None:
        self.adam.zero_grad()
        self.module(torch.arange(3.0)).square().sum().backward()
        self.adam.step()

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"weight": self.module.weight}

    def meta(self) -> dict[str, Any]:
        return {"stage": "line"}


@pytest.fixture(scope="module")
def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def start(folder: Path, task: LineTask, fabric: Fabric, *, resume: bool = True) -> tuple[Run, State]:
    run = Run(folder, CONFIG, resume=resume)
    return run, run.restore(task.module, task.adam, fabric)


def test_state_comes_back(tmp_path: Path, fabric: Fabric) -> None:
    task = LineTask()
    run, state = start(tmp_path, task, fabric, resume=False)
    assert state == State()
    for _ in range(3):
        task.step()
    state = State(step=3, best_score=0.5, best_step=2, without_gain=1)
    run.save_latest(task, task.adam, state)
    run.finish()
    task.step()

    other = LineTask()
    again, found = start(tmp_path, other, fabric)
    assert found == state
    other.step()
    again.finish()
    assert torch.equal(task.module.weight, other.module.weight) and torch.equal(task.module.bias, other.module.bias)


def test_metrics_are_cut_back_to_the_checkpoint(tmp_path: Path, fabric: Fabric) -> None:
    task = LineTask()
    run, _ = start(tmp_path, task, fabric)
    task.step()
    for step in (1, 2):
        run.log(step, "train", {"loss": 1.0 / step})
    run.log(2, "val", {"macro_f1": 0.5})
    run.save_latest(task, task.adam, State(step=2))
    run.log(3, "train", {"loss": 0.1})
    run.finish()
    with run.metrics_file.open("a") as file:
        file.write('{"step": 4, "kind": "tr')  # what a killed process leaves
    again, _ = start(tmp_path, LineTask(), fabric)
    again.log(3, "train", {"loss": 0.2})
    again.finish()
    assert [(r["step"], r["kind"]) for r in again.history()] == [(1, "train"), (2, "train"), (2, "val"), (3, "train")]
    assert again.history()[-1]["loss"] == 0.2


def test_metrics_without_a_checkpoint_begin_anew(tmp_path: Path, fabric: Fabric) -> None:
    run, _ = start(tmp_path, LineTask(), fabric)
    run.log(1, "train", {"loss": 1.0})
    run.finish()
    again, state = start(tmp_path, LineTask(), fabric)
    again.finish()
    assert state.step == 0 and again.history() == []


def test_half_written_files_are_removed(tmp_path: Path, fabric: Fabric) -> None:
    for name in (".latest.safetensors.abcd_123", ".metrics.jsonl.12345678", ".config.yaml.aaaaaaaa"):
        (tmp_path / name).write_text("half")
    (tmp_path / ".mine").write_text("keep")
    run, _ = start(tmp_path, LineTask(), fabric)
    run.finish()
    assert {p.name for p in tmp_path.iterdir()} == {".mine", "config.yaml", "metrics.jsonl"}


@pytest.mark.parametrize("checkpoint", ["latest", "best"])
def test_used_folder(checkpoint: str, tmp_path: Path, fabric: Fabric) -> None:
    task = LineTask()
    run, _ = start(tmp_path, task, fabric)
    task.step()
    if checkpoint == "latest":
        run.save_latest(task, task.adam, State(step=1))
    else:
        run.save_best(task, State(step=1), None)
    run.finish()
    with pytest.raises(ConfigError, match=r"already holds a run: add --resume to continue it, or name another folder"):
        Run(tmp_path, CONFIG, resume=False)
    Run(tmp_path, CONFIG, resume=True)
    with pytest.raises(ConfigError, match="the configuration differs from"):
        Run(tmp_path, {**CONFIG, "seed": 1}, resume=True)
    assert "note: µ" in (tmp_path / "config.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_without_a_checkpoint_is_no_run(resume: bool, tmp_path: Path, fabric: Fabric) -> None:
    """What ended before its first checkpoint can be begun again, corrected or not."""
    start(tmp_path, LineTask(), fabric)[0].finish()
    Run(tmp_path, CONFIG, resume=resume)
    task = LineTask()
    corrected = Run(tmp_path, {**CONFIG, "seed": 1}, resume=resume)
    assert corrected.restore(task.module, task.adam, fabric) == State()
    corrected.finish()
    assert "seed: 1" in (tmp_path / "config.yaml").read_text(encoding="utf-8")


def test_nothing_is_written_before_the_run_begins(tmp_path: Path) -> None:
    """Processes of one run look at the folder at the same time: none may find what another has just written."""
    Run(tmp_path / "run", CONFIG, resume=False)
    assert not (tmp_path / "run").exists()


def test_other_processes_write_nothing(tmp_path: Path, fabric: Fabric) -> None:
    task = LineTask()
    run = Run(tmp_path, CONFIG, resume=False, writes=False)
    run.restore(task.module, task.adam, fabric)
    run.log(1, "train", {"loss": 1.0})
    run.save_latest(task, task.adam, State(step=1))
    run.save_best(task, State(step=1), None)
    run.finish()
    assert list(tmp_path.iterdir()) == []


def test_checkpoint_of_another_model(tmp_path: Path, fabric: Fabric) -> None:
    task = LineTask()
    run, _ = start(tmp_path, task, fabric)
    task.step()
    run.save_latest(task, task.adam, State(step=1))
    run.finish()
    wider = nn.Linear(4, 1)
    with pytest.raises(CheckpointError, match=r"latest\.safetensors does not fit this model: .*weight"):
        Run(tmp_path, CONFIG, resume=True).restore(wider, torch.optim.AdamW(wider.parameters()), fabric)


def test_damaged_checkpoint(tmp_path: Path, fabric: Fabric) -> None:
    task = LineTask()
    run, _ = start(tmp_path, task, fabric)
    task.step()
    run.save_latest(task, task.adam, State(step=1))
    run.finish()
    run.latest.write_bytes(run.latest.read_bytes()[:-5])
    with pytest.raises(CheckpointError, match="damaged"):
        start(tmp_path, LineTask(), fabric)


def test_kept_and_best(tmp_path: Path, fabric: Fabric) -> None:
    task = LineTask()
    run, _ = start(tmp_path, task, fabric)
    run.save_best(task, State(step=7, best_score=0.25), 0.25)
    run.save_kept(task, State(step=12, best_score=0.25, best_step=7), 0.125)
    run.finish()
    best = read_checkpoint(tmp_path / "best.safetensors")
    assert (best.meta["step"], best.meta["score"], best.meta["stage"]) == (7, 0.25, "line")
    assert torch.equal(best.tensors["weight"], task.module.weight.detach())
    kept = read_checkpoint(tmp_path / "step-0000012.safetensors")
    assert (kept.meta["step"], kept.meta["score"]) == (12, 0.125)  # its own, not the best


def test_plot(tmp_path: Path, fabric: Fabric) -> None:
    run, _ = start(tmp_path, LineTask(), fabric)
    run.log(1, "train", {"loss": 1.0})
    run.finish()
    run.plot()
    assert json.loads((tmp_path / "plots" / "metrics.json").read_text()) == {
        "train/loss": {"step": [1], "value": [1.0]}
    }
