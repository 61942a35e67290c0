"""What differs is found, and what is not a number is never the same."""

from __future__ import annotations

import numpy as np
import pytest

from otolith.export.parity import FP32, INT8, Limits, Parity, ParityError, compare, require

LABELS = ["a", "b", "c"]


def both(change: float = 0.0, row: int = 0) -> Parity:
    reference = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    exported = reference.copy()
    exported[row, 1] += change
    return compare(reference, exported, (reference, exported), ["a", "b", "c", "b"], LABELS)


def test_the_same_is_the_same() -> None:
    found = both()
    assert (found.segments, found.max_difference, found.agreement, found.accuracy, found.change) == (4, 0, 1, 0.75, 0)
    require(found, FP32, "x")


def test_a_difference_is_measured() -> None:
    found = both(2.0, row=3)
    assert found.max_difference == pytest.approx(2) and found.mean_difference == pytest.approx(2 / 12)
    assert found.agreement == 0.75 and found.change == pytest.approx(0.25)  # it may well be right


@pytest.mark.parametrize(
    ("change", "limits", "word"),
    [
        (2e-4, FP32, "max-difference"),
        (2.0, INT8, "agreement"),
        (2.0, Limits(3.0, 0.999), "agreement"),
        (np.nan, INT8, "numbers"),
        (np.nan, FP32, "max-difference"),
        (np.inf, INT8, "numbers"),
    ],
)
def test_what_is_beyond_the_limits_is_refused(change: float, limits: Limits, word: str) -> None:
    with pytest.raises(ParityError, match=word):
        require(both(change), limits, "model.onnx")


def test_a_small_difference_passes() -> None:
    require(both(5e-5), FP32, "x")
    require(both(0.5), INT8, "x")


def test_no_number_agrees_with_nothing() -> None:
    assert both(np.nan).agreement == 0.75
