"""Abstention: what a model is not sure of it calls `unknown`.

A threshold belongs to the labels it was calibrated for. It rejects windows that lie between those labels; motion of
another kind it does not find. On the demo's model, windows of other people doing exercises that it was never trained on
scored as high as those of the exercises that it knows: the area under the ROC curve was 0.50 for the cosine to the
nearest label, 0.49 for the probability and 0.52 for the margin. So no score serves any set of labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otolith.data.labels import resolve
from otolith.models.calibration import calibrate
from otolith.models.saved import TextModel
from otolith.types import CheckpointError, ConfigError

UNKNOWN = "unknown"
"""What a window is called whose most probable activity is not probable enough."""


@dataclass(frozen=True)
class Threshold:
    """How a model's beliefs are to be read.

    Attributes:
        temperature: By which class scores are divided before the softmax.
        threshold: Smallest probability that counts as an answer.
    """

    temperature: float = 1.0
    threshold: float = 0.0

    @classmethod
    def of(cls, model: TextModel) -> Threshold:
        """What held-out people taught about this model; without it nothing is rescaled or rejected.

        Raises:
            CheckpointError: The checkpoint's calibration is not usable.
        """
        stored = model.meta.get("calibration") or {}
        try:
            found = cls(float(stored.get("temperature", 1.0)), float(stored.get("threshold", 0.0)))
        except (AttributeError, TypeError, ValueError) as error:
            raise CheckpointError(f"the model's calibration is damaged ({stored}): run align again") from error
        if not (found.temperature > 0 and 0 <= found.threshold <= 1):
            raise CheckpointError(f"the model's calibration is out of range ({stored}): run align again")
        return found


def label_threshold(model: TextModel, labels: Sequence[str]) -> float:
    """The threshold on the probabilities of these labels, given in words.

    Raises:
        CheckpointError: The checkpoint's calibration is not usable.
        ConfigError: These are not the labels of training, or nobody was held out to calibrate on.
    """
    if {resolve(label) for label in labels} != {resolve(label) for label in model.meta.get("labels", ())}:
        raise ConfigError(
            "the threshold for unknown was calibrated for the labels of training and does not carry over to others: "
            "leave out the labels, or do without --abstain, or enrol examples of these activities"
        )
    if not model.meta.get("calibration"):
        raise ConfigError("the model has no threshold for unknown, as no labelled people were held out in its training")
    return Threshold.of(model).threshold


def abstain(probabilities: NDArray[np.floating], labels: Sequence[str], threshold: float) -> NDArray[np.str_]:
    """The most probable label of each row [N], or `unknown` where its probability is below the threshold.

    Args:
        probabilities: [N, L].
        labels: L names.
        threshold: For example `Threshold.of(model).threshold`.
    """
    names = np.array(labels, dtype=np.str_)[probabilities.argmax(axis=1)]
    return np.where(probabilities.max(axis=1) < threshold, UNKNOWN, names).astype(np.str_)


__all__ = ["UNKNOWN", "Threshold", "abstain", "calibrate", "label_threshold"]
