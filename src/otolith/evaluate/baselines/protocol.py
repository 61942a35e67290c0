"""What a control can do, and the simplest one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from otolith.types import DataError


class Baseline(Protocol):
    """A classifier of whole windows [N, T, C]; NaN marks missing samples."""

    @property
    def name(self) -> str:
        """The model's name in results."""

    def fit(self, windows: NDArray[np.floating], labels: Sequence[str]) -> Self:
        """Learns from labelled windows."""

    def predict(self, windows: NDArray[np.floating]) -> list[str]:
        """One label for each window."""


def check_training(windows: NDArray[np.floating], labels: Sequence[str]) -> None:
    """Refuses what no classifier can learn from.

    Raises:
        DataError: No windows.
        ValueError: The shapes do not belong together.
    """
    if windows.ndim != 3 or len(windows) != len(labels):
        raise ValueError(f"windows are [N, T, C] with N labels, not {list(windows.shape)} with {len(labels)} labels")
    if not len(labels):
        raise DataError("a control needs windows to learn from: give at least one labelled window")


class Majority:
    """Always the commonest training label (the first in the alphabet of several): the floor."""

    name = "majority"

    def fit(self, windows: NDArray[np.floating], labels: Sequence[str]) -> Self:
        """Counts the labels."""
        check_training(windows, labels)
        counts = Counter(labels)
        self._label = min(counts, key=lambda label: (-counts[label], label))
        return self

    def predict(self, windows: NDArray[np.floating]) -> list[str]:
        """The commonest label, once for each window."""
        return [self._label] * len(windows)
