from __future__ import annotations

import math

import pytest
import torch

from otolith.objectives.relations import relate, soft_targets

WORDS = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
GROUP, GENERAL = torch.tensor([0, 1, 2, 3, 3]), torch.tensor([2, 2, 2, 3, 3])
"""0 and 1 are kinds of 2, as the two ways to take stairs, each a group of its own; 4 is a kind of 3, in its group."""


def test_labels_that_may_both_be_true_are_not_told_apart() -> None:
    relations = relate(WORDS, GROUP, GENERAL)
    together = {(i, j) for i in range(5) for j in range(5) if not relations.apart[i, j]}
    assert together == {(i, i) for i in range(5)} | {(0, 2), (2, 0), (1, 2), (2, 1), (3, 4), (4, 3)}


def test_a_general_label_leaves_its_kinds_open_and_a_kind_leaves_nothing_open() -> None:
    relations = relate(WORDS, GROUP, GENERAL)
    assert {tuple(pair) for pair in relations.undecided.nonzero().tolist()} == {(2, 0), (2, 1), (3, 4)}
    assert (relations.targets[relations.undecided] == 0).all()
    assert torch.allclose(relations.targets.sum(1), torch.ones(5))


def test_the_truth_is_shared_with_the_label_that_it_is_a_kind_of() -> None:
    relations = relate(WORDS, GROUP, GENERAL, hardness=1.0)
    assert relations.targets[0].tolist() == [0.5, 0.0, 0.5, 0.0, 0.0]
    assert relations.targets[2].tolist() == [0.0, 0.0, 1.0, 0.0, 0.0]


def test_soft_targets_agree_with_a_naive_version() -> None:
    text = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)) + 2.0
    got = soft_targets(text, temperature=0.4, hardness=0.3)
    mean = sum(text) / 4
    centred = [(t - mean) / (t - mean).norm() for t in text]
    for i in range(4):
        weights = [math.exp(float(centred[i] @ centred[j]) / 0.4) for j in range(4)]
        for j in range(4):
            expected = 0.3 * (i == j) + 0.7 * weights[j] / sum(weights)
            assert float(got[i, j]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("labels", [1, 2, 7])
def test_rows_of_soft_targets_sum_to_one_and_peak_at_themselves(labels: int) -> None:
    text = torch.randn(labels, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    got = soft_targets(text)
    assert torch.allclose(got.sum(1), torch.ones(labels))
    assert not got.requires_grad
    assert got.argmax(1).tolist() == list(range(labels))


def test_hardness_one_is_plain_clip_and_bad_settings_are_refused() -> None:
    text = torch.randn(4, 6)
    assert torch.equal(soft_targets(text, hardness=1.0), torch.eye(4))
    with pytest.raises(ValueError, match="temperature"):
        soft_targets(text, temperature=0.0)
    with pytest.raises(ValueError, match="hardness"):
        soft_targets(text, hardness=1.5)
