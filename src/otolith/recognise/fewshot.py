"""Three ways to learn from a handful of vectors: nearest example, class mean, ridge regression. Numbers only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SHARPNESS = 5.0
"""Factor on scores (cosines, or ridge outputs near 0 and 1) before a softmax; near the best for the likelihood of other
people's windows with 4 examples a class."""

PENALTY = 0.01
"""Of ridge regression with one example a class, as a share of the features' mean squared length; k examples a class
divide it by k. On SPAR, with features of an untrained encoder and other people's windows, it was near the best for k of
1, 4 and 16 alike."""


@dataclass(frozen=True)
class Method:
    """A way to learn from examples.

    Attributes:
        fit: Centred features [N, F], class numbers [N] and weights [N] to arrays by name.
        score: Centred features [N, F] and those arrays to scores [N, L].
        takes_words: Whether examples made from words belong among the others.
    """

    fit: Callable[[Floats, NDArray[np.intp], NDArray[np.float64]], dict[str, Floats]]
    score: Callable[[Floats, Mapping[str, Floats]], Floats]
    takes_words: bool = False


def unit(rows: Floats) -> Floats:
    """Each row at unit length; a zero stays zero."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12), dtype=np.float32)


def fit_nearest(features: Floats, number: NDArray[np.intp], weight: NDArray[np.float64]) -> dict[str, Floats]:
    """Keeps the examples at unit length, class after class, and how many each class has."""
    order = np.argsort(number, kind="stable")
    return {"examples": unit(features[order]), "counts": np.bincount(number).astype(np.float32)}


def score_nearest(features: Floats, arrays: Mapping[str, Floats]) -> Floats:
    """Cosine to the nearest example of each class."""
    first = np.r_[0, np.cumsum(arrays["counts"])[:-1]].astype(np.intp)
    cosines: Floats = np.maximum.reduceat(unit(features) @ arrays["examples"].T, first, axis=1)
    return cosines


def fit_prototype(features: Floats, number: NDArray[np.intp], weight: NDArray[np.float64]) -> dict[str, Floats]:
    """The weighted mean of each class, at unit length."""
    share = _shares(number, weight)
    return {"prototypes": unit(np.asarray(share.T @ features, dtype=np.float32))}


def score_prototype(features: Floats, arrays: Mapping[str, Floats]) -> Floats:
    """Cosine to each class's mean."""
    return unit(features) @ arrays["prototypes"].T


def fit_ridge(features: Floats, number: NDArray[np.intp], weight: NDArray[np.float64]) -> dict[str, Floats]:
    """Regression on class membership, each class counting alike, whatever its number of examples.

    Solved in the smaller of the two equal forms (N x N or F x F), so that it holds for one example as for thousands.
    """
    share = _shares(number, weight)
    root = np.sqrt(share.mean(axis=1, keepdims=True))  # squared, they sum to 1
    classes = share.shape[1]
    target = root * (np.eye(classes)[number] - 1 / classes)
    x = root * features.astype(np.float64)
    penalty = PENALTY * classes / len(x) * max(float((x**2).sum()), 1e-12)
    if len(x) <= x.shape[1]:
        solution = x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), target)
    else:
        solution = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ target)
    return {"weights": solution.astype(np.float32)}


def score_ridge(features: Floats, arrays: Mapping[str, Floats]) -> Floats:
    """Predicted membership of each class; it sums to one."""
    return np.asarray(features @ arrays["weights"] + 1 / arrays["weights"].shape[1], dtype=np.float32)


def _shares(number: NDArray[np.intp], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, L], each example's share of the weight of its class."""
    member = np.eye(number.max() + 1)[number] * weight[:, None]
    return np.asarray(member / member.sum(axis=0))


METHODS = {
    "ridge": Method(fit_ridge, score_ridge),
    "prototype": Method(fit_prototype, score_prototype, takes_words=True),
    "nearest": Method(fit_nearest, score_nearest),
}
