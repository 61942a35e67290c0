from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from otolith.objectives.contrastive import patch_infonce

TEMPERATURE = 0.3


@pytest.fixture
def case() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(3, 4, 5, generator=generator) for _ in range(2))
    return a, b, torch.arange(4) < torch.tensor([4, 2, 3])[:, None]


def naive(a: Tensor, b: Tensor, valid: Tensor) -> float:
    def cosine(x: Tensor, y: Tensor) -> float:
        return float((x * y).sum() / x.norm() / y.norm())

    keys = [(i, p) for i in range(valid.shape[0]) for p in range(valid.shape[1]) if valid[i, p]]
    terms = []
    for one, other in ((a, b), (b, a)):
        for key in keys:
            own = math.exp(cosine(one[key], other[key]) / TEMPERATURE)
            every = sum(math.exp(cosine(one[key], other[k]) / TEMPERATURE) for k in keys)
            terms.append(-math.log(own / every))
    return sum(terms) / len(terms)


def test_agrees_with_a_naive_version(case: tuple[Tensor, Tensor, Tensor]) -> None:
    assert patch_infonce(*case, TEMPERATURE).item() == pytest.approx(naive(*case), rel=1e-5)


def test_symmetric_in_the_views_and_in_the_order(case: tuple[Tensor, Tensor, Tensor]) -> None:
    a, b, valid = case
    expected = patch_infonce(a, b, valid)
    assert torch.allclose(patch_infonce(b, a, valid), expected)
    assert torch.allclose(patch_infonce(a.flip(0, 1), b.flip(0, 1), valid.flip(0, 1)), expected)
    assert torch.allclose(patch_infonce(7 * a, 0.1 * b, valid), expected), "lengths do not matter"


def test_padding_has_no_part_even_when_nan(case: tuple[Tensor, Tensor, Tensor]) -> None:
    a, b, valid = case
    expected = patch_infonce(a, b, valid)
    spoilt = a.masked_fill(~valid[..., None], torch.nan).requires_grad_()
    loss = patch_infonce(spoilt, b.masked_fill(~valid[..., None], torch.nan), valid)
    assert torch.allclose(loss, expected)
    loss.backward()
    assert spoilt.grad is not None
    assert (spoilt.grad[~valid] == 0).all()
    assert (spoilt.grad[valid] != 0).any(dim=-1).all()


def test_matching_views_are_better_than_shuffled_ones(case: tuple[Tensor, Tensor, Tensor]) -> None:
    a, _, valid = case
    assert patch_infonce(a, a, valid) < 0.5 * patch_infonce(a, a.roll(1, dims=0), valid)


def test_single_precision_under_autocast(case: tuple[Tensor, Tensor, Tensor]) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        got = patch_infonce(*case)
    assert torch.equal(got, patch_infonce(*case))


def test_patches_that_are_all_alike_give_log_n() -> None:
    same = torch.ones(2, 5, 4)
    assert patch_infonce(same, same, torch.ones(2, 5, dtype=torch.bool)).item() == pytest.approx(math.log(10))


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_patches_give_zero_with_a_gradient(case: tuple[Tensor, Tensor, Tensor], count: int) -> None:
    a, b, _ = case
    a.requires_grad_()
    loss = patch_infonce(a, b, (torch.arange(12) < count).view(3, 4))
    loss.backward()
    assert loss == 0
    assert a.grad is not None
    assert (a.grad == 0).all()
