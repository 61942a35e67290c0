"""A study: variants of teachers and students over the folds and seeds of protocols, each result a row, resumable.

This module holds what a study is and how one trained model is judged; `otolith.cli.study` runs it from a YAML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from otolith.data.segments import SegmentConfig, Segments
from otolith.data.windows import WindowIndex, check_leak
from otolith.evaluate.baselines import Baseline, LogisticOnStatistics, MiniRocketRidge, NearestRawWindow
from otolith.evaluate.disturbances import DISTURBANCES
from otolith.evaluate.metrics import scores
from otolith.train.sources import subjects_in
from otolith.train.supervised import predict
from otolith.types import ConfigError, LeakError


@dataclass(frozen=True)
class Variant:
    """One model of a study.

    Attributes:
        name: As results name it.
        stage: `teach`, `distil`, or `control` (a baseline that learns from the same segments).
        teachers: Names of variants it learns from.
        set: Values of its configuration that differ from the study's, as `key.sub: value`.
        protocols: Where it is run; empty is everywhere.
        seeds: How many of the study's seeds; 0 is all.
        robustness: Whether it is also judged on disturbed segments, in the study's first protocol.
    """

    name: str
    stage: str = "distil"
    teachers: tuple[str, ...] = ()
    set: Mapping[str, Any] = field(default_factory=dict)
    protocols: tuple[str, ...] = ()
    seeds: int = 0
    robustness: bool = False

    def __post_init__(self) -> None:
        if self.stage not in ("teach", "distil", "control"):
            raise ConfigError(f"variant '{self.name}': stage must be teach, distil or control, not '{self.stage}'")
        if self.stage != "distil" and self.teachers:
            raise ConfigError(f"variant '{self.name}': only a student (stage: distil) has teachers")


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


def judge(
    model: Any, index: WindowIndex, config: SegmentConfig, *, disturbances: Sequence[str] = ()
) -> dict[str, dict[str, float]]:
    """Scores of a teacher or student on segments of people it has never seen.

    Args:
        model: With `meta["labels"]`; errors as in `check_unseen`.
        index: Labelled segments.
        config: What a segment is.
        disturbances: Names in `DISTURBANCES`.

    Returns:
        Scores by what was done to the segments; `""` is nothing.
    """
    check_unseen(model.meta, index)
    labels: list[str] = model.meta["labels"]
    skeletons = bool(getattr(model, "sees_skeletons", False))
    found = {}
    for name in ("", *disturbances):
        change = DISTURBANCES[name] if name else None
        segments = Segments([index], config, labels=labels, skeletons=skeletons, change=change)
        predicted = [labels[i] for i in predict(model, segments).argmax(1)]
        found[name] = scores(index.label.tolist(), predicted, labels)
    return found


CONTROLS = ("minirocket", "logistic-on-statistics", "nearest-raw-window")


def control_predictions(
    name: str, train: WindowIndex, judged: WindowIndex, config: SegmentConfig, seed: int
) -> list[str]:
    """What a baseline says of the judged segments that learnt from the training ones.

    It sees them as the networks do: the same channels, rate, filter and length, but no patches.

    Args:
        name: One of `CONTROLS`; with `+skeleton` it sees the skeleton of the same seconds as further channels.
        train: Labelled segments.
        judged: Labelled segments of other people.
        config: What a segment is.
        seed: Of the baseline, where it draws.

    Raises:
        ConfigError: There is no such control.
    """
    kind, _, extra = name.partition("+")
    if kind not in CONTROLS or extra not in ("", "skeleton"):
        raise ConfigError(
            f"there is no control '{name}': use {', '.join(CONTROLS)}, with +skeleton to show it the body"
        )
    check_leak(train=[train], test=[judged])
    sides = [Segments([index], config, skeletons=bool(extra)) for index in (train, judged)]
    control: Baseline
    if kind == "minirocket":
        control = MiniRocketRidge(seed=seed)
    elif kind == "nearest-raw-window":
        control = NearestRawWindow()
    else:
        control = LogisticOnStatistics(triads=sides[0].triads)
    control.fit(sides[0].plain(), train.label.tolist())
    return list(control.predict(sides[1].plain()))


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
    """In an order in which teachers come before their students."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of weights, order and augmentation."""
    base: Mapping[str, Any] = field(default_factory=dict)
    """Configuration of all runs."""
    teach: Mapping[str, Any] = field(default_factory=dict)
    """What teachers add to `base`."""
    distil: Mapping[str, Any] = field(default_factory=dict)
    """What students add to `base`."""
    recipes: tuple[Recipe, ...] = (Recipe(),)
    """The first of them that was tuned on nobody who is judged is used, so that tuning and judging never meet."""

    def __post_init__(self) -> None:
        known: set[str] = set()
        for variant in self.variants:
            absent = [name for name in variant.teachers if name not in known]
            if absent or variant.name in known:
                what = f"learns from '{absent[0]}', which does not come before it" if absent else "is there twice"
                raise ConfigError(f"study: variant '{variant.name}' {what}")
            known.add(variant.name)

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
