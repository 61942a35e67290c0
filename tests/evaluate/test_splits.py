"""Folds: who trains, who chooses, who is judged."""

from __future__ import annotations

import pytest

from otolith.data.card import SubjectSplit
from otolith.evaluate.splits import PROTOCOLS, folds
from otolith.types import ConfigError

PEOPLE = [f"s{number}" for number in range(1, 9)]
CARD = SubjectSplit(test=("s2", "s4"), val=("s7",))


def test_odd_people_train_and_even_ones_are_judged() -> None:
    (fold,) = folds("odd-even", PEOPLE)
    assert fold.test == fold.judged == ("s2", "s4", "s6", "s8") and fold.val == ()


def test_one_odd_person_chooses_in_the_other_published_split() -> None:
    (fold,) = folds("subjects-135-7-2468", PEOPLE)
    assert fold.val == ("s7",) and fold.test == ("s2", "s4", "s6", "s8")


def test_each_person_is_judged_once_where_one_is_left_out() -> None:
    assert [fold.judged for fold in folds("loso", ["s10", "s2", "s1"])] == [("s1",), ("s2",), ("s10",)]


@pytest.mark.parametrize(("protocol", "groups"), [("group-kfold", 5), ("group-10fold", 8)])
def test_groups_share_all_people_between_them(protocol: str, groups: int) -> None:
    parts = [fold.judged for fold in folds(protocol, PEOPLE)]
    assert len(parts) == groups and sorted(name for part in parts for name in part) == PEOPLE


def test_the_card_decides_where_its_split_is_asked_for() -> None:
    (fold,) = folds("supervised", PEOPLE, CARD)
    assert (fold.val, fold.test, fold.supervision) == (CARD.val, CARD.test, 1.0)
    with pytest.raises(ConfigError, match="fixes no split"):
        folds("supervised", PEOPLE)


def test_few_labels_are_not_helped_by_labels_of_validation_people() -> None:
    (fold,) = folds("supervised-1pct", PEOPLE, CARD)
    assert (fold.val, fold.test, fold.supervision) == ((), CARD.test, 0.01)


def test_placements_are_judged_that_were_not_trained_on() -> None:
    found = folds("cross-placement", PEOPLE, CARD, ["pocket", "wrist"])
    assert [(f.worn, f.judged_worn, f.name) for f in found] == [
        ("pocket", "wrist", "pocket to wrist"),
        ("wrist", "pocket", "wrist to pocket"),
    ]
    assert all(f.test == CARD.test for f in found)
    with pytest.raises(ConfigError, match="one place only"):
        folds("cross-placement", PEOPLE, CARD, ["wrist"])


@pytest.mark.parametrize(("protocol", "own"), [("tuning-odd", 1), ("tuning-even", 0)])
def test_tuning_never_touches_the_other_half(protocol: str, own: int) -> None:
    found = folds(protocol, PEOPLE)
    assert [int(fold.judged[0][1:]) % 2 for fold in found] == [own] * 4
    for fold in found:
        trained = set(PEOPLE) - set(fold.test) - set(fold.val)
        assert len(trained) == 3 and all(int(name[1:]) % 2 == own for name in trained)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_is_on_two_sides(protocol: str) -> None:
    for fold in folds(protocol, PEOPLE, CARD, ["pocket", "wrist"]):
        assert not set(fold.val) & set(fold.test) and set(fold.judged) <= set(fold.test) and fold.judged


@pytest.mark.parametrize(("protocol", "people"), [("random", PEOPLE), ("odd-even", ["s1", "s3"])])
def test_what_does_not_fit_is_one_sentence(protocol: str, people: list[str]) -> None:
    with pytest.raises(ConfigError):
        folds(protocol, people)
