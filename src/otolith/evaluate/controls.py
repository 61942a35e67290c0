"""Controls on segments: they see what the networks see, cut and filtered alike, but no patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from otolith.data.segments import SegmentConfig, Segments
from otolith.data.windows import WindowIndex
from otolith.evaluate.baselines import (
    Baseline,
    LogisticOnStatistics,
    Majority,
    MiniRocketRidge,
    NearestRawWindow,
    RandomForest,
)
from otolith.evaluate.disturbances import DISTURBANCES
from otolith.types import ConfigError

CONTROLS: dict[str, Callable[[Sequence[tuple[int, int, int]], int], Baseline]] = {
    "majority": lambda triads, seed: Majority(),
    "logistic-on-statistics": lambda triads, seed: LogisticOnStatistics(triads),
    "random-forest": lambda triads, seed: RandomForest(triads, seed),
    "nearest-raw-window": lambda triads, seed: NearestRawWindow(),
    "minirocket": lambda triads, seed: MiniRocketRidge(seed),
}
"""By name, from the columns of the three-axis sensors and a seed."""


def control_predictions(
    name: str,
    train: WindowIndex,
    judged: WindowIndex,
    config: SegmentConfig,
    seed: int,
    *,
    judged_config: SegmentConfig | None = None,
    disturbances: Sequence[str] = (),
) -> dict[str, list[str]]:
    """What a baseline says of the judged segments that learnt from the training ones.

    Args:
        name: One of `CONTROLS`; with `+skeleton` it sees the skeleton of the same seconds as further channels.
        train: Labelled segments.
        judged: Labelled segments of other people.
        config: What a segment is.
        seed: Of the baseline, where it draws.
        judged_config: What a judged segment is, where that differs (another placement).
        disturbances: Names in `DISTURBANCES`.

    Returns:
        Labels by what was done to the judged segments; `""` is nothing.

    Raises:
        ConfigError: There is no such control.
    """
    kind, _, extra = name.partition("+")
    if kind not in CONTROLS or extra not in ("", "skeleton"):
        raise ConfigError(
            f"there is no control '{name}': use {', '.join(CONTROLS)}, with +skeleton to show it the body"
        )
    learnt = Segments([train], config, skeletons=bool(extra))
    control = CONTROLS[kind](learnt.triads, seed).fit(learnt.plain(), train.label.tolist())
    found = {}
    for what in ("", *disturbances):
        change = DISTURBANCES[what] if what else None
        side = Segments([judged], judged_config or config, skeletons=bool(extra), change=change)
        found[what] = list(control.predict(side.plain()))
    return found
