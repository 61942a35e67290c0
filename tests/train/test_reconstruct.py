"""Pretraining a network of the field: it learns from people without labels, resumes exactly, and begins fine-tuning."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.train.conftest import ENGINE

from otolith.data.patching import PatchingConfig
from otolith.data.sampling import SamplingConfig
from otolith.data.segments import SegmentConfig, Segments
from otolith.models.classifier import NetworkClassifier
from otolith.models.io import read_checkpoint
from otolith.models.registry import load_model
from otolith.train.reconstruct import ReconstructConfig, ReconstructModule, ReconstructTask, reconstruct
from otolith.train.run import Run
from otolith.train.sources import SourceConfig, split_sources
from otolith.train.supervised import normalise
from otolith.types import ConfigError

STEPS = 16


class KilledError(Exception):
    """Stands in for the end of a process."""


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(path).tensors


@pytest.fixture(scope="module")
def config(few: Path) -> ReconstructConfig:
    """Windows of two seconds of three people, at 20 Hz; the fourth is held out."""
    patching = PatchingConfig(size=10, samples=10)
    return ReconstructConfig(
        data=SourceConfig((str(few),), val=("subject04",), test=()),
        sampling=SamplingConfig(batch_size=16),
        segments=SegmentConfig(whole_trials=False, window_seconds=2.0, step_seconds=2.0, samples=40, patching=patching),
        train=replace(ENGINE, steps=STEPS, evaluate_every=8, save_every=3),
        network="crosshar",
    )


@pytest.fixture(scope="module")
def finished(config: ReconstructConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert reconstruct(config, folder) == folder / "best.safetensors"
    return folder


def test_the_last_checkpoint_is_kept_and_is_a_model(finished: Path) -> None:
    model = load_model(finished)
    assert isinstance(model, NetworkClassifier) and model.head is None and model.network == "crosshar"
    assert model.meta["stage"] == "reconstruct" and model.meta["step"] == STEPS and model.meta["score"] is None
    assert model.meta["history"]["spar"]["train"] == ["subject01", "subject02", "subject03"]
    assert model.meta["segments"]["samples"] == 40 and model.meta["parents"] == []
    latest = tensors(finished / "latest.safetensors")
    assert all(torch.equal(latest[f"train.model.{k}"], v) for k, v in model.state_dict().items())


def test_it_learns_all_but_what_labels_teach(finished: Path, config: ReconstructConfig) -> None:
    torch.manual_seed(config.seed)
    before, after = NetworkClassifier("crosshar", 6, 40, 0).state_dict(), load_model(finished).state_dict()
    same = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert same == {name for name in before if name.startswith("net.reader.")}


def test_contrast_joins_in_half_way_and_validation_people_are_measured(finished: Path) -> None:
    rows = history(finished)
    train = [row for row in rows if row["kind"] == "train"]
    for number, row in enumerate(train):
        parts = (1, 0) if number < STEPS / 2 else (6, 1)
        assert row["loss"] == pytest.approx(parts[0] * row["masked"] + parts[1] * row["contrastive"], rel=1e-4)
    val = [row for row in rows if row["kind"] == "val"]
    assert [row["step"] for row in val] == [8, 16] and not any("macro_f1" in row for row in val)
    assert all(row["loss"] == pytest.approx(6 * row["masked"] + row["contrastive"], rel=1e-4) for row in val)
    assert val[1]["masked"] < val[0]["masked"]


@pytest.mark.slow
def test_stopped_and_resumed_ends_with_the_same_weights(
    finished: Path, config: ReconstructConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before contrast joins in, so that it must know how far it is."""
    folder, log = tmp_path / "run", Run.log

    def die(self: Run, step: int, kind: str, values: dict[str, float]) -> None:
        log(self, step, kind, values)
        if step == 5:
            raise KilledError

    monkeypatch.setattr(Run, "log", die)
    with pytest.raises(KilledError):
        reconstruct(config, folder, resume=True)
    monkeypatch.setattr(Run, "log", log)
    reconstruct(config, folder, resume=True)
    one, two = tensors(finished / "latest.safetensors"), tensors(folder / "latest.safetensors")
    assert [k for k, v in one.items() if not torch.equal(v, two[k])] == []
    assert history(finished) == history(folder)


def test_labels_have_no_part_in_it(finished: Path, config: ReconstructConfig, tmp_path: Path) -> None:
    """With all but one activity unlabelled the run is the same."""
    known = load_model(finished).meta["labels"]
    assert len(known) == 7
    reconstruct(replace(config, data=replace(config.data, labels=tuple(known[:1]))), tmp_path)
    one, two = tensors(finished / "best.safetensors"), tensors(tmp_path / "best.safetensors")
    assert [k for k, v in one.items() if not torch.equal(v, two[k])] == []
    val = [[row for row in history(folder) if row["kind"] == "val"] for folder in (finished, tmp_path)]
    assert val[0] == val[1]


@pytest.mark.slow
def test_limu_bert_learns_here_too(config: ReconstructConfig, tmp_path: Path) -> None:
    train = replace(config.train, steps=80, evaluate_every=80, save_every=80)
    reconstruct(replace(config, network="limu-bert", train=train), tmp_path)
    loss = [row["loss"] for row in history(tmp_path) if row["kind"] == "train"]
    assert np.mean(loss[-16:]) < 0.8 * np.mean(loss[:16])


def test_evaluation_repeats_and_disturbs_nothing(config: ReconstructConfig) -> None:
    sources = split_sources(config.data, config.segments.index)
    model = NetworkClassifier("crosshar", 6, 40, 0)
    normalise(model, Segments(sources.train, config.segments))
    module = ReconstructModule(model, 10)
    task = ReconstructTask(model, module, sources, config)
    module.eval()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = task.evaluate()
    assert torch.equal(torch.rand(3), expected)
    assert task.evaluate() == first and first["loss"] > 0 and int(module.seen) == 0
    alone = replace(config, data=replace(config.data, val=()))
    sources = split_sources(alone.data, alone.segments.index)
    assert ReconstructTask(model, module, sources, alone).evaluate() == {}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"network": "cnn"}, "'cnn' does not learn without labels: use limu-bert, crosshar"),
        ({"segments": SegmentConfig(patching=PatchingConfig(dynamic=True))}, "sees whole windows: set segments.patch"),
        ({"segments": SegmentConfig(patching=PatchingConfig(size=20, samples=10))}, "sees whole windows"),
        ({"segments": SegmentConfig(samples=150)}, "one divisor of segments.samples 150"),
        ({"train": replace(ENGINE, patience=2)}, "train.patience must be 0"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any], sentence: str, config: ReconstructConfig) -> None:
    with pytest.raises(ConfigError, match=sentence):
        replace(config, **wrong)
