"""Whether an exported model says what the model in PyTorch says, on people whom neither has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otolith.types import OtolithError

Floats = NDArray[np.float32]


class ParityError(OtolithError):
    """An exported model that says other things than the model that it was made from."""


@dataclass(frozen=True)
class Limits:
    """What an export must keep to.

    Attributes:
        difference: Largest absolute difference of any output; None where precision is given up on purpose.
        agreement: Smallest share of the segments with the same label.
    """

    difference: float | None
    agreement: float


FP32 = Limits(1e-4, 0.999)
INT8 = Limits(None, 0.99)


@dataclass(frozen=True)
class Parity:
    """What was measured.

    Attributes:
        segments: Their number.
        max_difference: Of the outputs, absolute.
        mean_difference: Of the outputs, absolute.
        agreement: Share of the segments with the same label.
        accuracy: Of PyTorch.
        exported_accuracy: Of the exported model.
    """

    segments: int
    max_difference: float
    mean_difference: float
    agreement: float
    accuracy: float
    exported_accuracy: float

    @property
    def change(self) -> float:
        """What the export did to the accuracy."""
        return self.exported_accuracy - self.accuracy


def compare(
    reference: Floats, exported: Floats, scores: tuple[Floats, Floats], truth: Sequence[str], labels: Sequence[str]
) -> Parity:
    """Compares outputs and the labels that follow from them.

    Args:
        reference: [N, ...] outputs of PyTorch.
        exported: [N, ...] outputs of the exported model.
        scores: [N, L] class scores by both.
        truth: [N].
        labels: L.
    """
    names = np.array(labels, np.str_)
    said, again = (names[score.argmax(1)] for score in scores)
    # Not a number is no agreement: argmax would take it for the first class.
    finite = np.isfinite(exported.reshape(len(exported), -1)).all(axis=1)
    difference = np.abs(reference.astype(np.float64) - exported)
    return Parity(
        len(reference),
        float(difference.max()),
        float(difference.mean()),
        float(((said == again) & finite).mean()),
        float((said == np.asarray(truth)).mean()),
        float(((again == np.asarray(truth)) & finite).mean()),
    )


def require(parity: Parity, limits: Limits, what: str) -> None:
    """Looks whether an export keeps to its limits.

    Raises:
        ParityError: It does not, or an output is not a number.
    """
    allowed = np.inf if limits.difference is None else limits.difference
    if not (parity.max_difference <= allowed and np.isfinite(parity.max_difference)):
        bound = "must be numbers" if limits.difference is None else f"may be {allowed:g}"
        raise ParityError(
            f"{what} is refused and was not written: its outputs differ from PyTorch's by up to "
            f"{parity.max_difference:.3g} and {bound} (--max-difference)"
        )
    if not parity.agreement >= limits.agreement:
        raise ParityError(
            f"{what} is refused and was not written: it names the same activity as PyTorch for "
            f"{100 * parity.agreement:.2f} % of {parity.segments} segments, at least {100 * limits.agreement:g} % are "
            "needed (--agreement)"
        )
