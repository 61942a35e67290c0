from __future__ import annotations

import numpy as np
import pytest
import torch

from otolith.data.labels import group_of, sentences
from otolith.models.model import Otolith
from otolith.recognise.calibrate import UNKNOWN, Threshold, abstain, label_threshold
from otolith.recognise.enrol import TextPrior
from otolith.recognise.zeroshot import check_labels, open_set, unlearnt, zero_shot
from otolith.types import CheckpointError, ConfigError, DataError

LABELS = ["walking", "jogging", "running", "sitting", "lying"]


@pytest.fixture
def vectors(model: Otolith) -> np.ndarray:
    """Windows that lie where the words for the first four labels lie."""
    return model.prototypes([sentences(label) for label in LABELS[:4]])[:, 0].numpy()


@pytest.fixture
def calibrated(model: Otolith) -> Otolith:
    copy = Otolith(model.encoder.config, texts=model.texts, meta={**model.meta, "labels": LABELS})
    copy.load_state_dict(model.state_dict())
    copy.meta["calibration"] = {"temperature": 2.0, "threshold": 0.4}
    return copy


def test_finds_the_words_that_a_window_lies_at(model: Otolith, vectors: np.ndarray) -> None:
    probabilities = zero_shot(model, vectors, LABELS)
    assert probabilities.argmax(1).tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    swapped = zero_shot(model, vectors, LABELS[::-1])
    np.testing.assert_allclose(swapped, probabilities[:, ::-1], atol=1e-5)


def test_activities_that_were_never_shown_are_told_apart(calibrated: Otolith) -> None:
    asked = ["Walking", "strolling", "bent over row", "my move", "climbing stairs"]
    assert unlearnt(calibrated, asked) == ["bent over row", "my move", "climbing stairs"]
    calibrated.meta["labels"] = ["walking on a treadmill"]  # a kind of walking
    assert unlearnt(calibrated, ["walking", "jogging"]) == ["jogging"]


def test_is_the_softmax_of_the_models_scores(model: Otolith, calibrated: Otolith, vectors: np.ndarray) -> None:
    prototypes = model.prototypes([sentences(label) for label in LABELS])
    logits = model.logits(torch.from_numpy(vectors), prototypes).detach()
    np.testing.assert_allclose(zero_shot(model, vectors, LABELS), logits.softmax(-1).numpy(), atol=1e-6)
    np.testing.assert_allclose(zero_shot(calibrated, vectors, LABELS), (logits / 2).softmax(-1).numpy(), atol=1e-6)


def test_words_outside_the_vocabulary_are_read(model: Otolith, vectors: np.ndarray) -> None:
    probabilities = zero_shot(model, vectors[:1], ["strolling through a park", "repairing a watch"])
    assert probabilities[0, 0] > probabilities[0, 1]  # the window lies at walking


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([], "no label is given; name at least two"),
        (["walking"], "only the label 'walking' is given"),
        (["walking", " "], "label 2 of 2 is empty"),
        (["walking", "Walking", "sitting"], "name the same activity"),
        (["walking", "walk"], "labels 'walking' and 'walk' name the same activity"),
        (["sitting", "sitting "], "label 'sitting' is given twice"),
        ("walking, sitting", "give a list with one text for each"),
    ],
)
def test_unusable_labels_are_refused(labels: list[str], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        check_labels(labels)


def test_open_set_adds_up_by_group(calibrated: Otolith, vectors: np.ndarray) -> None:
    found = open_set(calibrated, vectors)
    assert found.labels == tuple(LABELS) and found.groups == ("lying", "running", "sitting", "walking")
    assert found.label.tolist() == LABELS[:4]
    assert found.group.tolist() == ["walking", "running", "running", "sitting"]
    for column, group in enumerate(found.groups):
        members = [LABELS.index(label) for label in LABELS if group_of(label) == group]
        np.testing.assert_allclose(
            found.group_probabilities[:, column], found.probabilities[:, members].sum(1), atol=1e-6
        )
    narrow = open_set(calibrated, vectors, ["walking", "lying"])
    assert narrow.labels == ("walking", "lying")


def test_open_set_needs_something_to_choose_from(model: Otolith, vectors: np.ndarray) -> None:
    with pytest.raises(DataError, match="no label is given"):
        open_set(model, vectors)


def test_abstains_below_the_threshold() -> None:
    probabilities = np.array([[0.6, 0.4], [0.45, 0.55], [0.5, 0.5]])
    assert abstain(probabilities, ["a", "b"], 0.56).tolist() == ["a", UNKNOWN, UNKNOWN]
    assert abstain(probabilities, ["a", "b"], 0.0).tolist() == ["a", "b", "a"]


def test_calibration_travels_with_the_model(model: Otolith, calibrated: Otolith) -> None:
    assert Threshold.of(model) == Threshold(1.0, 0.0)
    assert Threshold.of(calibrated) == Threshold(2.0, 0.4)
    for damage in ({"temperature": "hot"}, {"temperature": -1.0}, {"threshold": 2}, [1, 2]):
        calibrated.meta["calibration"] = damage
        with pytest.raises(CheckpointError, match="run align again"):
            Threshold.of(calibrated)


@pytest.mark.parametrize("stage", ["pretrain", None])
def test_a_model_that_has_not_learnt_words_is_not_asked(model: Otolith, vectors: np.ndarray, stage: str | None) -> None:
    meta = {**model.meta, "labels": LABELS, "stage": stage}
    untaught = Otolith(model.encoder.config, texts=model.texts, meta=meta)
    for ask in (
        lambda: zero_shot(untaught, vectors, LABELS),
        lambda: open_set(untaught, vectors),
        lambda: TextPrior.of(untaught, LABELS),
    ):
        with pytest.raises(CheckpointError, match="run otolith align first"):
            ask()


def test_a_threshold_is_of_its_labels(model: Otolith, calibrated: Otolith) -> None:
    assert label_threshold(calibrated, LABELS) == 0.4
    assert label_threshold(calibrated, ["Walk", *LABELS[:0:-1]]) == 0.4  # the same in other words and order
    for others in (LABELS[:3], [*LABELS, "cycling"], ["cycling", "rowing"]):
        with pytest.raises(ConfigError, match="labels of training and does not carry over"):
            label_threshold(calibrated, others)
    del calibrated.meta["calibration"]
    with pytest.raises(ConfigError, match="has no threshold"):
        label_threshold(calibrated, LABELS)
