"""Logistic regression and a random forest on simple statistics of each window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from otolith.evaluate.baselines.protocol import check_training
from otolith.types import DataError

BANDS = 10
"""Frequency bands, equally wide on a logarithmic scale from the first bin to half the sampling rate."""


class OnStatistics:
    """A scikit-learn classifier on `statistics`.

    Args:
        triads: Columns (x, y, z) of each three-axis sensor, whose magnitude is a further channel.
    """

    name: str

    def __init__(self, triads: Sequence[tuple[int, int, int]] = ()) -> None:
        self.triads = tuple(triads)

    def _untrained(self) -> ClassifierMixin:
        raise NotImplementedError

    def fit(self, windows: NDArray[np.floating], labels: Sequence[str]) -> Self:
        """Learns from windows [N, T, C].

        Raises:
            DataError: Fewer than two classes.
        """
        check_training(windows, labels)
        if len(set(labels)) < 2:
            raise DataError(f"all training windows are '{labels[0]}': give windows of at least two classes")
        self._model: Any = self._untrained()
        self._model.fit(statistics(windows, self.triads), np.asarray(labels))
        return self

    def predict(self, windows: NDArray[np.floating]) -> list[str]:
        """The likeliest label of each of `windows` [N, T, C]."""
        return [str(label) for label in self._model.predict(statistics(windows, self.triads))]


class LogisticOnStatistics(OnStatistics):
    """Multinomial logistic regression, the statistics standardised with the training set's mean and spread.

    Args:
        triads: As in `OnStatistics`.
        strength: Inverse regularisation (`C` of scikit-learn).
    """

    name = "logistic-on-statistics"

    def __init__(self, triads: Sequence[tuple[int, int, int]] = (), strength: float = 1.0) -> None:
        super().__init__(triads)
        self.strength = strength

    def _untrained(self) -> ClassifierMixin:
        return make_pipeline(StandardScaler(), LogisticRegression(C=self.strength, max_iter=3000))


class RandomForest(OnStatistics):
    """A random forest of 500 trees (Breiman 2001, Machine Learning 45).

    Args:
        triads: As in `OnStatistics`.
        seed: Draws the windows and statistics of each tree.
    """

    name = "random-forest"

    def __init__(self, triads: Sequence[tuple[int, int, int]] = (), seed: int = 0) -> None:
        super().__init__(triads)
        self.seed = seed

    def _untrained(self) -> ClassifierMixin:
        return RandomForestClassifier(500, random_state=self.seed)


def statistics(windows: NDArray[np.floating], triads: Sequence[tuple[int, int, int]] = ()) -> NDArray[np.float64]:
    """Features of each window: of its channels, and of the magnitude of each triad.

    For each: mean, deviation, least, greatest, quartiles, energy, mean absolute step, rates of zero and mean crossings,
    log power in `BANDS` frequency bands, the strongest frequency (as a fraction of the sampling rate) and the entropy
    of the spectrum. Missing samples take the mean of the channel's other samples in the window, or 0 if there are none.

    Args:
        windows: [N, T, C] with T of at least 4.
        triads: Columns (x, y, z) of each three-axis sensor.

    Returns:
        float64 [N, (C + len(triads)) * F].
    """
    filled = fill(windows.astype(np.float64))
    magnitudes = [np.linalg.norm(filled[:, :, list(triad)], axis=2, keepdims=True) for triad in triads]
    x = np.concatenate([filled, *magnitudes], axis=2)
    return np.concatenate([_over_time(x), _over_frequency(x)], axis=1).reshape(len(x), -1)


def fill(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Windows [N, T, C] with each missing sample (NaN) at the mean of its channel in its window, 0 where all are."""
    present = np.isfinite(windows)
    total = np.where(present, windows, 0).sum(axis=1, keepdims=True)
    mean = total / np.maximum(present.sum(axis=1, keepdims=True), 1)
    return np.where(present, windows, mean)


def _over_time(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, T, C] -> [N, F, C]."""
    mean = x.mean(axis=1, keepdims=True)
    q25, median, q75 = np.quantile(x, [0.25, 0.5, 0.75], axis=1)
    return np.stack(
        [
            mean[:, 0],
            x.std(axis=1),
            x.min(axis=1),
            x.max(axis=1),
            q25,
            median,
            q75,
            (x**2).mean(axis=1),
            np.abs(np.diff(x, axis=1)).mean(axis=1),
            _crossings(x),
            _crossings(x - mean),
        ],
        axis=1,
    )


def _crossings(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the steps that change sign: [N, T, C] -> [N, C]."""
    return np.asarray((np.signbit(x[:, 1:]) != np.signbit(x[:, :-1])).mean(axis=1), dtype=np.float64)


def _over_frequency(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, T, C] -> [N, F, C]."""
    samples = x.shape[1]
    taper = np.hanning(samples)[:, None]
    power = np.abs(np.fft.rfft((x - x.mean(axis=1, keepdims=True)) * taper, axis=1)) ** 2
    power = power[:, 1:] / (taper**2).sum()
    edges = np.unique(np.geomspace(1, power.shape[1] + 1, BANDS + 1).round().astype(int)) - 1
    bands = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-6)
    share = power / np.maximum(power.sum(axis=1, keepdims=True), 1e-12)
    entropy = -(share * np.log(share + 1e-12)).sum(axis=1, keepdims=True) / np.log(power.shape[1])
    strongest = (power.argmax(axis=1, keepdims=True) + 1) / samples
    return np.concatenate([bands, strongest, entropy], axis=1)
