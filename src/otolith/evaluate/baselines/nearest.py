"""The label of the most similar training window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from otolith.evaluate.baselines.protocol import check_training


class NearestRawWindow:
    """One nearest neighbour on raw windows, Euclidean, each channel z-scored with the training set's statistics.

    A missing sample is taken to be the channel's training mean.
    """

    name = "nearest-raw-window"

    def fit(self, windows: NDArray[np.floating], labels: Sequence[str]) -> Self:
        """Keeps the training windows [N, T, C]."""
        check_training(windows, labels)
        present = np.isfinite(windows)
        count = np.maximum(present.sum(axis=(0, 1)), 1)
        self._mean = np.where(present, windows, 0).sum(axis=(0, 1), dtype=np.float64) / count
        spread = np.where(present, windows - self._mean, 0)
        deviation = np.sqrt((spread**2).sum(axis=(0, 1)) / count)
        self._deviation = np.where(deviation > 0, deviation, 1.0)
        self._model = KNeighborsClassifier(n_neighbors=1, algorithm="brute")
        self._model.fit(self._flat(windows), np.asarray(labels))
        return self

    def predict(self, windows: NDArray[np.floating]) -> list[str]:
        """The nearest training window's label for each of `windows` [N, T, C]."""
        return [str(label) for label in self._model.predict(self._flat(windows))]

    def _flat(self, windows: NDArray[np.floating]) -> NDArray[np.float32]:
        scaled = np.nan_to_num((windows - self._mean) / self._deviation, nan=0.0)
        return np.asarray(scaled.reshape(len(windows), -1), dtype=np.float32)
