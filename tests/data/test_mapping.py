from __future__ import annotations

import pytest

from otolith.data.labels import VOCABULARY, group_of
from otolith.data.mapping import map_labels
from otolith.data.registry import CARDS
from otolith.types import DataError

MOTIONSENSE = ["walking", "jogging", "walking upstairs", "walking downstairs", "sitting", "standing"]


def test_the_same_activity_in_other_words() -> None:
    said = ["Walking_Upstairs", "stairsdown", "sit", "strolling"]
    assert map_labels(said, MOTIONSENSE) == {
        "Walking_Upstairs": "walking upstairs",
        "stairsdown": "walking downstairs",
        "sit": "sitting",
        "strolling": "walking",
    }


def test_targets_keep_their_own_words() -> None:
    assert map_labels(["walking", "ascending stairs"], ["WALK", "upstairs"]) == {
        "walking": "WALK",
        "ascending stairs": "upstairs",
    }


def test_walking_upstairs_is_neither_walking_nor_both() -> None:
    assert map_labels(["walking upstairs"], ["walking", "sitting"]) == {"walking upstairs": None}
    assert map_labels(["walking upstairs"], ["walking", "walking downstairs"]) == {"walking upstairs": None}
    # Stairs without a direction are neither the way up nor the way down, nor the other way round.
    assert map_labels(["stairs"], MOTIONSENSE) == {"stairs": None}
    assert map_labels(["walking upstairs", "walking downstairs"], ["walking", "stairs"]) == {
        "walking upstairs": None,
        "walking downstairs": None,
    }


def test_by_group_where_it_leads_to_one_target() -> None:
    said = ["running", "running on a treadmill", "walking on a treadmill", "talking while sitting", "watching tv"]
    assert map_labels(said, MOTIONSENSE) == {
        "running": "jogging",
        "running on a treadmill": "jogging",
        "walking on a treadmill": "walking",
        "talking while sitting": "sitting",
        "watching tv": "sitting",
    }


def test_a_group_with_two_targets_is_ambiguous() -> None:
    targets = ["running", "running on a treadmill", "sitting"]
    assert map_labels(["jogging", "running", "treadmill running"], targets) == {
        "jogging": None,
        "running": "running",
        "treadmill running": "running on a treadmill",
    }
    eating = ["eating soup", "eating pasta"]
    assert map_labels(["eating", "sandwich", "soup"], eating) == {
        "eating": None,
        "sandwich": None,
        "soup": "eating soup",
    }


def test_words_that_nobody_knows() -> None:
    assert map_labels(["flossing", "Taking-Samples"], ["taking samples", "sitting"]) == {
        "flossing": None,
        "Taking-Samples": "taking samples",
    }


@pytest.mark.parametrize("name", sorted(CARDS))
def test_every_label_means_a_target_of_its_own_group_or_none(name: str) -> None:
    targets = sorted(set(CARDS[name].activities.values()))
    meant = map_labels(VOCABULARY, targets)
    assert set(meant) == set(VOCABULARY)
    for label, target in meant.items():
        there = [t for t in targets if group_of(t) == group_of(label)]
        if label in targets:
            assert target == label
        else:
            assert target == (there[0] if len(there) == 1 else None)


def test_targets_that_cannot_be() -> None:
    with pytest.raises(DataError, match="'walk' and 'walking' are the same activity"):
        map_labels(["running"], ["walk", "sitting", "walking"])
    with pytest.raises(DataError, match="there is no target"):
        map_labels(["running"], [])
    assert map_labels([], ["walking"]) == {}
    assert map_labels(["walk"], ["walking", "walking"]) == {"walk": "walking"}
