from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score

from otolith.data.channels import Channel
from otolith.data.store import Dataset
from otolith.data.windows import index_windows
from otolith.models.model import Otolith
from otolith.recognise.classifier import ActivityClassifier, standard_channels
from otolith.recognise.recogniser import Recogniser
from otolith.recognise.zeroshot import zero_shot
from otolith.types import ConfigError, DataError, UnitError

Data = tuple[np.ndarray, np.ndarray, np.ndarray, tuple[Channel, ...]]


@pytest.fixture(scope="session")
def data(spar_dataset: Dataset) -> Data:
    """Windows of the left wrist, exercise, subject, channels."""
    index = index_windows(spar_dataset, 4.0, 8.0)
    layout = spar_dataset.recordings["layout"].to_numpy()[index.recording]
    index = index.take(layout == layout[0])
    windows = spar_dataset.gather(index.recording, index.start, 200)
    return windows, index.label, index.subject, spar_dataset.channels(int(index.recording[0]))


def test_in_a_cross_validation_by_subject(model: Otolith, data: Data) -> None:
    windows, label, subject, channels = data
    classifier = ActivityClassifier(model, channels)
    scores = cross_val_score(classifier, windows, label, groups=subject, cv=GroupKFold(3))
    assert scores.mean() > 0.3  # seven exercises: chance is 0.14


def test_clones_share_the_model_and_nothing_learnt(model: Otolith, data: Data) -> None:
    windows, label, _, channels = data
    classifier = ActivityClassifier(model, channels, method="prototype").fit(windows[:60], label[:60])
    copy = clone(classifier)
    assert copy.get_params() == classifier.get_params() and copy.model is model
    assert not hasattr(copy, "classes_")
    assert copy.set_params(method="nearest").method == "nearest" and classifier.method == "prototype"


@pytest.mark.slow
def test_probabilities_follow_the_classes(model: Otolith, data: Data) -> None:
    windows, label, _, channels = data
    numbers = np.unique(label, return_inverse=True)[1] + 5  # 5 to 11: as text, 10 comes before 5
    by_word = ActivityClassifier(model, channels).fit(windows, label)
    by_number = ActivityClassifier(model, channels).fit(windows, numbers)
    assert by_number.classes_.tolist() == [5, 6, 7, 8, 9, 10, 11]
    np.testing.assert_allclose(by_number.predict_proba(windows), by_word.predict_proba(windows), atol=1e-4)
    assert by_word.score(windows, label) == by_number.score(windows, numbers) > 0.6
    assert set(by_word.predict(windows)) <= set(label)


def test_prompt_needs_no_examples(model: Otolith, data: Data) -> None:
    windows, _, _, channels = data
    labels = ["walking", "shoulder abduction"]
    classifier = ActivityClassifier(model, channels).prompt(labels)
    assert classifier.classes_.tolist() == labels
    vectors, _ = Recogniser(model).embed_windows(windows[:5], channels, 50.0)
    np.testing.assert_allclose(classifier.predict_proba(windows[:5]), zero_shot(model, vectors, labels), atol=1e-6)
    assert set(classifier.predict(windows[:5])) <= set(labels)


@pytest.mark.slow
def test_names_of_classes_can_count(model: Otolith, data: Data) -> None:
    windows, label, _, channels = data
    plain = ActivityClassifier(model, channels).fit(windows, label)
    told = ActivityClassifier(model, channels, text_weight=1e6).fit(windows, label)
    prompted = ActivityClassifier(model, channels).prompt(told.classes_.tolist())
    assert (told.predict(windows) == prompted.predict(windows)).mean() > 0.95
    assert (told.predict(windows) == plain.predict(windows)).mean() < 0.6


def test_takes_a_checkpoint(model: Otolith, data: Data, tmp_path: Path) -> None:
    windows, label, _, channels = data
    model.save(tmp_path / "model.safetensors")
    stored = ActivityClassifier(tmp_path, channels).fit(windows[:80], label[:80])
    held = ActivityClassifier(model, channels).fit(windows[:80], label[:80])
    np.testing.assert_allclose(stored.predict_proba(windows[:9]), held.predict_proba(windows[:9]), atol=1e-5)


def test_standard_layouts() -> None:
    channels = standard_channels("acc+gyro", "left wrist")
    assert [c.name for c in channels] == ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]
    assert channels[0].gravity is True and channels[3].description == "gyroscope x axis, sensor at the left wrist"
    for layout in ("acc+acc", "acc,gyro", "emg", ""):
        with pytest.raises(ConfigError, match="no standard layout"):
            standard_channels(layout, "waist")


def test_unusable_input_is_refused(model: Otolith, data: Data) -> None:
    windows, label, _, _ = data
    windows, label = windows[:40], label[:40]
    classifier = ActivityClassifier(model, "acc+gyro", placement="left wrist")
    cases: list[tuple[object, object, str]] = [
        (windows[0], label, r"shape \[200, 6\]; give \[windows, samples, 6\]"),
        (windows[..., :3], label, "a column for each of acc_x"),
        (windows[:0], label[:0], "shape"),
        (np.where(np.arange(40)[:, None, None] == 7, np.nan, windows), label, "window 7 has missing"),
        (windows, label[:5], "40 windows but classes of shape"),
        (windows, ["same"] * 40, "two different"),
        (windows[:, :30], label, "shorter than one patch"),
        ([["walking"]], ["a"], "no array of numbers"),
    ]
    for x, y, sentence in cases:
        with pytest.raises(DataError, match=sentence):
            classifier.fit(x, y)
    with pytest.raises(UnitError, match="give the unit as g"):
        classifier.fit(windows / 9.80665, label)
    with pytest.raises(ConfigError, match="give an Otolith model"):
        ActivityClassifier(3).fit(windows, label)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no enrolment method"):
        ActivityClassifier(model, method="svm").fit(windows, label)
