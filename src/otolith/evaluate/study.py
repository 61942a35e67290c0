"""A study: variants of models over the datasets, folds and seeds of protocols, each result a row, resumable.

This module holds what a study is and how one trained model is judged; `otolith.evaluate.bench` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from otolith.data.leaks import check_statistics
from otolith.data.segments import SegmentConfig, Segments
from otolith.data.windows import WindowIndex
from otolith.evaluate.disturbances import DISTURBANCES
from otolith.models.classifier import NetworkClassifier
from otolith.models.student import LEAST_DEVIATION, SensorTokens
from otolith.train.sources import subjects_in
from otolith.train.supervised import as_seen_by, predict
from otolith.types import ConfigError, LeakError

STAGES = ("teach", "distil", "finetune", "reconstruct", "control")


@dataclass(frozen=True)
class Variant:
    """One model of a study.

    Attributes:
        name: As results name it.
        stage: `teach`, `distil`, `finetune`, `reconstruct` (learns without labels and is not judged: others begin with
            it), or `control` (a baseline that learns from the same segments).
        teachers: Names of variants that a student learns from.
        parent: Name of the variant whose network training begins with.
        set: Values of its configuration that differ from the study's, as `key.sub: value`.
        protocols: Where it is run; empty is everywhere.
        seeds: How many of the study's seeds, except where a seed draws the labels; 0 is all.
        robustness: Whether it is also judged on disturbed segments, in the study's first protocol.
    """

    name: str
    stage: str = "distil"
    teachers: tuple[str, ...] = ()
    parent: str = ""
    set: Mapping[str, Any] = field(default_factory=dict)
    protocols: tuple[str, ...] = ()
    seeds: int = 0
    robustness: bool = False

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ConfigError(f"variant '{self.name}': stage must be one of {', '.join(STAGES)}, not '{self.stage}'")
        if self.stage != "distil" and self.teachers:
            raise ConfigError(f"variant '{self.name}': only a student (stage: distil) has teachers")
        if self.stage not in ("distil", "finetune") and self.parent:
            raise ConfigError(f"variant '{self.name}': only stages distil and finetune begin with a parent")

    @property
    def before(self) -> tuple[str, ...]:
        """Names of the variants that must be trained before it."""
        return (*self.teachers, *([self.parent] if self.parent else []))


def check_unseen(meta: Mapping[str, Any], index: WindowIndex) -> None:
    """Raises where a model, its normaliser, a teacher, or the choice of its recipe has seen somebody of the segments.

    Args:
        meta: Of the model: `history` holds everyone in `train`, `val` and `tuned`, of all ancestors and teachers.
        index: The segments that it is to be judged on.

    Raises:
        LeakError: Somebody was seen.
    """
    name, sha256 = index.dataset.name, index.dataset.sha256
    for side, how in (
        ("train", "learnt from"),
        ("val", "chose its checkpoint by"),
        ("tuned", "had its recipe tuned on"),
    ):
        known = subjects_in(meta.get("history") or {}, name, sha256, (side,)) or set()
        seen = sorted(known & set(index.subject.tolist()))
        if seen:
            raise LeakError(
                f"the model, or a teacher of it, {how} subject {seen[0]} of '{name}': it cannot be judged on them"
            )


def check_normaliser(model: Any, train: Sequence[WindowIndex], config: SegmentConfig) -> None:
    """Raises where a model z-scores its input with other statistics than those of the segments it trained on.

    Args:
        model: A teacher, student or classifier; one that stores no statistics passes.
        train: Labelled segments of its training people.
        config: What a segment is.

    Raises:
        LeakError: The normaliser was fitted on something else.
    """
    parts = [part for part in model.modules() if isinstance(part, SensorTokens | NetworkClassifier)]
    if not parts:
        return
    mean, std = Segments(train, config).statistics()
    for part in parts:
        own = part.mean.numel()
        check_statistics(part.mean.cpu(), part.std.cpu(), mean[:own], np.maximum(std[:own], LEAST_DEVIATION))


def predictions(
    model: Any, index: WindowIndex, config: SegmentConfig, *, disturbances: Sequence[str] = ()
) -> dict[str, list[str]]:
    """What a trained model says of segments of people whom it has never seen.

    Args:
        model: With `meta["labels"]`; errors as in `check_unseen`.
        index: Labelled segments.
        config: What a segment is.
        disturbances: Names in `DISTURBANCES`.

    Returns:
        Labels by what was done to the segments; `""` is nothing.
    """
    check_unseen(model.meta, index)
    labels: list[str] = model.meta["labels"]
    found = {}
    for name in ("", *disturbances):
        change = DISTURBANCES[name] if name else None
        segments = as_seen_by(model, [index], config, labels=labels, change=change)
        found[name] = [labels[i] for i in predict(model, segments).argmax(1)]
    return found


@dataclass(frozen=True)
class Recipe:
    """Values that were chosen by the results of some people, and so must not be judged on them."""

    tuned_on: tuple[str, ...] = ()
    """Those people."""
    set: Mapping[str, Any] = field(default_factory=dict)
    """Values of every configuration, as `key.sub: value`."""
    distil: Mapping[str, Any] = field(default_factory=dict)
    """Values of the students' configurations alone."""


@dataclass(frozen=True)
class StudyConfig:
    """Everything that defines a study."""

    protocols: tuple[str, ...]
    """Names in `splits.PROTOCOLS`."""
    variants: tuple[Variant, ...]
    """In an order in which teachers and parents come before those that begin with them."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of weights, order and augmentation."""
    base: Mapping[str, Any] = field(default_factory=dict)
    """Configuration of all runs."""
    stages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the runs of a stage add to `base`."""
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Values for one dataset, by its name, as `key.sub: value`."""
    recipes: tuple[Recipe, ...] = (Recipe(),)
    """The first of them that was tuned on nobody who is judged is used, so that tuning and judging never meet."""

    def __post_init__(self) -> None:
        known: set[str] = set()
        for variant in self.variants:
            absent = [name for name in variant.before if name not in known]
            if absent or variant.name in known:
                what = f"learns from '{absent[0]}', which does not come before it" if absent else "is there twice"
                raise ConfigError(f"study: variant '{variant.name}' {what}")
            known.add(variant.name)
        unknown = [name for name in self.stages if name not in STAGES]
        if unknown:
            raise ConfigError(f"study: stages names '{unknown[0]}': there are {', '.join(STAGES)}")

    def recipe(self, judged: Sequence[str]) -> Recipe:
        """The recipe for a fold.

        Raises:
            LeakError: Each recipe was tuned on somebody who is judged.
        """
        for recipe in self.recipes:
            if not set(recipe.tuned_on) & set(judged):
                return recipe
        raise LeakError(
            f"every recipe of the study was tuned on one of {', '.join(judged)}, who are judged here: add a recipe "
            "that was tuned on others, or on nobody"
        )
