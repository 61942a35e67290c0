from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from otolith.models.io import read_checkpoint
from otolith.models.model import Otolith
from otolith.train.engine import EngineConfig, fit, launch, learning_rate_factor, optimiser
from otolith.train.run import Run, State
from otolith.types import Batch, ConfigError, OtolithError

CONFIG = EngineConfig(
    steps=6, learning_rate=0.1, warmup=0.0, evaluate_every=1, save_every=1, precision="32-true", accelerator="cpu"
)


class Line(nn.Module):
    """y = w x to fit, with x in the patches and 3 x as the truth."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.line.weight)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        x = batch.patch_seconds[:, None]
        loss = (self.line(x) - 3 * x).square().mean()
        return {"loss": loss, f"loss/{x[0, 0]:.0f}": loss.detach()}


class Task:
    def __init__(self, module: nn.Module, scores: list[float] | None = None) -> None:
        self.module = module
        self.scores = scores or []

    def evaluate(self) -> dict[str, float]:
        assert not self.module.training
        return {"macro_f1": self.scores.pop(0) if self.scores else 0.0}

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.module.state_dict())

    def meta(self) -> dict[str, Any]:
        return {"stage": "line"}


class Numbers:
    """A plan whose batches hold given numbers, again and again."""

    def __init__(self, *batches: list[float]) -> None:
        self.given = batches

    def loader(self, first: int, workers: int) -> Iterator[Batch]:
        step = first
        while True:
            x = torch.tensor(self.given[step % len(self.given)])
            blank = torch.ones(len(x), 1)
            yield Batch(blank[..., None, None], blank.bool(), blank.bool(), blank[..., None], x)
            step += 1


def train(task: Task, plan: Numbers, config: EngineConfig, folder: Path, *, resume: bool = False) -> tuple[Run, State]:
    run = Run(folder, {}, resume=resume)
    return run, fit(task, plan, config, run, launch(config), seed=0)  # type: ignore[arg-type]


def test_learning_rate() -> None:
    config = EngineConfig(steps=100, warmup=0.1)
    factors = [learning_rate_factor(step, config) for step in range(101)]
    assert factors[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert factors[10] == 1.0 and factors[100] == pytest.approx(0.01)
    assert factors[55] == pytest.approx(0.01 + 0.99 / 2)
    assert all(a >= b for a, b in pairwise(factors[10:]))
    assert learning_rate_factor(0, EngineConfig(steps=1, warmup=0.0)) == 1.0


def test_only_matrices_decay() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    module[0].weight.requires_grad_(True)
    module.register_parameter("frozen", nn.Parameter(torch.zeros(2, 2), requires_grad=False))
    decayed, plain = optimiser(module, EngineConfig(weight_decay=0.3)).param_groups
    assert decayed["weight_decay"] == 0.3 and [p.shape for p in decayed["params"]] == [(4, 3)]
    assert plain["weight_decay"] == 0.0 and [p.shape for p in plain["params"]] == [(4,), (4,), (4,)]


def test_learns_and_keeps_the_best(tmp_path: Path) -> None:
    task = Task(Line(), scores=[0.1, 0.5, 0.9, 0.2, 0.9, 0.3])
    run, state = train(task, Numbers([1.0, 2.0]), CONFIG, tmp_path)
    assert (state.step, state.best_step, state.best_score) == (6, 5, 0.9)  # of equals the later
    losses = [row["loss"] for row in run.history() if row["kind"] == "train"]
    assert losses == sorted(losses, reverse=True)
    best, latest = (read_checkpoint(path).tensors for path in (run.best, run.latest))
    assert 0 < best["line.weight"].item() < latest["train.line.weight"].item()


def test_kept_checkpoints_carry_their_own_score(tmp_path: Path) -> None:
    config = replace(CONFIG, evaluate_every=4, keep_every=2)
    run, state = train(Task(Line(), scores=[0.9, 0.5, 0.7]), Numbers([1.0]), config, tmp_path)
    assert (state.best_step, state.best_score) == (2, 0.9)
    kept = [read_checkpoint(tmp_path / f"step-000000{step}.safetensors").meta for step in (2, 4, 6)]
    assert [(meta["step"], meta["score"]) for meta in kept] == [(2, 0.9), (4, 0.5), (6, 0.7)]
    assert [row["step"] for row in run.history() if row["kind"] == "val"] == [2, 4, 6]


def test_stops_early_and_stays_stopped(tmp_path: Path) -> None:
    config = replace(CONFIG, steps=20, patience=2)
    _, state = train(Task(Line(), [0.5, 0.6, 0.6, 0.1]), Numbers([1.0]), config, tmp_path)
    assert (state.step, state.best_step, state.stopped) == (4, 3, True)  # an equal score is kept, but is no gain
    run, again = train(Task(Line()), Numbers([1.0]), config, tmp_path, resume=True)
    assert again == state and len([r for r in run.history() if r["kind"] == "train"]) == 4


def test_patience_is_remembered(tmp_path: Path) -> None:
    task = Task(Line(), [0.5, 0.1])
    train(task, Numbers([1.0]), replace(CONFIG, steps=2, patience=3), tmp_path)
    config = replace(CONFIG, steps=20, patience=3)
    _, state = train(Task(Line(), [0.1, 0.1, 0.9]), Numbers([1.0]), config, tmp_path, resume=True)
    assert (state.step, state.best_score) == (4, 0.5)


def test_accumulated_batches_are_one_large_batch(tmp_path: Path) -> None:
    whole, parts = Line(), Line()
    train(Task(whole), Numbers([1.0, 1.0, 4.0, 4.0]), CONFIG, tmp_path / "a")
    run, _ = train(Task(parts), Numbers([1.0, 1.0], [4.0, 4.0]), replace(CONFIG, accumulate=2), tmp_path / "b")
    torch.testing.assert_close(whole.line.weight, parts.line.weight)
    first = run.history()[0]
    # Each occurs in one of the two batches: its mean is over that one.
    assert first["loss/1"] == pytest.approx(9.0) and first["loss/4"] == pytest.approx(144.0)
    assert first["loss"] == pytest.approx((9 + 144) / 2)


def test_gradients_are_clipped(tmp_path: Path) -> None:
    run, _ = train(Task(Line()), Numbers([1000.0]), replace(CONFIG, steps=1, clip=0.5), tmp_path)
    average = read_checkpoint(run.latest).tensors["optimiser.0.exp_avg"]
    assert average.norm().item() == pytest.approx(
        0.1 * 0.5, rel=1e-4
    )  # one minus Adam's first beta, times the gradient


def test_loss_that_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(OtolithError, match=r"the loss is nan at step 3: lower train.learning_rate"):
        train(Task(Line()), Numbers([1.0], [1.0], [float("nan")]), CONFIG, tmp_path)
    run, state = train(Task(Line()), Numbers([1.0]), CONFIG, tmp_path, resume=True)
    assert state.step == 6 and [r["step"] for r in run.history() if r["kind"] == "train"] == list(range(1, 7))


def test_mixed_precision_rounds_the_arithmetic_not_the_data(tmp_path: Path) -> None:
    class Looks(Line):
        def forward(self, batch: Batch) -> dict[str, Tensor]:
            assert batch.patch_seconds.dtype == torch.float32 and batch.patch_seconds.tolist() == [1.001953125]
            assert self.line(batch.patch_seconds[:, None]).dtype == torch.bfloat16
            return super().forward(batch)

    module = Looks()
    config = replace(CONFIG, precision="bf16-mixed")
    _, state = train(Task(module), Numbers([1.001953125]), config, tmp_path)  # 1 + 1/512, which bfloat16 rounds to 1
    assert state.step == 6 and module.line.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"steps": 0}, "train.steps must be at least 1, not 0"),
        ({"accumulate": 0}, "train.accumulate"),
        ({"devices": 0}, "train.devices"),
        ({"precision": "16-mixed"}, "train.precision must be 32-true or bf16-mixed, not '16-mixed'"),
        ({"keep_every": -1}, "train.keep_every must be 0 or more, not -1"),
        ({"patience": -1}, "train.patience"),
        ({"threads": -1}, "train.threads"),
        ({"weight_decay": -0.1}, "train.weight_decay 0 or more"),
        ({"learning_rate": 0.0}, "train.learning_rate and train.clip must be positive"),
        ({"warmup": 1.0}, r"train.warmup in \[0, 1\)"),
        ({"clip": math.nan}, "train.clip must be positive"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        EngineConfig(**settings)


SCRIPT = """
import os, sys
from dataclasses import replace
from pathlib import Path
from otolith.data.loader import LoaderConfig
from otolith.data.sampling import SamplingConfig
from otolith.models.encoder import EncoderConfig
from otolith.train import run
from otolith.train.align import AlignConfig, AlignObjective, align
from otolith.train.engine import EngineConfig
from otolith.train.pretrain import PretrainConfig, pretrain
from otolith.train.sources import SourceConfig

stage, data, folder, stop = sys.argv[1:]
common = dict(
    data=SourceConfig((data,), val=("subject04",), test=()),
    loader=LoaderConfig(step_seconds=2.0),
    sampling=SamplingConfig(batch_size=8),
    model=EncoderConfig(dim=32, heads=2, blocks=1),
    train=EngineConfig(
        steps=4, evaluate_every=2, save_every=1, precision="32-true", accelerator="cpu", devices=2, threads=1
    ),
)
log = run.Run.log

def stopping(self, step, kind, values):
    log(self, step, kind, values)
    if step == int(stop):
        os._exit(3)

run.Run.log = stopping
if __name__ == "__main__":
    if stage == "pretrain":
        pretrain(PretrainConfig(**common), Path(folder), resume=True)
    else:
        align(AlignConfig(**common, objective=AlignObjective(memory=24)), Path(folder), resume=True)
"""


BROKEN = """
import math, os, sys
from pathlib import Path
import torch
from tests.train.test_engine import CONFIG, Line, Numbers, Task
from otolith.train.engine import fit, launch
from otolith.train.run import Run
from dataclasses import replace

if __name__ == "__main__":
    config = replace(CONFIG, devices=2, threads=1)
    fabric = launch(config)
    plan = Numbers([1.0], [math.nan if fabric.global_rank else 1.0])

    class Finite(Line):  # a loss that breaks, and a gradient that does not
        def forward(self, batch):
            x = batch.patch_seconds[:, None]
            loss = (self.line(torch.nan_to_num(x)) - 3).square().mean()
            return {"loss": loss + (0 * x).sum()}

    run = Run(Path(sys.argv[1]), {}, resume=False, writes=fabric.is_global_zero)
    try:
        fit(Task(Finite()), plan, config, run, fabric, seed=0)
    except Exception as error:
        print(f"<{fabric.global_rank}: {error}>", file=sys.stderr, flush=True)
        os._exit(3)
"""


@pytest.mark.slow
def test_all_processes_end_when_one_loses_its_loss(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(BROKEN)
    path = os.pathsep.join((str(Path(__file__).parents[2]), *sys.path))
    result = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "run")],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert result.returncode == 3
    for rank in (0, 1):
        assert f"<{rank}: the loss is nan at step 2: lower" in result.stderr, result.stderr


@pytest.fixture
def two_processes(tmp_path: Path, few: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def start(stage: str, folder: Path, stop: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), stage, str(few), str(folder), str(stop)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    return start


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["pretrain", "align"])
def test_two_processes(
    stage: str, two_processes: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Data-parallel training ends with a model, and resumes to the same one: all processes keep the same memory."""
    result = two_processes(stage, tmp_path / "whole")
    assert result.returncode == 0, result.stderr
    assert Otolith.from_pretrained(tmp_path / "whole" / "best.safetensors").meta["stage"] == stage
    assert two_processes(stage, tmp_path / "stopped", stop=3).returncode != 0
    result = two_processes(stage, tmp_path / "stopped")
    assert result.returncode == 0, result.stderr
    whole, stopped = (read_checkpoint(tmp_path / name / "latest.safetensors") for name in ("whole", "stopped"))
    assert whole.meta["state"] == stopped.meta["state"] and whole.meta["state"]["step"] == 4
    assert [k for k, v in whole.tensors.items() if not torch.equal(v, stopped.tensors[k])] == []
    if stage == "align":
        assert (whole.tensors["train.memory.label"] >= 0).all()  # 4 steps of 8 windows, from both processes
    lines = (tmp_path / "stopped" / "metrics.jsonl").read_text().splitlines()
    assert len([line for line in lines if '"train"' in line]) == 4
