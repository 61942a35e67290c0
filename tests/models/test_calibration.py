from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from otolith.models.calibration import (
    MAX_THRESHOLD,
    calibrate,
    fit_temperature,
    precision_threshold,
    share_threshold,
)
from otolith.types import DataError


def drawn(temperature: float, n: int = 4000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that are `temperature` times those by which the truth was drawn."""
    generator = torch.Generator().manual_seed(0)
    honest = 1.5 * torch.randn(n, 5, generator=generator)
    truth = torch.multinomial(honest.softmax(-1), 1, generator=generator)[:, 0]
    return temperature * honest, truth


@pytest.mark.parametrize("temperature", [1.1, 4.0])
def test_finds_the_temperature_that_the_logits_were_made_with(temperature: float) -> None:
    logits, truth = drawn(temperature)
    found = fit_temperature(logits, truth)
    assert found == pytest.approx(temperature, rel=0.05)
    best = F.cross_entropy(logits / found, truth)
    for factor in (0.97, 1.03):
        assert F.cross_entropy(logits / (factor * found), truth) > best


def test_cools_an_overconfident_model() -> None:
    logits, truth = drawn(6.0)
    fit, held_out = slice(0, 2000), slice(2000, None)
    temperature = calibrate(logits[fit], truth[fit])["temperature"]
    before = F.cross_entropy(logits[held_out], truth[held_out])
    assert F.cross_entropy(logits[held_out] / temperature, truth[held_out]) < 0.5 * before


def test_beliefs_are_never_sharpened() -> None:
    truth = torch.arange(3).repeat(4)
    assert fit_temperature(F.one_hot(truth, 3).float(), truth) == pytest.approx(1.0)  # without an error
    assert fit_temperature(*drawn(0.5)) == pytest.approx(1.0)  # too modest


def test_rejects_no_more_than_the_share() -> None:
    confidence = torch.linspace(0.05, 1.0, 20)
    correct = torch.ones(20, dtype=torch.bool)
    assert share_threshold(confidence, correct, 0.1) == pytest.approx(0.15)  # 0.05 and 0.10 lie below
    assert share_threshold(confidence, correct, 0.0) == pytest.approx(0.05)
    correct[:10] = False  # errors do not count: of ten correct windows one may go
    assert share_threshold(confidence, correct, 0.1) == pytest.approx(0.60)
    assert share_threshold(torch.full((8,), 0.7), torch.ones(8, dtype=torch.bool), 0.5) == pytest.approx(0.7)
    assert share_threshold(confidence, torch.zeros(20, dtype=torch.bool), 0.1) == 0.0


def test_calibrated_threshold_keeps_its_promise_and_rejects_more_errors() -> None:
    logits, truth = drawn(3.0)
    found = calibrate(logits, truth, rejected=0.1)
    confidence, predicted = (logits.double() / found["temperature"]).softmax(-1).max(-1)
    correct, kept = predicted == truth, confidence >= found["threshold"]
    assert 0.09 < 1 - kept[correct].double().mean() <= 0.1
    assert 1 - kept[~correct].double().mean() > 0.2


def test_precision_takes_the_lowest_threshold_that_reaches_it() -> None:
    confidence = torch.tensor([0.9, 0.8, 0.7, 0.7, 0.6])
    correct = torch.tensor([True, True, True, False, False])
    assert precision_threshold(confidence, correct, 1.0) == pytest.approx(0.8)
    assert precision_threshold(confidence, correct, 0.75) == pytest.approx(0.7)  # equal ones are accepted together
    assert precision_threshold(confidence, correct, 0.6) == pytest.approx(0.6)
    with pytest.raises(DataError, match=r"the best is 0\.000"):
        precision_threshold(confidence, torch.zeros(5, dtype=torch.bool), 0.5)


def test_unlabelled_windows_are_left_out() -> None:
    logits, truth = drawn(2.0, n=300)
    noise = torch.cat([logits, torch.randn(50, 5)]), torch.cat([truth, torch.full((50,), -1)])
    assert calibrate(*noise) == calibrate(logits, truth)
    with pytest.raises(DataError, match="no labelled window"):
        calibrate(logits, torch.full((300,), -1))


def test_people_without_an_error_give_no_absurd_threshold() -> None:
    """All right and nearly certain: what lies a hair below certainty is no reason to say unknown."""
    truth = torch.arange(4).repeat(25)
    logits = 14 * F.one_hot(truth, 4).double() + torch.linspace(0, 1, 100)[:, None].double() * F.one_hot(truth, 4)
    assert logits.softmax(-1).max(-1).values.min() > 0.99999
    assert calibrate(logits, truth)["threshold"] == MAX_THRESHOLD == 0.9
