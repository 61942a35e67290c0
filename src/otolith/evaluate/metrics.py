"""Scores over a fixed list of classes, and their uncertainty over subjects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score, precision_recall_fscore_support

from otolith.types import DataError


def scores(truth: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> dict[str, float]:
    """The scores of one set of predictions, as fractions from 0 to 1 (kappa from -1 to 1).

    The class list is given and never taken from the data, so that two runs are comparable:

    - A class that never occurs in `truth` has an F1, precision and recall of 0 and counts in the macro means.
    - A prediction outside `classes` (an abstention such as `unknown`) is a miss of the true class: it lowers accuracy
      and recall, and is no false alarm of any class. So micro-F1 equals accuracy unless there are abstentions.
    - Kappa (Cohen 1960) counts all predictions outside `classes` as one further category. It is 0 where truth and
      predictions are one and the same class throughout, because agreement by chance is then complete.

    Returns:
        `accuracy`, `macro_f1`, `micro_f1`, `precision` and `recall` (macro means), `kappa`, and `f1/<class>` for each
        class in the order given.

    Raises:
        DataError: Nothing to score, a repeated class, or a true label outside `classes`.
    """
    true, guess = _encode(truth, predicted, classes)
    labels = np.arange(len(classes))
    precision, recall, f1, _ = precision_recall_fscore_support(true, guess, labels=labels, zero_division=0)
    micro = f1_score(true, guess, labels=labels, average="micro", zero_division=0)
    one_class = np.unique(np.concatenate([true, guess])).size == 1
    kappa = 0.0 if one_class else cohen_kappa_score(true, guess, labels=np.arange(len(classes) + 1))
    found = {
        "accuracy": float(np.mean(true == guess)),
        "macro_f1": float(np.mean(f1)),
        "micro_f1": float(micro),
        "precision": float(np.mean(precision)),
        "recall": float(np.mean(recall)),
        "kappa": float(kappa),
    }
    return found | {f"f1/{name}": float(value) for name, value in zip(classes, f1, strict=True)}


def confusion(truth: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Counts of windows by true class (row) and predicted class (column).

    Returns:
        int64 [L, L + 1] for L classes; the last column counts predictions outside `classes`.

    Raises:
        DataError: As `scores`.
    """
    true, guess = _encode(truth, predicted, classes)
    return _counts(true, guess, len(classes))


def subject_interval(
    truth: Sequence[str],
    predicted: Sequence[str],
    subjects: Sequence[str],
    classes: Sequence[str],
    metric: str = "macro_f1",
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval over subjects (Efron & Tibshirani 1993, chapter 13).

    Windows of one person are alike, so people are drawn with replacement, each with all windows. With a handful of
    subjects the interval is a rough, rather too narrow, guide. With one subject both ends equal the score.

    Args:
        metric: `accuracy` or `macro_f1`.
        draws: Number of resampled groups of people.
        level: Share of the draws between the two ends.

    Returns:
        The lower and the upper end.

    Raises:
        DataError: As `scores`.
    """
    if metric not in ("accuracy", "macro_f1"):
        raise ValueError(f"metric must be accuracy or macro_f1, not {metric!r}")
    true, guess = _encode(truth, predicted, classes)
    if len(subjects) != len(true):
        raise ValueError(f"{len(subjects)} subjects for {len(true)} predictions")
    people, who = np.unique(np.asarray(subjects), return_inverse=True)
    counts = np.stack([_counts(true[who == i], guess[who == i], len(classes)) for i in range(len(people))])
    chosen = np.random.default_rng(seed).multinomial(len(people), np.full(len(people), 1 / len(people)), size=draws)
    drawn = np.einsum("ds,sij->dij", chosen, counts)
    values = accuracy_of(drawn) if metric == "accuracy" else macro_f1_of(drawn)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _encode(
    truth: Sequence[str], predicted: Sequence[str], classes: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels as positions in `classes`; predictions outside it become `len(classes)`."""
    if len(truth) != len(predicted):
        raise ValueError(f"{len(truth)} true labels for {len(predicted)} predictions")
    if not len(truth):
        raise DataError("there is nothing to score: no window has both a true label and a prediction")
    index = {name: i for i, name in enumerate(classes)}
    if len(index) != len(classes):
        twice = next(name for i, name in enumerate(classes) if index[name] != i)
        raise DataError(f"class '{twice}' is listed twice; list each class once")
    outside = sorted(set(truth) - set(index))
    if outside:
        known = ", ".join(classes)
        raise DataError(f"true label '{outside[0]}' is not among the classes {known}; add it or leave it out")
    true = np.array([index[name] for name in truth], dtype=np.int64)
    guess = np.array([index.get(name, len(classes)) for name in predicted], dtype=np.int64)
    return true, guess


def _counts(true: NDArray[np.int64], guess: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = confusion_matrix(true, guess, labels=np.arange(n + 1))[:n].astype(np.int64)
    return counts


def accuracy_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Accuracy [N] of each table of counts [N, L, L + 1] (`confusion`); each must hold something."""
    hits = np.trace(counts[:, :, :-1], axis1=1, axis2=2)
    return np.asarray(hits / counts.sum(axis=(1, 2)), dtype=np.float64)


def macro_f1_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Macro-F1 [N] of each table [N, L, L + 1]. F1 = 2 TP / (true + predicted), 0 for a class that is neither."""
    hits = np.diagonal(counts[:, :, :-1], axis1=1, axis2=2)
    both = counts.sum(axis=2) + counts[:, :, :-1].sum(axis=1)
    f1 = np.divide(2 * hits, both, out=np.zeros(hits.shape), where=both > 0)
    return np.asarray(f1.mean(axis=1), dtype=np.float64)


def chance(truth: Sequence[str], classes: Sequence[str]) -> dict[str, float]:
    """Expected accuracy and macro-F1 of guessing each class equally often, whatever the window.

    Args:
        truth: Labels, each one of `classes`.
        classes: The explicit class list, L labels.

    Returns:
        `accuracy` 1/L, and `macro_f1` from each class's precision (its share of the windows) and recall (1/L).
    """
    guess = 1 / len(classes)
    share = [list(truth).count(label) / max(len(truth), 1) for label in classes]
    return {"accuracy": guess, "macro_f1": sum(2 * p * guess / (p + guess) for p in share) / len(classes)}
