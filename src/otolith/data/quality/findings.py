"""What a check of a dataset says, and how: one sentence for a cause, however many recordings show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from otolith.data.recording import Recording

_SHOWN = 3


@dataclass(frozen=True)
class Concern:
    """Something about a dataset that a person should know.

    Attributes:
        kind: `unit`, `gravity sign`, `rate`, `axes`, `gravity`, `range`, `missing`, `stuck`, `held`, `padding`,
            `saturation`, `duplicate`, `balance`, `channels`, `magnetometer`, `disagreement`.
        severe: Whether recognition would be worthless, or its test void.
        text: One sentence: what, where, how to mend.
        recordings: How many recordings show it; 0 where it is about the dataset as a whole.
        examples: Some of them.
    """

    kind: str
    severe: bool
    text: str
    recordings: int = 0
    examples: tuple[str, ...] = ()


class Check(Protocol):
    """Looks at one recording after another and keeps little of each."""

    def see(self, recording: Recording) -> None:
        """Takes a recording into account."""

    def concerns(self) -> list[Concern]:
        """What is to be said of all that were seen."""


def concern(kind: str, severe: bool, text: str, names: Sequence[str], total: int, among: str = "recordings") -> Concern:
    """A concern about some of `total` recordings.

    Args:
        kind: As in `Concern`.
        severe: As in `Concern`.
        text: The sentence, which goes on after "in 3 of 360 recordings ".
        names: The recordings.
        total: How many there are.
        among: What they are, where they are not all recordings.
    """
    where = ""
    if total > 1:
        where = f"in all {total} {among} " if len(names) == total else f"in {len(names)} of {total} {among} "
    return Concern(kind, severe, where + text, len(names), tuple(names[:_SHOWN]))


def listed(names: Sequence[str], most: int = _SHOWN) -> str:
    """`'a', 'b', 'c' and 4 more`."""
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def several(what: str, where: Iterable[str]) -> str:
    """`the gyroscope of the smartwatch at the left wrist`, and of one more, or of the first and how many more."""
    first, *others = where
    if len(others) == 1:
        return f"{what} of the {first} and of the {others[0]}"
    return f"{what} of the {first} and of {len(others)} more" if others else f"{what} of the {first}"
