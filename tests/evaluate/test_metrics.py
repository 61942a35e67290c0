from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, precision_score, recall_score

from otolith.evaluate.metrics import confusion, scores, subject_interval
from otolith.types import DataError

CLASSES = ["walk", "sit", "run", "never"]


@pytest.fixture
def labels() -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(4)
    truth = [CLASSES[i] for i in rng.integers(0, 3, 300)]
    predicted = [t if rng.random() < 0.6 else CLASSES[rng.integers(0, 4)] for t in truth]
    return truth, predicted


def test_all_scores_equal_sklearns_over_the_fixed_class_list(labels: tuple[list[str], list[str]]) -> None:
    truth, predicted = labels
    found = scores(truth, predicted, CLASSES)
    fixed = {"labels": CLASSES, "zero_division": 0}
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro", **fixed))
    assert found["micro_f1"] == pytest.approx(f1_score(truth, predicted, average="micro", **fixed))
    assert found["precision"] == pytest.approx(precision_score(truth, predicted, average="macro", **fixed))
    assert found["recall"] == pytest.approx(recall_score(truth, predicted, average="macro", **fixed))
    assert found["kappa"] == pytest.approx(cohen_kappa_score(truth, predicted))
    each = f1_score(truth, predicted, average=None, **fixed)
    assert [found[f"f1/{name}"] for name in CLASSES] == pytest.approx(list(each))
    assert list(found)[-4:] == [f"f1/{name}" for name in CLASSES]


def test_by_hand_with_an_absent_class_and_an_abstention() -> None:
    found = scores(["a", "a", "b", "b"], ["a", "unknown", "b", "a"], ["a", "b", "c"])
    # a: 1 hit, 1 false alarm, 1 miss -> 1/2. b: 1 hit, 1 miss -> 2/3. c: 0.
    assert found["f1/a"] == pytest.approx(1 / 2)
    assert found["f1/b"] == pytest.approx(2 / 3)
    assert found["f1/c"] == 0
    assert found["macro_f1"] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert found["accuracy"] == 0.5
    # 2 hits among 3 predictions that name a class, of 4 windows.
    assert found["micro_f1"] == pytest.approx(2 * 2 / (3 + 4))
    # Agreement 1/2; by chance (2/4)(2/4) + (2/4)(1/4) = 3/8.
    assert found["kappa"] == pytest.approx((1 / 2 - 3 / 8) / (1 - 3 / 8))


def test_one_class_throughout_has_no_kappa_and_no_warning() -> None:
    found = scores(["a", "a"], ["a", "a"], ["a", "b"])
    assert (found["kappa"], found["accuracy"], found["macro_f1"]) == (0.0, 1.0, 0.5)


def test_confusion_counts_outside_predictions_in_its_last_column() -> None:
    matrix = confusion(["a", "a", "b", "b"], ["a", "unknown", "a", "b"], ["a", "b"])
    assert matrix.tolist() == [[1, 0, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("truth", "classes", "sentence"),
    [
        (["x"], ["a"], "'x' is not among"),
        (["a"], ["a", "b", "a"], "'a' is listed twice"),
        ([], ["a"], "nothing to score"),
    ],
)
def test_what_cannot_be_scored_is_said(truth: list[str], classes: list[str], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        scores(truth, ["a"] * len(truth), classes)


def test_unequal_lengths_are_a_programming_error() -> None:
    with pytest.raises(ValueError, match="1 true labels for 2"):
        scores(["a"], ["a", "a"], ["a"])


def test_interval_is_about_people_not_windows() -> None:
    # One of four people is all wrong: windows are many, people are few, so the interval is wide.
    truth = ["a", "b"] * 200
    subjects = [str(i // 100) for i in range(400)]
    predicted = [("b" if t == "a" else "a") if s == "3" else t for t, s in zip(truth, subjects, strict=True)]
    low, high = subject_interval(truth, predicted, subjects, ["a", "b"], metric="accuracy")
    # The wrong person is drawn 0 to 4 times of 4 with probability binomial(4, 1/4): 2.5 % and 97.5 % are 3 and 0 times.
    assert (low, high) == (0.25, 1.0)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_interval_of_one_person_is_the_score(labels: tuple[list[str], list[str]], metric: str) -> None:
    truth, predicted = labels
    predicted[:9] = ["unknown"] * 9
    both = subject_interval(truth, predicted, ["p"] * len(truth), CLASSES, metric=metric, draws=20)
    assert both == pytest.approx([scores(truth, predicted, CLASSES)[metric]] * 2)


def test_interval_repeats_with_its_seed(labels: tuple[list[str], list[str]]) -> None:
    truth, predicted = labels
    subjects = [str(i % 7) for i in range(len(truth))]
    first = subject_interval(truth, predicted, subjects, CLASSES, seed=1)
    assert first == subject_interval(truth, predicted, subjects, CLASSES, seed=1)
    assert first != subject_interval(truth, predicted, subjects, CLASSES, seed=2)
    assert first[0] < scores(truth, predicted, CLASSES)["macro_f1"] < first[1]
