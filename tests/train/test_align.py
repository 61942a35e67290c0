from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from otolith.data.labels import sentences
from otolith.data.loader import Plan, Windows
from otolith.data.store import Dataset, DatasetWriter
from otolith.models.io import read_checkpoint
from otolith.models.label_bank import class_scores
from otolith.models.model import Otolith
from otolith.models.text import SentenceEncoder
from otolith.train.align import AlignConfig, AlignModule, AlignObjective, align
from otolith.train.pretrain import PretrainConfig, pretrain
from otolith.train.run import Run
from otolith.train.sources import open_sources
from otolith.types import Batch, CheckpointError, ConfigError, LeakError


class KilledError(Exception):
    """Stands in for the end of a process."""


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def parent(pretrain_config: PretrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    train = replace(pretrain_config.train, steps=4, evaluate_every=4, save_every=4)
    return pretrain(replace(pretrain_config, train=train), tmp_path_factory.mktemp("runs") / "parent")


@pytest.fixture(scope="module")
def finished(align_config: AlignConfig, parent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert align(replace(align_config, parent=str(parent)), folder) == folder / "best.safetensors"
    return folder


@pytest.mark.slow
def test_checkpoint_knows_its_parent(finished: Path, parent: Path) -> None:
    model, stage1 = Otolith.from_pretrained(finished / "best.safetensors"), Otolith.from_pretrained(parent)
    found = model.meta["parent"]
    assert found["weights_sha256"] == stage1.fingerprint() and found["stage"] == "pretrain"
    assert found["history"] == stage1.meta["history"] and model.meta["stage"] == "align"
    assert model.meta["history"] == found["history"]  # the same people in both stages
    assert model.meta["data"]["spar"]["val"] == ["subject04"]


def test_checkpoint_recognises_without_the_text_encoder(
    finished: Path, align_config: AlignConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best checkpoint scores what the log says, with all texts on board."""

    def forbid() -> SentenceEncoder:
        raise AssertionError("the text encoder was asked for")

    monkeypatch.setattr(SentenceEncoder, "load", forbid)
    model = Otolith.from_pretrained(finished / "best.safetensors")
    labels = model.meta["labels"]
    sources = open_sources(align_config.data, align_config.loader, model.texts)
    assert labels == sources.labels
    windows = Windows(sources.val, sources.text, align_config.loader, labels=labels)
    with torch.no_grad():
        prototypes = model.prototypes([sentences(label) for label in labels])
        scores = torch.cat([class_scores(model.embed(batch), prototypes) for batch, _ in windows.batches()])
    predicted = scores.argmax(1).numpy()
    f1 = []
    for k in range(len(labels)):
        hit = ((predicted == k) & (windows.label == k)).sum()
        f1.append(2 * hit / max(1, (predicted == k).sum() + (windows.label == k).sum()))
    assert np.mean(f1) == pytest.approx(model.meta["score"], abs=1e-6)


@pytest.mark.slow  # the engine is the same as for stage 1, which is tried among the fast ones
@pytest.mark.parametrize("stops", [(4, 18)])
def test_stopped_and_resumed_ends_with_the_same_weights(
    stops: tuple[int, ...],
    finished: Path,
    parent: Path,
    align_config: AlignConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, folder, log = replace(align_config, parent=str(parent)), tmp_path / "run", Run.log
    for stop in stops:

        def die(self: Run, step: int, kind: str, values: dict[str, float], *, at: int = stop) -> None:
            log(self, step, kind, values)
            if step == at:
                raise KilledError

        monkeypatch.setattr(Run, "log", die)
        with pytest.raises(KilledError):
            align(config, folder, resume=True)
    monkeypatch.setattr(Run, "log", log)
    align(config, folder, resume=True)
    one, two = read_checkpoint(finished / "latest.safetensors"), read_checkpoint(folder / "latest.safetensors")
    assert one.meta == two.meta and one.tensors.keys() == two.tensors.keys()
    assert [k for k, v in one.tensors.items() if not torch.equal(v, two.tensors[k])] == []
    assert (one.tensors["train.memory.label"] >= 0).all()  # the memory bank is among them, and full
    assert any(k.startswith("optimiser.") for k in one.tensors)
    assert history(finished) == history(folder)


@pytest.mark.slow
def test_loss_falls_on_real_data(align_config: AlignConfig, tmp_path: Path) -> None:
    # At the rate of the other tests it is luck whether 100 steps leave the first plateau.
    train = replace(align_config.train, steps=100, evaluate_every=100, save_every=100, learning_rate=1e-3)
    best = align(replace(align_config, train=train), tmp_path)
    loss = np.array([row["loss"] for row in history(tmp_path) if row["kind"] == "train"])
    first, last = loss[:15], loss[-15:]
    assert last.mean() < 0.85 * first.mean(), f"the loss went from {first.mean():.3f} to {last.mean():.3f}"
    assert read_checkpoint(best).meta["score"] > 1 / 7  # better than chance on a person it has not seen


# The module


@pytest.fixture(scope="module")
def batch_and_model(align_config: AlignConfig) -> tuple[Batch, Otolith, list[str]]:
    torch.manual_seed(0)
    model = Otolith(align_config.model, align_config.bank).eval()
    sources = open_sources(align_config.data, align_config.loader, model.texts)
    windows = Windows(sources.train, sources.text, align_config.loader, labels=sources.labels)
    batch = next(Plan(windows, align_config.sampling, 0).loader(0, workers=0))
    return batch, model, sources.labels


def test_all_that_is_trained_has_a_gradient(batch_and_model: tuple[Batch, Otolith, list[str]]) -> None:
    """Data-parallel training would wait for any other weight."""
    batch, model, labels = batch_and_model
    module = AlignModule(model, AlignObjective(memory=64), labels, {"spar": labels}).train()
    losses = module(batch)
    losses["loss"].backward()
    assert [n for n, p in module.named_parameters() if p.requires_grad and p.grad is None] == []
    torch.testing.assert_close(losses["temperature"], torch.tensor(0.07))


def test_memory_takes_the_labelled_windows(batch_and_model: tuple[Batch, Otolith, list[str]]) -> None:
    batch, model, labels = batch_and_model
    module = AlignModule(model, AlignObjective(memory=64), labels, {"spar": labels}).eval()
    assert batch.label is not None
    some = replace(batch, label=torch.where(torch.arange(16) % 4 == 0, -1, batch.label))
    with torch.no_grad():
        module(some)
        stored, label, filled = module.memory.entries()
        assert int(filled.sum()) == 12 and label[filled].tolist() == some.label[some.label >= 0].tolist()  # type: ignore[index, union-attr]
        torch.testing.assert_close(stored[filled], model.embed(some)[some.label >= 0])  # type: ignore[operator]


def test_wordings_vary(batch_and_model: tuple[Batch, Otolith, list[str]]) -> None:
    batch, model, labels = batch_and_model
    losses = set()
    for seed in range(4):
        module = AlignModule(model, AlignObjective(memory=64), labels, {"spar": labels}).eval()
        torch.manual_seed(seed)
        with torch.no_grad():
            losses.add(module(batch)["loss"].item())
    assert len(losses) == 4


def test_windows_without_a_label_are_harmless(batch_and_model: tuple[Batch, Otolith, list[str]]) -> None:
    batch, model, labels = batch_and_model
    module = AlignModule(model, AlignObjective(memory=64), labels, {"spar": labels}).train()
    loss = module(replace(batch, label=torch.full((16,), -1)))["loss"]
    loss.backward()
    assert loss.detach().item() == 0 and not module.memory.entries()[2].any()


# What is refused


def test_parent_of_another_split_is_refused(align_config: AlignConfig, parent: Path, tmp_path: Path) -> None:
    config = replace(align_config, parent=str(parent), data=replace(align_config.data, val=("subject01",)))
    with pytest.raises(LeakError, match="subject subject01 of 'spar' is held out here, but the parent checkpoint"):
        align(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_of_stage_2_can_be_gone_on_with(align_config: AlignConfig, finished: Path, tmp_path: Path) -> None:
    start = finished / "best.safetensors"
    still = replace(align_config.train, steps=1, evaluate_every=1, learning_rate=1e-9, weight_decay=0.0)
    config = replace(align_config, parent=str(start), train=still)
    before, after = Otolith.from_pretrained(start), Otolith.from_pretrained(align(config, tmp_path / "run"))
    assert after.meta["parent"]["weights_sha256"] == before.fingerprint()
    for name, value in before.state_dict().items():
        assert torch.allclose(after.state_dict()[name], value, atol=1e-6), name


def test_a_parent_with_another_bank_is_refused(align_config: AlignConfig, finished: Path, tmp_path: Path) -> None:
    """Its bank would be lost."""
    bank = replace(align_config.bank, prototypes=align_config.bank.prototypes + 1)
    config = replace(align_config, parent=str(finished / "best.safetensors"), bank=bank)
    with pytest.raises(CheckpointError, match=r"is of stage 'align' with a bank of \d prototypes: start from"):
        align(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_changed_configuration_is_refused(finished: Path, parent: Path, align_config: AlignConfig) -> None:
    with pytest.raises(ConfigError, match="the configuration differs"):
        align(replace(align_config, parent=str(parent), objective=AlignObjective(memory=65)), finished, resume=True)
    with pytest.raises(ConfigError, match="already holds a run"):
        align(replace(align_config, parent=str(parent)), finished)
    nowhere = replace(align_config.data, datasets=("nowhere",))
    with pytest.raises(ConfigError, match="already holds a run"):  # said before any data is read
        align(replace(align_config, data=nowhere), finished)


def test_nothing_labelled_is_refused(align_config: AlignConfig, few: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(few)
    with DatasetWriter(tmp_path / "own", "own") as writer:
        for number in range(len(dataset)):
            writer.add(replace(dataset.read(number), annotations=()))
    data = replace(align_config.data, datasets=(str(tmp_path / "own"),))
    with pytest.raises(ConfigError, match="no training window has a label: alignment needs labelled recordings"):
        align(replace(align_config, data=data), tmp_path / "run")


def test_objectives_that_cannot_be() -> None:
    for arguments in ((0.0, 0.8, 1), (0.1, 1.1, 1), (0.1, 0.8, 0)):
        with pytest.raises(ConfigError, match="memory must be at least 1"):
            AlignObjective(*arguments)
