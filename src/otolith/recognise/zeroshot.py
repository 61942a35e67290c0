"""Activities by their names alone: nothing of the user's data is learnt from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from otolith.data.labels import group_of, resolve, sentences, with_general
from otolith.models.saved import TextModel
from otolith.recognise.calibrate import Threshold
from otolith.types import DataError


@dataclass(frozen=True)
class OpenSet:
    """Beliefs about windows among everything that a model may know.

    Attributes:
        labels: L activities.
        groups: G kinds of motion, sorted.
        probabilities: float32 [N, L].
        group_probabilities: float32 [N, G], the sum over the labels of each group.
        label: [N] the most probable activity.
        group: [N] the group of that activity.
    """

    labels: tuple[str, ...]
    groups: tuple[str, ...]
    probabilities: NDArray[np.float32]
    group_probabilities: NDArray[np.float32]
    label: NDArray[np.str_]
    group: NDArray[np.str_]


def check_labels(labels: Iterable[str]) -> list[str]:
    """The labels to choose among, tidied, in their order.

    Any words will do; those that the vocabulary does not know are read by the text encoder.

    Raises:
        DataError: Fewer than two labels, an empty one, or two that name the same activity.
    """
    if isinstance(labels, str):
        raise DataError(f"the labels are one text, '{labels}'; give a list with one text for each activity")
    tidy = [str(label).strip() for label in labels]
    seen: dict[str, str] = {}
    for number, label in enumerate(tidy, start=1):
        if not resolve(label):
            raise DataError(f"label {number} of {len(tidy)} is empty; name an activity in words or leave it out")
        first = seen.setdefault(resolve(label), label)
        if len(seen) < number:
            raise DataError(
                f"label '{label}' is given twice; leave one out"
                if first == label
                else f"labels '{first}' and '{label}' name the same activity; leave one out"
            )
    if len(tidy) < 2:
        given = f"only the label '{tidy[0]}' is given" if tidy else "no label is given"
        raise DataError(f"{given}; name at least two activities to choose between, such as walking and sitting")
    return tidy


def unlearnt(model: TextModel, labels: Iterable[str]) -> list[str]:
    """Those of the labels that are neither activities that the model was trained on nor kinds of these.

    Their words are read, but no motion was ever put to them: recognition by name alone is near chance there.
    """
    learnt = with_general([resolve(label) for label in model.meta.get("labels") or ()])
    return [label for label in labels if resolve(label) not in learnt]


@torch.no_grad()
def zero_shot(model: TextModel, vectors: NDArray[np.float32], labels: Iterable[str]) -> NDArray[np.float32]:
    """Probabilities [N, L] of activities that are given in words.

    The softmax of the model's class scores, divided by its calibrated temperature if it has one.

    Args:
        model: Whose space the vectors are in.
        vectors: [N, E], from `Recogniser.embed`.
        labels: L activities in any words.

    Raises:
        CheckpointError: The model has not learnt words.
        DataError: The list of labels cannot be used.
        MissingExtraError: A label is new to the model and the text encoder is not installed.
    """
    model.require_words()
    prototypes = model.prototypes([sentences(label) for label in check_labels(labels)])
    logits = model.logits(torch.from_numpy(vectors).to(prototypes.device), prototypes)
    probabilities: NDArray[np.float32] = (logits / Threshold.of(model).temperature).softmax(dim=-1).cpu().numpy()
    return probabilities


def open_set(model: TextModel, vectors: NDArray[np.float32], labels: Iterable[str] | None = None) -> OpenSet:
    """The activity and its group among everything that the model was trained to know.

    Args:
        model: Whose space the vectors are in.
        vectors: [N, E], from `Recogniser.embed`.
        labels: What to choose among; None takes the labels of training. `otolith.data.labels.VOCABULARY` is the widest
            choice.

    Raises:
        CheckpointError: The model has not learnt words.
        DataError: The model was trained without labels, or the list of labels cannot be used.
    """
    names = check_labels(model.meta.get("labels", ()) if labels is None else labels)
    probabilities = zero_shot(model, vectors, names)
    member = np.array([group_of(name) for name in names], dtype=np.str_)
    groups, number = np.unique(member, return_inverse=True)
    best = probabilities.argmax(axis=1)
    return OpenSet(
        tuple(names),
        tuple(groups.tolist()),
        probabilities,
        probabilities @ np.eye(len(groups), dtype=np.float32)[number],
        np.array(names, dtype=np.str_)[best],
        member[best],
    )
