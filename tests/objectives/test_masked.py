from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from otolith.objectives.masked import NOISE_FLOOR, masked_reconstruction


@pytest.fixture
def case() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randn(2, 3, 64, 2, generator=generator)
    patches = 3.0 + 2.0 * torch.randn(2, 3, 64, 2, generator=generator)
    return prediction, patches, torch.rand(2, 3, 2, generator=generator) < 0.5


def naive(prediction: Tensor, patches: Tensor, masked: Tensor) -> float:
    errors = []
    for b in range(masked.shape[0]):
        for p in range(masked.shape[1]):
            for c in range(masked.shape[2]):
                if masked[b, p, c]:
                    x = [float(v) for v in patches[b, p, :, c]]
                    mean = sum(x) / 64
                    std = math.sqrt(sum((v - mean) ** 2 for v in x) / 64 + NOISE_FLOOR)
                    guess = [float(v) for v in prediction[b, p, :, c]]
                    errors.append(sum((g - (v - mean) / std) ** 2 for g, v in zip(guess, x, strict=True)) / 64)
    return sum(errors) / len(errors)


def test_agrees_with_a_naive_version(case: tuple[Tensor, Tensor, Tensor]) -> None:
    assert 0 < case[2].sum() < case[2].numel()
    assert masked_reconstruction(*case).item() == pytest.approx(naive(*case), rel=1e-5)


def test_only_hidden_patches_count_even_beside_nan(case: tuple[Tensor, Tensor, Tensor]) -> None:
    prediction, patches, masked = case
    expected = masked_reconstruction(prediction, patches, masked)
    visible = ~masked[:, :, None].expand_as(patches)
    spoilt = prediction.masked_fill(visible, torch.nan).requires_grad_()
    loss = masked_reconstruction(spoilt, patches.masked_fill(visible, torch.nan), masked)
    assert torch.equal(loss, expected)
    loss.backward()
    assert spoilt.grad is not None
    assert (spoilt.grad[visible] == 0).all()
    assert (spoilt.grad[~visible] != 0).all()


def test_offset_and_amplitude_of_the_signal_do_not_matter(case: tuple[Tensor, Tensor, Tensor]) -> None:
    prediction, patches, masked = case
    other = masked_reconstruction(prediction, 40.0 * patches - 7.0, masked)
    assert torch.allclose(other, masked_reconstruction(prediction, patches, masked), rtol=1e-4)


def test_the_right_answer_is_zero_and_saying_nothing_is_one(case: tuple[Tensor, Tensor, Tensor]) -> None:
    _, patches, masked = case
    standard = (patches - patches.mean(2, keepdim=True)) / patches.std(2, correction=0, keepdim=True)
    assert masked_reconstruction(standard, patches, masked) < 1e-5
    assert masked_reconstruction(torch.zeros_like(patches), patches, masked).item() == pytest.approx(1.0, rel=1e-4)


def test_a_channel_at_rest_is_quiet(case: tuple[Tensor, Tensor, Tensor]) -> None:
    _, patches, masked = case
    still = 0.98 + 5e-5 * (patches - 3.0)  # a ripple of 0.1 mg
    assert masked_reconstruction(torch.zeros_like(still), still, masked) < 0.02


def test_batch_order_does_not_matter(case: tuple[Tensor, Tensor, Tensor]) -> None:
    flipped = (tensor.flip(0, 1) for tensor in case)
    assert torch.allclose(masked_reconstruction(*flipped), masked_reconstruction(*case))


def test_nothing_hidden_is_zero_with_a_gradient(case: tuple[Tensor, Tensor, Tensor]) -> None:
    prediction, patches, masked = case
    prediction.requires_grad_()
    loss = masked_reconstruction(prediction, patches, torch.zeros_like(masked))
    loss.backward()
    assert loss == 0
    assert prediction.grad is not None
    assert (prediction.grad == 0).all()


def test_half_precision_is_computed_in_single(case: tuple[Tensor, Tensor, Tensor]) -> None:
    prediction, patches, masked = case
    loss = masked_reconstruction(prediction.bfloat16(), patches, masked)
    assert loss.dtype == torch.float32
    assert torch.allclose(loss, masked_reconstruction(prediction, patches, masked), rtol=1e-2)
