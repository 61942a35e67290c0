from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor

from otolith.explain.baselines import baseline
from otolith.explain.occlusion import occlusion
from otolith.explain.question import Question, of_target


def test_a_planted_channel_is_found(question: Question, target: Tensor) -> None:
    """All that the network reads is put out, but for one channel of one sensor."""
    model = copy.deepcopy(question.model)
    with torch.no_grad():
        weight = model.net.tokens.embed.weight[:, :-1].view(32, 12, 8)
        weight[:, :, [0, 1, 2, 3, 5, 6, 7]] = 0
    planted = replace(question, model=model)
    score = occlusion(planted, target, baseline(planted, "mean"))
    assert score.shape == (len(target), 5, 1, 6)
    assert (score[..., [0, 1, 2, 3, 5]].abs() < 1e-5).all()
    assert (score[..., 4].abs().amax((1, 2)) > 0.01).all()


@torch.no_grad()
def test_it_is_what_the_answer_loses(question: Question, target: Tensor) -> None:
    base = baseline(question, "zero")
    score = occlusion(question, target, base)
    for patch, channel in ((0, 1), (4, 5)):
        hidden = question.signal.clone()
        hidden[:, patch, :, channel] = base[:, patch, :, channel]
        lost = of_target(question(question.signal) - question(hidden), target)
        torch.testing.assert_close(score[:, patch, 0, channel], lost, atol=1e-4, rtol=1e-4)


def test_a_patch_that_is_not_there_loses_nothing(question: Question, target: Tensor) -> None:
    mask = question.batch.patch_mask.clone()
    mask[:, 4] = False
    fewer = replace(question, batch=replace(question.batch, patch_mask=mask))
    assert (occlusion(fewer, target, baseline(fewer, "mean"))[:, 4] == 0).all()
