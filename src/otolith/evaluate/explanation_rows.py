"""What tests of explanations gave, as rows of results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from otolith.evaluate.results import Provenance, Row
from otolith.evaluate.results import rows as result_rows
from otolith.explain.run import Explained, Found
from otolith.explain.similarity import Look, mismatched, similarity
from otolith.models.registry import model_name
from otolith.models.saved import Saved

Score = tuple[str, float, int]
"""Metric, value, and the number of segments behind it."""


def measured(
    found: Explained,
    labels: Sequence[str],
    model: Saved,
    dataset: str,
    seed: int,
    provenance: Provenance,
    *,
    seen: bool,
    looks: tuple[Look, Look] | None = None,
) -> list[Row]:
    """Rows of every method, by protocol `explain-<method>`, or `explain-<method>-seen` where people were known.

    Args:
        found: The explained segments.
        labels: Of the targets.
        model: What was explained.
        dataset: Its name.
        seed: Of random orders and weights.
        provenance: Of all rows.
        seen: Whether people whom the model has seen may be among them.
        looks: Where student and teacher look.
    """
    scores = {name: list(_of_method(one, found.target, labels)) for name, one in found.found.items()}
    if looks is not None:
        scores["attention"] = list(_of_looks(looks, found.target, labels))
    return [
        row
        for name, mine in scores.items()
        for metric, value, n in mine
        for row in result_rows(
            {metric: value}, model=model_name(model), dataset=dataset, n=n, seed=seed, provenance=provenance,
            protocol=f"explain-{name}{'-seen' if seen else ''}",
        )
    ]  # fmt: skip


def summary(rows: Sequence[Row]) -> str:
    """The rows that say most, a line for each protocol."""
    lines: dict[str, list[str]] = {}
    for row in rows:
        words = row.metric.replace("_", " ")
        told = row.metric.endswith(("_error", "above_random", "_similarity", "_mismatched"))
        if told or row.metric == "randomisation_correlation":
            lines.setdefault(row.protocol, []).append(f"{words} {row.value:.2g}")
    return "\n".join(f"{protocol}: {', '.join(said)}" for protocol, said in lines.items())


def _of_method(found: Found, target: Tensor, labels: Sequence[str]) -> Iterator[Score]:
    count = len(target)
    if "error" in found.explanation.details:
        error = found.explanation.details["error"]
        yield "ig_completeness_error", float(error.mean()), count
        yield "ig_completeness_error_worst", float(error.max()), count
    for name, gain in zip(("deletion", "insertion"), found.curves.gains(), strict=True):
        yield f"{name}_auc_gain", float(gain.mean()), count
        each = list(_by_class(f"{name}_auc_gain", gain, target, labels))
        yield from each
        yield f"{name}_classes_above_random", sum(value > 0 for _, value, _ in each) / len(each), len(each)
    for part, (values, sizes) in found.correlation.items():
        yield f"randomisation_correlation/{part}", float(values.mean()), len(values)
        yield f"randomisation_correlation_of_size/{part}", float(sizes.mean()), len(sizes)
    values, sizes = list(found.correlation.values())[-1]
    yield "randomisation_correlation", float(values.mean()), len(values)
    yield "randomisation_correlation_of_size", float(sizes.mean()), len(sizes)


def _of_looks(looks: tuple[Look, Look], target: Tensor, labels: Sequence[str]) -> Iterator[Score]:
    student, teacher = looks
    for name, rolled in (("attention_similarity", False), ("rollout_similarity", True)):
        values = similarity(student, teacher, rolled=rolled)
        control = similarity(student, mismatched(teacher, target), rolled=rolled)
        yield name, float(values.mean()), len(values)
        yield f"{name}_std", float(values.std(correction=0)), len(values)
        yield f"{name}_mismatched", float(control.mean()), len(control)
        yield from _by_class(name, values, target, labels)
        yield from _by_class(f"{name}_std", values, target, labels, spread=True)
        yield from _by_class(f"{name}_mismatched", control, target, labels)


def _by_class(
    metric: str, values: Tensor, target: Tensor, labels: Sequence[str], *, spread: bool = False
) -> Iterator[Score]:
    """Mean (or standard deviation) over the segments of each class that is explained."""
    for number in target.unique().tolist():
        mine = values[target == number]
        value = mine.std(correction=0) if spread else mine.mean()
        yield f"{metric}/{labels[number]}", float(value), len(mine)
