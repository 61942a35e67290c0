"""Protocols as lists of folds: who is kept away from training, who chooses checkpoints, and who is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """

    name: str
    val: tuple[str, ...]
    test: tuple[str, ...]
    judged: tuple[str, ...]


PROTOCOLS = ("odd-even", "subjects-135-7-2468", "loso", "group-kfold", "official", "tuning-odd", "tuning-even")
"""`tuning-odd` and `tuning-even` leave one person out among the odd or the even ones, and keep the others away: to
choose a recipe that the others may judge."""

GROUPS = 5
"""Folds of `group-kfold`, as in the seed."""


def folds(protocol: str, subjects: Sequence[str], card: SubjectSplit | None = None) -> list[Fold]:
    """The folds of a protocol.

    Args:
        protocol: One of `PROTOCOLS`.
        subjects: Everyone in the dataset; odd and even are by the number in the name.
        card: The split that the dataset's card fixes, for `official`.

    Raises:
        ConfigError: There is no such protocol, or the people do not allow it.
    """
    people = sorted(set(subjects), key=natural)
    odd = tuple(name for name in people if natural(name)[0] % 2)
    even = tuple(name for name in people if name not in odd)
    if protocol == "official":
        if card is None:
            raise ConfigError("protocol 'official': the dataset's card fixes no split; use group-kfold or loso")
        return [_fold("all", [n for n in card.val if n in people], [n for n in card.test if n in people])]
    if protocol == "odd-even":
        return [_fold("all", (), even)]
    if protocol == "subjects-135-7-2468":
        return [_fold("all", [name for name in odd if natural(name)[0] == 7], even)]
    if protocol == "loso":
        return [_fold(name, (), [name]) for name in people]
    if protocol == "group-kfold":
        parts = np.array_split(np.random.default_rng(0).permutation(people), GROUPS)
        return [
            _fold("+".join(sorted(map(str, part))), (), [str(name) for name in part]) for part in parts if len(part)
        ]
    if protocol in ("tuning-odd", "tuning-even"):
        own, others = (odd, even) if protocol == "tuning-odd" else (even, odd)
        return [Fold(name, (), (*others, name), (name,)) for name in own]
    raise ConfigError(f"there is no protocol '{protocol}': use {', '.join(PROTOCOLS)}")


def _fold(name: str, val: Sequence[str], test: Sequence[str]) -> Fold:
    if not test:
        raise ConfigError(f"fold '{name}' has nobody to judge: the protocol does not fit these people")
    return Fold(name, tuple(val), tuple(test), tuple(test))
