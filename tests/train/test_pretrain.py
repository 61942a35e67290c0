from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from otolith.data.augmenter import AugmentConfig
from otolith.data.loader import MaskConfig, Plan, Windows
from otolith.models.io import read_checkpoint
from otolith.models.model import Otolith
from otolith.objectives.masked import masked_reconstruction
from otolith.train.pretrain import PretrainConfig, PretrainModule, PretrainObjective, pretrain
from otolith.train.run import Run
from otolith.train.sources import open_sources
from otolith.types import Batch, ConfigError


class KilledError(Exception):
    """Stands in for the end of a process."""


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def train_steps(folder: Path) -> list[int]:
    return [int(row["step"]) for row in history(folder) if row["kind"] == "train"]


def assert_equal_runs(a: Path, b: Path, steps: int) -> None:
    """The same weights, optimiser, state and metrics, to the last bit."""
    for name in ("latest.safetensors", "best.safetensors"):
        one, two = read_checkpoint(a / name), read_checkpoint(b / name)
        assert one.meta == two.meta
        assert one.tensors.keys() == two.tensors.keys()
        assert [k for k, v in one.tensors.items() if not torch.equal(v, two.tensors[k])] == []
    assert train_steps(a) == train_steps(b) == list(range(1, steps + 1))
    assert history(a) == history(b)


@pytest.fixture(scope="module")
def finished(pretrain_config: PretrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert pretrain(pretrain_config, folder) == folder / "best.safetensors"
    return folder


def test_run_folder(finished: Path, pretrain_config: PretrainConfig) -> None:
    names = {path.name for path in finished.iterdir()}
    assert names == {"config.yaml", "metrics.jsonl", "latest.safetensors", "best.safetensors", "plots"}
    assert yaml.safe_load((finished / "config.yaml").read_text()) == json.loads(json.dumps(asdict(pretrain_config)))
    assert {row["step"] for row in history(finished) if row["kind"] == "val"} == {8, 16, 24}
    assert {"loss", "masked", "contrastive", "masked/spar", "learning_rate"} < history(finished)[0].keys()


def test_best_checkpoint_is_a_model(finished: Path) -> None:
    model = Otolith.from_pretrained(finished / "best.safetensors")
    assert model.meta["stage"] == "pretrain" and model.meta["parent"] is None and len(model.meta["labels"]) == 7
    data = model.meta["data"]["spar"]
    assert data["val"] == ["subject04"] and data["train"] == ["subject01", "subject02", "subject03"]
    scores = {row["step"]: row["macro_f1"] for row in history(finished) if row["kind"] == "val"}
    assert model.meta["score"] == max(scores.values()) == scores[model.meta["step"]]
    assert any("with gravity" in text for text in read_checkpoint(finished / "best.safetensors").meta["texts"])


def test_used_folder_is_refused(finished: Path, pretrain_config: PretrainConfig) -> None:
    before = {p: p.stat().st_mtime_ns for p in finished.iterdir()}
    with pytest.raises(ConfigError, match="already holds a run: add --resume"):
        pretrain(pretrain_config, finished)
    with pytest.raises(ConfigError, match="the configuration differs from"):
        pretrain(replace(pretrain_config, seed=1), finished, resume=True)
    assert {p: p.stat().st_mtime_ns for p in finished.iterdir()} == before


def test_finished_run_resumes_to_itself(finished: Path, pretrain_config: PretrainConfig) -> None:
    before = (finished / "latest.safetensors").read_bytes(), history(finished)
    pretrain(pretrain_config, finished, resume=True)
    assert ((finished / "latest.safetensors").read_bytes(), history(finished)) == before


SLOW = pytest.mark.slow


@pytest.mark.parametrize("stops", [pytest.param((3,), marks=SLOW), (5, 6), pytest.param((11, 16, 23), marks=SLOW)])
def test_stopped_and_resumed_ends_with_the_same_weights(
    stops: tuple[int, ...],
    finished: Path,
    pretrain_config: PretrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "run"
    log = Run.log
    for stop in stops:

        def die(self: Run, step: int, kind: str, values: dict[str, float], *, at: int = stop) -> None:
            log(self, step, kind, values)
            if step == at:
                raise KilledError

        monkeypatch.setattr(Run, "log", die)
        with pytest.raises(KilledError):
            pretrain(pretrain_config, folder, resume=True)
    monkeypatch.setattr(Run, "log", log)
    pretrain(pretrain_config, folder, resume=True)
    assert_equal_runs(finished, folder, steps=24)


@pytest.mark.slow
def test_accumulated_steps_resume_too(
    pretrain_config: PretrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(
        pretrain_config, train=replace(pretrain_config.train, steps=6, accumulate=3, save_every=2, evaluate_every=6)
    )
    pretrain(config, tmp_path / "whole")
    save = Run.save_latest

    def die(self: Run, *arguments: object) -> None:
        save(self, *arguments)  # type: ignore[arg-type]
        raise KilledError

    monkeypatch.setattr(Run, "save_latest", die)
    with pytest.raises(KilledError):
        pretrain(config, tmp_path / "run")
    monkeypatch.setattr(Run, "save_latest", save)
    pretrain(config, tmp_path / "run", resume=True)
    assert_equal_runs(tmp_path / "whole", tmp_path / "run", steps=6)


def test_kept_checkpoints(pretrain_config: PretrainConfig, tmp_path: Path) -> None:
    train = replace(pretrain_config.train, steps=4, keep_every=2, evaluate_every=4)
    pretrain(replace(pretrain_config, train=train), tmp_path)
    kept = [Otolith.from_pretrained(tmp_path / f"step-000000{n}.safetensors") for n in (2, 4)]
    scores = {row["step"]: row["macro_f1"] for row in history(tmp_path) if row["kind"] == "val"}
    assert [(model.meta["step"], model.meta["score"]) for model in kept] == [(2, scores[2]), (4, scores[4])]
    assert kept[0].fingerprint() != kept[1].fingerprint()


# The objective


@pytest.fixture(scope="module")
def batch_and_model(pretrain_config: PretrainConfig) -> tuple[Batch, Otolith]:
    torch.manual_seed(0)
    model = Otolith(pretrain_config.model).eval()
    sources = open_sources(pretrain_config.data, pretrain_config.loader, model.texts)
    windows = Windows(
        sources.train, sources.text, pretrain_config.loader, augment=AugmentConfig(), views=True, mask=MaskConfig()
    )
    return next(Plan(windows, pretrain_config.sampling, 0).loader(0, workers=0)), model


def test_parts_of_the_loss(batch_and_model: tuple[Batch, Otolith]) -> None:
    batch, model = batch_and_model
    losses = PretrainModule(model, PretrainObjective(0.5, 2.0), ["spar"]).eval()(batch)
    torch.testing.assert_close(losses["loss"], 0.5 * losses["masked"] + 2 * losses["contrastive"])
    torch.testing.assert_close(losses["masked/spar"], losses["masked"].detach())
    assert not losses["masked/spar"].requires_grad
    # Knowing nothing: variance one, and one of as many patches as there are.
    assert 0.9 < losses["masked"].item() < 1.5
    assert losses["contrastive"].item() < np.log(16 * 4) + 1


def test_one_pass_over_both_views_is_two_passes(batch_and_model: tuple[Batch, Otolith]) -> None:
    batch, model = batch_and_model
    assert batch.masked is not None and batch.augmented is not None
    module = PretrainModule(model, PretrainObjective(), ["spar"]).eval()
    with torch.no_grad():
        first, second = module._tokens(batch, batch.masked)
        torch.testing.assert_close(first, model.tokens(batch, masked=batch.masked))
        torch.testing.assert_close(second, model.tokens(replace(batch, patches=batch.augmented)))


def test_contrast_can_be_left_out(batch_and_model: tuple[Batch, Otolith]) -> None:
    batch, model = batch_and_model
    module = PretrainModule(model, PretrainObjective(contrastive_weight=0.0), ["spar"]).eval()
    losses = module(replace(batch, augmented=None))
    assert "contrastive" not in losses and torch.equal(losses["loss"], losses["masked"])


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_all_that_is_trained_has_a_gradient(batch_and_model: tuple[Batch, Otolith], weight: float) -> None:
    """Data-parallel training would wait for any other weight."""
    batch, model = batch_and_model
    module = PretrainModule(model, PretrainObjective(contrastive_weight=weight), ["spar"]).train()
    module.zero_grad()
    module(batch)["loss"].backward()
    trained = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    assert [name for name, p in trained if p.grad is None] == []
    assert [name for name, _ in trained if name.startswith(("model.head", "model.bank"))] == []


def test_reconstruction_depends_on_what_is_visible_only(batch_and_model: tuple[Batch, Otolith]) -> None:
    """The target changes with the hidden content, the guess does not."""
    batch, model = batch_and_model
    assert batch.masked is not None
    module = PretrainModule(model, PretrainObjective(contrastive_weight=0.0), ["spar"]).eval()
    hidden = batch.masked[:, :, None]
    other = replace(batch, patches=torch.where(hidden, batch.patches.flip(2), batch.patches))
    with torch.no_grad():
        guess = module.reconstruction(model.tokens(batch, masked=batch.masked))
        again = module.reconstruction(model.tokens(other, masked=batch.masked))
    assert torch.equal(guess, again)
    torch.testing.assert_close(
        module(other)["masked"].detach(), masked_reconstruction(guess, other.patches, batch.masked)
    )


def test_objectives_that_cannot_be() -> None:
    for arguments in ((-1.0, 1.0), (0.0, 0.0), (1.0, 1.0, 0.0)):
        with pytest.raises(ConfigError, match="weights must not be negative"):
            PretrainObjective(*arguments)


# On real data, and really killed


@pytest.mark.slow
def test_both_losses_fall_on_real_data(pretrain_config: PretrainConfig, tmp_path: Path) -> None:
    train = replace(pretrain_config.train, steps=80, evaluate_every=80, save_every=80)
    pretrain(replace(pretrain_config, train=train), tmp_path)
    rows = [row for row in history(tmp_path) if row["kind"] == "train"]
    for name in ("loss", "masked", "contrastive"):
        values = np.array([row[name] for row in rows])
        first, last = values[:20], values[-20:]
        # Of noise alone, the difference of the means would not come near five times its standard error.
        error = float(np.sqrt(first.var() / 20 + last.var() / 20))
        assert first.mean() - last.mean() > 5 * error, f"{name} went from {first.mean():.3f} to {last.mean():.3f}"


# Loads everything once, then runs `pretrain` in forked processes, each killed at a moment of its own, until one ends.
KILLER = """
import json, os, random, signal, sys, time
from pathlib import Path
from otolith.data.loader import LoaderConfig
from otolith.data.sampling import SamplingConfig
from otolith.models.encoder import EncoderConfig
from otolith.train.engine import EngineConfig
from otolith.train.pretrain import PretrainConfig, pretrain
from otolith.train.sources import SourceConfig

data, folder, precision, seed, kills = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
config = PretrainConfig(
    data=SourceConfig((data,), val=("subject04",), test=()),
    loader=LoaderConfig(step_seconds=2.0),
    sampling=SamplingConfig(batch_size=16),
    model=EncoderConfig(dim=32, heads=2, blocks=1),
    train=EngineConfig(steps=30, evaluate_every=7, save_every=5, precision=precision, accelerator="cpu", threads=1),
)
metrics = folder / "metrics.jsonl"
rng = random.Random(seed)

def lines():
    return len(metrics.read_text().splitlines()) if metrics.exists() else 0

def child():
    pid = os.fork()
    if not pid:
        try:
            pretrain(config, folder, resume=True)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return pid

report = []
for number in range(kills):
    pid = child()
    goal = lines() + rng.randint(0, 12) if number % 3 else 0
    end = time.monotonic() + 60
    while lines() < goal and time.monotonic() < end:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        time.sleep(0.001)
    time.sleep(rng.random() * (0.03 if number % 3 else 1.0))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    report.append([os.WIFSIGNALED(status), lines()])
pid = child()
_, status = os.waitpid(pid, 0)
print(json.dumps(report))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_killed_at_any_point_ends_with_the_same_weights(precision: str, few: Path, tmp_path: Path) -> None:
    def run(folder: Path, seed: int, kills: int) -> list[tuple[bool, int]]:
        command = [sys.executable, "-c", KILLER, str(few), str(folder), precision, str(seed), str(kills)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
        assert result.returncode == 0, result.stderr
        return [(bool(killed), int(lines)) for killed, lines in json.loads(result.stdout.splitlines()[-1])]

    run(tmp_path / "whole", 0, 0)
    for seed in (random.randrange(10**6), 1):
        killed = run(tmp_path / f"run{seed}", seed, 9)
        assert sum(was for was, _ in killed) >= 4, killed  # the run was not over before most of the kills
        assert_equal_runs(tmp_path / "whole", tmp_path / f"run{seed}", steps=30)
        left = [path.name for path in (tmp_path / f"run{seed}").iterdir() if path.name.startswith(".")]
        assert left == []
