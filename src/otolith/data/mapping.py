"""Labels of one vocabulary as labels of another: only where there is no doubt which one is meant."""

from __future__ import annotations

from collections.abc import Iterable

from otolith.data.labels import group_of, resolve
from otolith.types import DataError


def map_labels(predictions_vocabulary: Iterable[str], targets: Iterable[str]) -> dict[str, str | None]:
    """What each label that a model may say means among the labels it is judged by.

    A label means the target that is the same activity in other words (`otolith.data.labels.resolve`). Failing that,
    it means the target of the same group, if that group has one target only: with `walking` and `running` as targets
    `jogging` means running, but with `running` and `running on a treadmill` nobody can say which, so it means none.
    What means none is a miss when it is scored, whatever the truth.

    Args:
        predictions_vocabulary: Labels that a model may say, such as all it was trained on.
        targets: Labels that occur in the data it is judged on.

    Returns:
        For each label, as it was given, a target as it was given, or None.

    Raises:
        DataError: There is no target, or two of them are the same activity.
    """
    exact: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for target in dict.fromkeys(targets):
        twin = exact.setdefault(resolve(target), target)
        if twin != target:
            raise DataError(f"'{twin}' and '{target}' are the same activity: give one of them as a target")
        groups.setdefault(group_of(target), []).append(target)
    if not exact:
        raise DataError("there is no target to map labels to: name the activities that the data holds")
    meant: dict[str, str | None] = {}
    for label in predictions_vocabulary:
        near = groups.get(group_of(label), [])
        meant[label] = exact.get(resolve(label), near[0] if len(near) == 1 else None)
    return meant
