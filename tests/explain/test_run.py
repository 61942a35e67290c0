from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.explain.trained import dynamic, train_student

from otolith.data.segments import Segments
from otolith.data.store import Dataset
from otolith.explain import faithfulness, run
from otolith.explain.methods import METHODS, applicable
from otolith.explain.question import Vocabulary
from otolith.explain.run import Settings, explain_segments
from otolith.models.classifier import EncoderClassifier, NetworkClassifier
from otolith.models.encoder import EncoderConfig
from otolith.models.registry import load_model
from otolith.train.supervised import as_seen_by, predict


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_CHECKED", 2)
    monkeypatch.setattr(faithfulness, "STEPS", 4)


def test_batches_change_nothing(student: Any, segments: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    vocabulary, settings = Vocabulary.of(student), Settings(("rollout",))
    segments = as_seen_by(student, [segments.indexes[0].take(np.arange(0, 42, 2))], segments.config)
    whole = explain_segments(student, segments, vocabulary, settings)
    monkeypatch.setattr(run, "_BATCH", 8)
    parts = explain_segments(student, segments, vocabulary, settings)
    torch.testing.assert_close(whole.found["rollout"].explanation.map, parts.found["rollout"].explanation.map)
    assert torch.equal(whole.target, parts.target) and whole.time.shape == whole.signal.shape[:3]
    assert np.array_equal(whole.target.numpy(), predict(student, segments).argmax(1))


@pytest.mark.slow
def test_dynamic_patches_are_explained_too(bodies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments have different numbers of patches; in small batches the batches have, too."""
    model: Any = load_model(train_student(bodies, tmp_path, 3, dynamic()))
    index = dynamic().index(Dataset.open(bodies)).of_subjects(["subject05"])
    monkeypatch.setattr(run, "_BATCH", 3)
    seen = as_seen_by(model, [index.take(np.arange(0, len(index), 5))], dynamic())
    out = explain_segments(model, seen, Vocabulary.of(model), Settings(METHODS, "blurred"))
    assert len(set(out.mask.sum(1).tolist())) > 1
    for method in METHODS:
        found = out.found[method].explanation
        assert found.map.shape == out.signal.shape and bool((found.map[~out.mask] == 0).all())
    time = out.time[0][out.mask[0]].flatten()
    assert (time.diff() > 0).all() and time[0] > 0 and time[-1] < seen.seconds[0]


@pytest.mark.slow
def test_a_network_of_windows_is_explained_by_gradients_and_occlusion(segments: Segments) -> None:
    torch.manual_seed(0)
    labels = ["a", "b", "c"]
    model = NetworkClassifier("cnn", 6, 60, 3, meta={"labels": labels}).eval()
    assert applicable(model) == ("ig", "occlusion")
    part = as_seen_by(model, [segments.indexes[0].take(np.arange(4))], segments.config)
    out = explain_segments(model, part, Vocabulary.of(model), Settings(applicable(model)))
    assert list(out.found["ig"].correlation) == ["head", "network"]
    assert out.found["ig"].explanation.details["error"].median() < 0.01


@pytest.mark.slow
def test_an_encoder_is_explained_by_all_methods(segments: Segments) -> None:
    torch.manual_seed(0)
    config = EncoderConfig(dim=16, heads=2, blocks=1)
    model = EncoderClassifier(config, 3, 0.5, meta={"labels": ["a", "b", "c"]}).eval()
    part = as_seen_by(model, [segments.indexes[0].take(np.arange(3))], segments.config)
    out = explain_segments(model, part, Vocabulary.of(model), Settings(METHODS, "blurred"))
    assert out.signal.shape[2:] == (64, 6) and out.found["ig"].explanation.score.shape[2:] == (4, 6)
    assert out.found["ig"].explanation.details["error"].median() < 0.01
    assert out.found["rollout"].explanation.score.shape[2:] == (1, 6), "every channel has tokens of its own"
    assert out.time[:, -1, -1].max() < part.seconds.max()
