from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from otolith.explain.baselines import baseline
from otolith.explain.faithfulness import area, curves, shares
from otolith.explain.methods import Explanation, explain
from otolith.explain.question import Question, of_target


@pytest.fixture(scope="module")
def base(question: Question) -> Tensor:
    return baseline(question, "mean")


@pytest.fixture(scope="module")
def ig(question: Question, target: Tensor, base: Tensor) -> Explanation:
    return explain("ig", question, target, base)


def test_the_model_has_learnt_something_to_explain(question: Question, target: Tensor) -> None:
    assert (target == question.batch.label).float().mean() > 0.5, "chance is 0.14"


@pytest.mark.parametrize("method", ["ig", "occlusion"])
def test_a_trained_model_hangs_on_what_the_map_says(
    method: str, question: Question, target: Tensor, base: Tensor
) -> None:
    found = curves(question, target, base, explain(method, question, target, base).score, draws=4)
    for gain in found.gains():
        assert gain.mean() > 0.05 and (gain > 0).float().mean() > 0.8
        assert all(gain[target == number].mean() > 0 for number in target.unique())


def test_the_reversed_map_is_worse_than_chance(
    question: Question, target: Tensor, base: Tensor, ig: Explanation
) -> None:
    deletion, insertion = curves(question, target, base, -ig.score).gains()
    assert deletion.mean() < -0.05 and insertion.mean() < -0.05


def test_a_random_map_wins_nothing(question: Question, target: Tensor, base: Tensor, ig: Explanation) -> None:
    torch.manual_seed(5)
    gain, _ = curves(question, target, base, torch.rand_like(ig.score), draws=3).gains()
    assert abs(gain.mean()) < 0.04


def test_curves_go_from_the_segment_to_its_baseline_and_back(
    question: Question, target: Tensor, base: Tensor, ig: Explanation
) -> None:
    found = curves(question, target, base, ig.score, draws=2)
    with torch.no_grad():
        full, none = (of_target(question(x).softmax(-1), target) for x in (question.signal, base))
    for deletion, insertion in ((found.deletion, found.insertion), (found.random_deletion, found.random_insertion)):
        for curve, start, end in ((deletion, full, none), (insertion, none, full)):
            torch.testing.assert_close(curve[:, 0], start)
            torch.testing.assert_close(curve[:, -1], end)
    assert shares()[0] == 0 and shares()[-1] == 1


def test_the_most_important_goes_first(question: Question, target: Tensor, base: Tensor, ig: Explanation) -> None:
    """With 30 blocks, after a tenth exactly the three best are gone."""
    rows = torch.arange(len(target))
    hidden = question.signal.clone()
    for block in ig.score.flatten(1).topk(3).indices.unbind(1):
        patch, channel = block // 6, block % 6
        hidden[rows, patch, :, channel] = base[rows, patch, :, channel]
    with torch.no_grad():
        wanted = of_target(question(hidden).softmax(-1), target)
    torch.testing.assert_close(curves(question, target, base, ig.score, draws=1).deletion[:, 2], wanted)


def test_patches_that_are_not_there_are_no_blocks(question: Question, target: Tensor, base: Tensor) -> None:
    mask = question.batch.patch_mask.clone()
    mask[:, 2:] = False
    fewer = replace(question, batch=replace(question.batch, patch_mask=mask))
    score = torch.zeros(len(target), 5, 1, 1)
    score[:, 1], score[:, 2:] = 1.0, 9.0
    curve = curves(fewer, target, base, score, draws=1).deletion
    hidden = fewer.signal.clone()
    hidden[:, 1] = base[:, 1]
    with torch.no_grad():
        torch.testing.assert_close(curve[:, 5], of_target(fewer(hidden).softmax(-1), target))


def test_area_of_a_straight_line_is_a_half() -> None:
    torch.testing.assert_close(area(shares()[None]), torch.tensor([0.5]))
