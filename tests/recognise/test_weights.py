"""The weights that come with the package."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otolith.data.recording import Recording
from otolith.data.store import Dataset
from otolith.models.model import Otolith
from otolith.recognise.recogniser import Recogniser
from otolith.recognise.zeroshot import zero_shot
from otolith.types import CheckpointError


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


def at_rest(recording: Recording) -> Recording:
    return replace(recording, signal=np.tile(recording.signal.mean(0), (len(recording.signal), 1)))
