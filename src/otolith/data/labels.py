"""The activity vocabulary: one canonical label for each activity, its synonyms, its group and what the motion is like.

The words are in `activities.csv` beside this file. A group holds activities that are the same motion in kind, such as
three ways of eating: a prediction within the right group counts as near, and members of one group are not pushed apart
in training. So activities that a dataset wants told apart have different groups unless they are mere varieties.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from otolith.types import DataError

TEMPLATES = ("{}", "a person is {}", "motion sensor data of {}")
"""Sentences that a label is put into (Radford et al. 2021, CLIP, arXiv:2103.00020, section 3.1.4)."""


@dataclass(frozen=True)
class Activity:
    """An activity and the words for it.

    Attributes:
        label: Canonical label, in plain lower-case words.
        group: Activities of the same kind of motion share it.
        kind_of: The label that is true as well ("walking on a treadmill" is "walking"); empty if there is none.
        synonyms: Other names; none of them names another activity.
        description: One sentence on how the body moves.
    """

    label: str
    group: str
    kind_of: str
    synonyms: tuple[str, ...]
    description: str


def canonical(text: str) -> str:
    """The canonical label for a label or synonym in any case, with spaces, underscores, hyphens or slashes.

    Raises:
        DataError: No activity has this name; the sentence names the nearest one.
    """
    name = _normal(text)
    if name in _NAMES:
        return _NAMES[name]
    near = difflib.get_close_matches(name, _NAMES, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else "see otolith.data.labels.VOCABULARY for the known ones"
    raise DataError(f"unknown activity '{text}': {hint}")


def resolve(text: str) -> str:
    """The canonical label where the vocabulary knows the words, else the words themselves, tidied.

    A user's own activities need not be in the vocabulary; those of the registered datasets must (`canonical`).
    """
    name = _normal(text)
    return _NAMES.get(name, name)


def group_of(label: str) -> str:
    """The group of an activity; an activity that the vocabulary does not know is a group of its own."""
    activity = VOCABULARY.get(resolve(label))
    return activity.group if activity else resolve(label)


def kind_of(label: str) -> str:
    """The more general activity that an activity is one of; empty where the vocabulary names none."""
    activity = VOCABULARY.get(resolve(label))
    return activity.kind_of if activity else ""


def with_general(labels: Sequence[str]) -> list[str]:
    """The labels, then those that they are kinds of where these are not among them: all that training puts to words."""
    return [*labels, *dict.fromkeys(k for k in map(kind_of, labels) if k and k not in labels)]


def sentences(label: str) -> list[str]:
    """Everything that says this activity in words: label and synonyms through `TEMPLATES`, and the description."""
    activity = VOCABULARY.get(resolve(label))
    names = [activity.label, *activity.synonyms] if activity else [resolve(label)]
    said = [template.format(name) for name in names for template in TEMPLATES]
    return [*said, activity.description] if activity else said


def _normal(text: str) -> str:
    return re.sub(r"[\s_/-]+", " ", text).strip().casefold()


def _load() -> dict[str, Activity]:
    with files("otolith.data").joinpath("activities.csv").open(encoding="utf-8") as rows:
        return {
            row["label"]: Activity(
                row["label"],
                row["group"],
                row["kind_of"],
                tuple(row["synonyms"].split(";")) if row["synonyms"] else (),
                row["description"],
            )
            for row in csv.DictReader(rows)
        }


VOCABULARY: dict[str, Activity] = _load()
"""Canonical label to activity."""

_NAMES = {_normal(name): item.label for item in VOCABULARY.values() for name in (item.label, *item.synonyms)}
