"""Fine-tuning: anew, from a checkpoint, with a frozen trunk; classifiers are saved with what they need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from otolith.data.patching import PatchingConfig
from otolith.data.sampling import SamplingConfig
from otolith.data.segments import SegmentConfig
from otolith.data.store import Dataset
from otolith.models.classifier import EncoderClassifier, NetworkClassifier
from otolith.models.cost import parameters
from otolith.models.registry import load_model, model_name
from otolith.train.engine import EngineConfig
from otolith.train.finetune import FineTuneConfig, finetune
from otolith.train.reconstruct import ReconstructConfig, reconstruct
from otolith.train.sources import SourceConfig
from otolith.train.supervised import LabelObjective, as_seen_by, predict
from otolith.types import CheckpointError, ConfigError, LeakError

SEGMENTS = SegmentConfig(
    whole_trials=False, window_seconds=2.0, step_seconds=1.0, samples=60, patching=PatchingConfig(size=20, samples=20)
)


def config(dataset: Dataset, network: str, **changes: object) -> FineTuneConfig:
    people = sorted(dataset.recordings["subject"].unique())
    data = SourceConfig(datasets=(str(dataset.path),), val=tuple(people[-2:-1]), test=tuple(people[-1:]))
    train = EngineConfig(steps=4, evaluate_every=4, save_every=2, threads=1, accelerator="cpu", precision="32-true")
    base = FineTuneConfig(data, network=network, segments=SEGMENTS, train=train, sampling=SamplingConfig(batch_size=16))
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("network", ["tinyhar", "otolith-tiny"])
def test_a_saved_classifier_says_the_same(network: str, spar_dataset: Dataset, tmp_path: Path) -> None:
    settings = config(spar_dataset, network)
    model = load_model(finetune(settings, tmp_path / "run"))
    assert isinstance(model, NetworkClassifier | EncoderClassifier)
    assert model_name(model) == network and model.meta["stage"] == "finetune"
    index = SEGMENTS.index(spar_dataset).of_subjects(settings.data.test)  # type: ignore[arg-type]
    model.save(tmp_path / "again.safetensors")
    again = load_model(tmp_path / "again.safetensors")
    one, other = (predict(m, as_seen_by(m, [index], SEGMENTS)) for m in (model, again))
    np.testing.assert_array_equal(one, other)
    assert one.shape == (len(index), 7) and np.ptp(one) > 0


@pytest.mark.slow
def test_a_network_begins_with_what_it_learnt_without_labels(spar_dataset: Dataset, tmp_path: Path) -> None:
    settings = config(spar_dataset, "limu-bert", freeze=True)
    before = ReconstructConfig(
        settings.data, network="limu-bert", segments=SEGMENTS, train=settings.train, sampling=settings.sampling
    )
    parent = reconstruct(before, tmp_path / "first")
    first = load_model(parent)
    tuned = load_model(finetune(replace(settings, parent=str(parent)), tmp_path / "second"))
    assert isinstance(first, NetworkClassifier) and isinstance(tuned, NetworkClassifier)
    for (name, one), other in zip(first.trunk.named_parameters(), tuned.trunk.parameters(), strict=True):
        torch.testing.assert_close(one, other, msg=name)  # frozen
    assert not torch.equal(next(first.net.reader.parameters()), next(tuned.net.reader.parameters()))
    assert tuned.meta["parents"][0]["stage"] == "reconstruct"
    assert parameters(tuned.net) == parameters(first.net) - parameters(first.net.pretext)
    with pytest.raises(CheckpointError, match="another network"):
        finetune(replace(settings, network="tinyhar", parent=str(parent)), tmp_path / "third")


def test_a_parent_that_saw_the_test_people_is_refused(spar_dataset: Dataset, tmp_path: Path) -> None:
    settings = config(spar_dataset, "limu-bert")
    seen = replace(settings.data, test=())
    before = ReconstructConfig(seen, segments=SEGMENTS, train=settings.train, sampling=settings.sampling)
    parent = reconstruct(before, tmp_path / "first")
    with pytest.raises(LeakError, match="held out here"):
        finetune(replace(settings, parent=str(parent)), tmp_path / "second")


@pytest.mark.slow
def test_a_resumed_run_ends_alike(spar_dataset: Dataset, tmp_path: Path) -> None:
    settings = config(spar_dataset, "otolith-tiny", objective=LabelObjective(mixup=0.4, mixup_probability=1.0))
    whole = load_model(finetune(settings, tmp_path / "whole"))
    short = replace(settings, train=replace(settings.train, steps=4))
    folder = tmp_path / "broken"

    class StopError(Exception):
        pass

    from otolith.train import engine

    with pytest.MonkeyPatch.context() as patch:
        step = engine._step

        def breaks(*arguments: object) -> dict[str, float]:
            if arguments[-1] == 3:
                raise StopError
            return step(*arguments)  # type: ignore[arg-type]

        patch.setattr(engine, "_step", breaks)
        with pytest.raises(StopError):
            finetune(short, folder)
    resumed = load_model(finetune(short, folder, resume=True))
    assert whole.fingerprint() == resumed.fingerprint()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"network": "transformer"}, "there is no network"),
        ({"network": "cnn", "segments": replace(SEGMENTS, patching=PatchingConfig(size=25, samples=25))}, "divisor"),
        ({"network": "cnn", "segments": replace(SEGMENTS, patching=PatchingConfig(dynamic=True))}, "whole windows"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(change: dict[str, object], said: str, spar_dataset: Dataset) -> None:
    with pytest.raises(ConfigError, match=said):
        config(spar_dataset, **{"network": "otolith-tiny", **change})  # type: ignore[arg-type]
