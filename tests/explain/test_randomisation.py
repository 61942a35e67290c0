from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from otolith.explain.baselines import baseline
from otolith.explain.methods import explain
from otolith.explain.question import Question
from otolith.explain.randomisation import cascade, rank_correlation
from otolith.models.classifier import EncoderClassifier, NetworkClassifier
from otolith.models.encoder import EncoderConfig


def test_the_cascade_goes_from_the_answer_to_the_input(student: Any) -> None:
    before = {name: value.clone() for name, value in student.state_dict().items()}
    gone: dict[str, set[str]] = {}
    for name, model in cascade(student, 0):
        gone[name] = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert list(gone) == ["head", "layer 2", "layer 1", "tokens"]
    assert gone["head"] == {"head.weight", "head.bias"}
    assert all("net.layers.0" not in key for key in gone["layer 2"]) and gone["layer 2"] < gone["layer 1"]
    learnt = {name for name, _ in student.named_parameters()}
    assert gone["tokens"] == learnt, "every learnt weight is gone, what is known of the data stays"
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())


def test_weights_of_a_training_with_the_same_seed_do_not_come_back(student: Any) -> None:
    torch.manual_seed(0)
    begun = student.untrained()
    random = [model for _, model in cascade(student, 0)][-1]
    assert not torch.equal(begun.head.weight, random.head.weight)


def test_a_seed_gives_the_same_weights_and_leaves_the_global_generator_alone(student: Any) -> None:
    state = torch.get_rng_state()
    one, same, other = ([m for _, m in cascade(student, seed)][-1].head.weight for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        (NetworkClassifier("cnn", 6, 60, 3), ["head", "network"]),
        (
            EncoderClassifier(EncoderConfig(dim=16, heads=2, blocks=2), 3),
            ["head", "pooling", "layer 2", "layer 1", "tokens"],
        ),
    ],
)
def test_other_models_have_their_own_parts(model: Any, parts: list[str]) -> None:
    assert [name for name, _ in cascade(model.eval(), 0)] == parts


@pytest.mark.parametrize("method", ["ig", "occlusion"])
def test_random_weights_destroy_the_map(method: str, question: Question, target: Tensor) -> None:
    base = baseline(question, "mean")
    trained = explain(method, question, target, base).map
    for name, model in cascade(question.model, 0):
        other = explain(method, replace(question, model=model), target, base).map
        correlation = rank_correlation(trained, other, question.mask).mean()
        assert abs(correlation) < 0.3, name
    again = explain(method, replace(question, model=question.model), target, base).map
    assert rank_correlation(trained, again, question.mask).min() > 0.999


def test_rollout_does_not_depend_on_the_head_but_on_the_layers(question: Question, target: Tensor) -> None:
    trained = explain("rollout", question, target, question.signal).score
    found = {
        name: float(rank_correlation(
            trained, explain("rollout", replace(question, model=model), target, question.signal).score, question.mask
        ).mean())
        for name, model in cascade(question.model, 0)
    }  # fmt: skip
    assert found["head"] > 0.999 and found["tokens"] < 0.6


def test_rank_correlation_is_spearmans_over_what_is_there() -> None:
    one = torch.arange(6.0).view(1, 3, 2, 1)
    mask = torch.tensor([[True, True, False]])
    swapped = one.clone()
    swapped[0, 2] = -99
    assert rank_correlation(one, swapped.exp(), mask).item() == pytest.approx(1)
    assert rank_correlation(one, -one, mask).item() == pytest.approx(-1)
    assert rank_correlation(one, torch.zeros_like(one), mask).item() == 0
