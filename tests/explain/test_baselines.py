from __future__ import annotations

import pytest
import torch
from tests.explain.models import Linear, batch_of

from otolith.explain.baselines import baseline
from otolith.explain.question import Question, Vocabulary
from otolith.types import ConfigError


def test_the_mean_is_that_of_the_training_people(question: Question) -> None:
    base = baseline(question, "mean")
    assert base.shape == question.signal.shape
    torch.testing.assert_close(base[3, 2, 5], question.model.net.tokens.mean[:6])


def test_a_blur_keeps_posture_and_takes_motion_out(question: Question) -> None:
    base = baseline(question, "blurred").flatten(1, 2)
    signal = question.signal.flatten(1, 2)
    torch.testing.assert_close(base.mean(1), signal.mean(1), atol=0.15, rtol=0)
    assert (base.diff(dim=1).abs().mean() < 0.2 * signal.diff(dim=1).abs().mean()).all()


def test_a_missing_patch_does_not_bleed_into_the_blur() -> None:
    patches, mask = torch.ones(1, 3, 4, 2), torch.tensor([[True, True, False]])
    patches[:, 2] = 50.0
    model = Linear(3, 4, 2, 2)
    base = baseline(Question(model, batch_of(patches, mask), Vocabulary(("a", "b"))), "blurred")
    torch.testing.assert_close(base[:, :2], torch.ones(1, 2, 4, 2))


def test_what_cannot_be_is_said(question: Question) -> None:
    with pytest.raises(ConfigError, match="must be one of mean, zero, blurred, not 'noise'"):
        baseline(question, "noise")
    other = Question(Linear(5, 12, 6, 2), question.batch, Vocabulary(("a", "b")))
    with pytest.raises(ConfigError, match="keeps no mean of its training people"):
        baseline(other, "mean")
