"""Protocols as lists of folds: who is kept away from training, who chooses checkpoints, and who is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from otolith.data.card import SubjectSplit
from otolith.data.windows import natural
from otolith.types import ConfigError


@dataclass(frozen=True)
class Fold:
    """One division of people. Those who are in no part of it train.

    Attributes:
        name: As results name it.
        val: Who chooses checkpoints.
        test: Who is kept away altogether.
        judged: Those of `test` on whom the result is measured.
        supervision: Share of the training windows whose labels are used, the same number of each class.
        worn: Placement that is trained on; empty is all.
        judged_worn: Placement that is judged; empty is all.
    """

    name: str
    val: tuple[str, ...]
    test: tuple[str, ...]
    judged: tuple[str, ...]
    supervision: float = 1.0
    worn: str = ""
    judged_worn: str = ""


SUPERVISION = {"supervised-1pct": 0.01, "supervised-10pct": 0.1}
"""Share of the labels by protocol."""

PROTOCOLS = (
    "supervised",
    *SUPERVISION,
    "group-kfold",
    "group-10fold",
    "loso",
    "cross-placement",
    "odd-even",
    "subjects-135-7-2468",
    "tuning-odd",
    "tuning-even",
)
"""`supervised` is the split of the dataset's card. With a share of the labels nobody chooses checkpoints, for their
labels would be further supervision: those people train. `cross-placement` trains on one placement of the sensor and
judges another, on the people that the card keeps for the test. `tuning-odd` and `tuning-even` leave one person out
among the odd or the even ones, and keep the others away: to choose a recipe that the others may judge."""

GROUPS = {"group-kfold": 5, "group-10fold": 10}
"""Folds by protocol: five as in the seed, ten as in comparisons of many networks; never more than there are people."""


def folds(
    protocol: str, subjects: Sequence[str], card: SubjectSplit | None = None, placements: Sequence[str] = ()
) -> list[Fold]:
    """The folds of a protocol.

    Args:
        protocol: One of `PROTOCOLS`.
        subjects: Everyone in the dataset; odd and even are by the number in the name.
        card: The split that the dataset's card fixes.
        placements: Where sensors are worn, for `cross-placement`.

    Raises:
        ConfigError: There is no such protocol, or the people or placements do not allow it.
    """
    people = sorted(set(subjects), key=natural)
    odd = tuple(name for name in people if natural(name)[0] % 2)
    even = tuple(name for name in people if name not in odd)
    if protocol in ("supervised", "cross-placement", *SUPERVISION):
        return _by_card(protocol, people, card, placements)
    if protocol == "odd-even":
        return [_fold("all", (), even)]
    if protocol == "subjects-135-7-2468":
        return [_fold("all", [name for name in odd if natural(name)[0] == 7], even)]
    if protocol == "loso":
        return [_fold(name, (), [name]) for name in people]
    if protocol in GROUPS:
        parts = np.array_split(np.random.default_rng(0).permutation(people), GROUPS[protocol])
        return [
            _fold("+".join(sorted(map(str, part))), (), [str(name) for name in part]) for part in parts if len(part)
        ]
    if protocol in ("tuning-odd", "tuning-even"):
        own, others = (odd, even) if protocol == "tuning-odd" else (even, odd)
        return [Fold(name, (), (*others, name), (name,)) for name in own]
    raise ConfigError(f"there is no protocol '{protocol}': use {', '.join(PROTOCOLS)}")


def _by_card(protocol: str, people: Sequence[str], card: SubjectSplit | None, placements: Sequence[str]) -> list[Fold]:
    if card is None:
        raise ConfigError(f"protocol '{protocol}': the dataset's card fixes no split; use group-kfold or loso")
    val, test = ([name for name in side if name in people] for side in (card.val, card.test))
    if protocol in SUPERVISION:
        return [replace(_fold("all", (), test), supervision=SUPERVISION[protocol])]
    if protocol == "supervised":
        return [_fold("all", val, test)]
    if len(placements) < 2:
        raise ConfigError("cross-placement: the sensors of this dataset are worn at one place only")
    whole = _fold("all", val, test)
    pairs = [(a, b) for a in placements for b in placements if a != b]
    return [replace(whole, name=f"{a} to {b}", worn=a, judged_worn=b) for a, b in pairs]


def _fold(name: str, val: Sequence[str], test: Sequence[str]) -> Fold:
    if not test:
        raise ConfigError(f"fold '{name}' has nobody to judge: the protocol does not fit these people")
    return Fold(name, tuple(val), tuple(test), tuple(test))
