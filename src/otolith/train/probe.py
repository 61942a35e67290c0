"""How well a plain classifier on frozen features tells activities apart, on people it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from otolith.data.loader import Windows
from otolith.models.saved import TextModel
from otolith.types import Batch


@torch.no_grad()
def embed_windows(model: TextModel, windows: Windows, function: Callable[[Batch], Tensor]) -> NDArray[np.float32]:
    """`function` (a method of `model`) over all windows, in order: [N, ...]."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    parts = [function(batch.to(device)).float().cpu().numpy() for batch, _ in windows.batches()]
    model.train(was_training)
    return np.concatenate(parts)


def probe_macro_f1(model: TextModel, reference: Windows, held_out: Windows, labels: Sequence[str]) -> float | None:
    """Macro-F1 over `labels` of a ridge classifier on frozen features.

    Args:
        model: Whose `features` are judged.
        reference: Labelled windows of training subjects.
        held_out: Labelled windows of other subjects.
        labels: Explicit class list; one that never occurs counts as zero.

    Returns:
        0 to 1; `None` where there is nothing to judge by.
    """
    classes = np.unique(reference.label)
    if len(classes) < 2 or not len(held_out):
        return None
    probe = make_pipeline(StandardScaler(), RidgeClassifier(alpha=10.0))
    probe.fit(embed_windows(model, reference, model.features), reference.label)
    predicted = probe.predict(embed_windows(model, held_out, model.features))
    return macro_f1(held_out.label, predicted, range(len(labels)))


def macro_f1(truth: ArrayLike, predicted: ArrayLike, classes: Iterable[int]) -> float:
    """Macro-F1 over an explicit list of class numbers; one that never occurs counts as zero."""
    return float(f1_score(truth, predicted, labels=list(classes), average="macro", zero_division=0))
