"""What a stream says. Times are seconds of the sensor's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

UNKNOWN = "unknown"
"""What is said where no activity is probable enough."""


@dataclass(frozen=True)
class Window:
    """One window's verdict, before smoothing.

    Attributes:
        start: First second.
        end: Last second.
        label: The most probable activity, or `unknown`.
        confidence: Probability of the most probable activity.
        probabilities: One for each label of the model or vocabulary, in its order.
    """

    start: float
    end: float
    label: str
    confidence: float
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Activity:
    """The smoothed activity changed: `label` holds since `since`."""

    since: float
    label: str
    confidence: float


@dataclass(frozen=True)
class Segment:
    """One smoothed activity from start to end; nothing is added to it any more.

    Attributes:
        start: First second.
        end: Last second.
        label: The activity, or `unknown`.
        confidence: Mean probability of the label over its windows; of `unknown`, of the most probable activities.
    """

    start: float
    end: float
    label: str
    confidence: float


@dataclass(frozen=True)
class Fault:
    """Something was wrong with the data, and what was done about it.

    Attributes:
        kind: A key of `otolith_edge.faults.KINDS`.
        count: How many since the last event of this kind.
        time: Where the first of them was; None if the sample had no usable time.
        text: One sentence.
    """

    kind: str
    count: int
    time: float | None
    text: str


Event = Window | Activity | Segment | Fault


def as_dict(event: Event, labels: Sequence[str]) -> dict[str, Any]:
    """Plain values for one JSON line; `event` says which kind it is.

    Args:
        event: Any.
        labels: Names of a window's probabilities.
    """
    values = asdict(event)
    if isinstance(event, Window):
        values["probabilities"] = dict(zip(labels, (round(p, 4) for p in event.probabilities), strict=True))
    for key in ("start", "end", "since", "time", "confidence"):
        if values.get(key) is not None:
            values[key] = round(values[key], 4)
    return {"event": type(event).__name__.lower(), **values}
