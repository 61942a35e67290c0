from __future__ import annotations

import sys

import pytest
import torch
from tests.explain.models import Linear, batch_of
from torch import Tensor

from otolith.explain.baselines import BASELINES, baseline
from otolith.explain.integrated_gradients import integrated_gradients
from otolith.explain.question import Question, Vocabulary, of_target
from otolith.types import MissingExtraError


def naive(question: Question, target: Tensor, base: Tensor, steps: int) -> Tensor:
    """The definition as a sum of rectangles, midpoints, one gradient after the other."""
    signal, total = question.signal, torch.zeros_like(question.signal)
    for step in range(steps):
        point = (base + (step + 0.5) / steps * (signal - base)).requires_grad_()
        total += torch.autograd.grad(of_target(question(point), target).sum(), point)[0]
    return (signal - base) * total / steps


def test_it_is_the_integral_of_the_definition(question: Question, target: Tensor) -> None:
    base = baseline(question, "mean")
    found = integrated_gradients(question, target, base, tolerance=1e-3)
    wanted = naive(question, target, base, 100)
    assert (found.map - wanted).abs().max() < 0.01 * wanted.abs().max()


@pytest.mark.parametrize("kind", BASELINES)
def test_it_is_complete_for_every_baseline_and_any_class(question: Question, kind: str) -> None:
    """The sum of the map is the difference of the answers, measured here without what the method says of itself."""
    base, other = baseline(question, kind), torch.full((len(question.batch),), 2)
    found = integrated_gradients(question, other, base)
    with torch.no_grad():
        difference = of_target(question(question.signal) - question(base), other)
    error = (found.map.sum((1, 2, 3)) - difference).abs() / difference.abs()
    assert error.median() < 0.01 and (error < 0.01).float().mean() > 0.9
    torch.testing.assert_close(found.error.float(), error, atol=2e-3, rtol=0.05)


def test_a_linear_model_is_explained_exactly() -> None:
    torch.manual_seed(0)
    model = Linear(3, 4, 2, 5)
    question = Question(model, batch_of(torch.randn(6, 3, 4, 2)), Vocabulary(tuple(model.meta["labels"])))
    target, base = torch.tensor([0, 1, 2, 3, 4, 0]), torch.randn(6, 3, 4, 2)
    found = integrated_gradients(question, target, base)
    weight = (model.head.weight - model.head.weight.mean(0))[target].view_as(base)
    torch.testing.assert_close(found.map, weight * (question.signal - base), atol=1e-5, rtol=1e-4)
    assert found.error.max() < 1e-4 and (found.steps == 32).all()


def test_steps_double_until_the_error_is_small_and_no_further_than_allowed(question: Question, target: Tensor) -> None:
    base = baseline(question, "zero")
    rough = integrated_gradients(question, target, base, tolerance=torch.inf, steps=1)
    fine = integrated_gradients(question, target, base, tolerance=0.01, steps=1)
    stopped = integrated_gradients(question, target, base, tolerance=0.0, steps=1, most=4)
    assert rough.error.max() > 0.01 > fine.error.max()
    assert (rough.steps == 1).all() and fine.steps.max() > 4 and (stopped.steps == 4).all()


def test_the_extra_is_named(question: Question, target: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingExtraError, match=r"needs 'captum'.*otolith\[explain\]"):
        integrated_gradients(question, target, question.signal)
