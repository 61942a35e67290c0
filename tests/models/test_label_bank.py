from __future__ import annotations

import math
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from otolith.models.label_bank import MAX_SCALE, SHARPNESS, LabelBank, LabelBankConfig, class_scores
from otolith.types import ConfigError


class Narrow(LabelBankConfig):
    """Text vectors narrower than those of the sentence encoder."""

    dim: ClassVar[int] = 12


CONFIG = Narrow(heads=3, prototypes=3)


@pytest.fixture
def bank() -> LabelBank:
    torch.manual_seed(0)
    return LabelBank(CONFIG)


@pytest.fixture
def trained(bank: LabelBank) -> LabelBank:
    """A bank whose every parameter has left its initial value."""
    with torch.no_grad():
        for parameter in bank.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    bank.centre(*texts(9, seed=7))
    return bank


def texts(n: int, length: int = 5, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(n, length, CONFIG.dim, generator=generator) + 1.0
    lengths = torch.randint(2, length + 1, (n,), generator=generator)
    return tokens, torch.arange(length) < lengths[:, None]


def unit(*shape: int, seed: int = 3) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_starts_as_centred_mean_pooling(bank: LabelBank) -> None:
    tokens, mask = texts(4)
    mean = torch.stack([t[m].mean(0) for t, m in zip(tokens, mask, strict=True)])
    assert torch.allclose(bank.pool(tokens, mask), mean, atol=1e-6)
    assert torch.allclose(bank.embed(tokens, mask), F.normalize(mean, dim=-1), atol=1e-6)
    reference, reference_mask = texts(9, seed=7)
    bank.centre(reference, reference_mask)
    centred = F.normalize(mean, dim=-1) - F.normalize(bank.pool(reference, reference_mask), dim=-1).mean(0)
    assert torch.allclose(bank.embed(tokens, mask), F.normalize(centred, dim=-1), atol=1e-6)


def test_pooling_agrees_with_a_naive_version(trained: LabelBank) -> None:
    tokens, mask = texts(4)
    got, width = trained.pool(tokens, mask), CONFIG.dim // CONFIG.heads
    for i in range(4):
        words = tokens[i][mask[i]]
        for h in range(CONFIG.heads):
            weights = torch.softmax(words @ trained.query[h] / math.sqrt(CONFIG.dim), dim=0)
            expected = (weights[:, None] * words[:, h * width : (h + 1) * width]).sum(0)
            assert torch.allclose(got[i, h * width : (h + 1) * width], expected, atol=1e-5)


def test_prototypes_have_unit_length_differ_and_surround_the_text(bank: LabelBank) -> None:
    tokens, mask = texts(4)
    got, label = bank(tokens, mask), bank.embed(tokens, mask)
    assert got.shape == (4, 3, CONFIG.dim)
    assert torch.allclose(got.norm(dim=-1), torch.ones(4, 3), atol=1e-6)
    near = torch.einsum("lkd,ld->lk", got, label)
    assert (near > 0.9).all()
    assert (near < 0.9999).all()
    assert (torch.einsum("lkd,ljd->lkj", got, got)[:, 0, 1:] < 0.9999).all()


def test_one_prototype_is_the_text(trained: LabelBank) -> None:
    single = LabelBank(Narrow(heads=3, prototypes=1))
    tokens, mask = texts(4)
    assert torch.allclose(single(tokens, mask)[:, 0], single.embed(tokens, mask), atol=1e-6)


def test_padding_company_and_order_change_nothing(trained: LabelBank) -> None:
    tokens, mask = texts(4)
    expected = trained(tokens, mask)
    assert torch.allclose(trained(torch.where(mask[..., None], tokens, 99.0), mask), expected, atol=1e-6)
    wider, wider_mask = F.pad(tokens, (0, 0, 0, 3), value=5.0), F.pad(mask, (0, 3))
    assert torch.allclose(trained(wider, wider_mask), expected, atol=1e-6)
    assert torch.allclose(trained(tokens.flip(0), mask.flip(0)), expected.flip(0), atol=1e-6)
    assert torch.allclose(trained(tokens[:1], mask[:1]), expected[:1], atol=1e-6)
    reordered = torch.where(mask[..., None], tokens, 0).flip(1)
    assert torch.allclose(trained(reordered, mask.flip(1)), expected, atol=1e-5)


def test_several_texts_a_label_are_averaged(trained: LabelBank) -> None:
    tokens, mask = texts(5)
    owner = torch.tensor([1, 0, 1, 2, 1])
    got = trained.prototypes(tokens, mask, owner, 3)
    assert got.shape == (3, 3, CONFIG.dim)
    embedded = trained.embed(tokens, mask)
    for label in range(3):
        mean = F.normalize(torch.stack([e for e, o in zip(embedded, owner, strict=True) if o == label]).mean(0), dim=-1)
        deltas = [trained.deltas[k] @ mean for k in range(3)]
        for k in range(3):
            expected = F.normalize(mean + deltas[k] - sum(deltas) / 3, dim=-1)
            assert torch.allclose(got[label, k], expected, atol=1e-5)
    order = torch.tensor([4, 2, 0, 3, 1])
    assert torch.allclose(trained.prototypes(tokens[order], mask[order], owner[order], 3), got, atol=1e-6)
    assert torch.allclose(trained.prototypes(tokens, mask, torch.arange(5), 5), trained(tokens, mask), atol=1e-6)


@pytest.mark.parametrize("owner", [[0, 0, 2, 2], [0, 1, 2, 3]])
def test_a_label_without_a_text_is_refused(bank: LabelBank, owner: list[int]) -> None:
    with pytest.raises(ValueError, match="needs a text"):
        bank.prototypes(*texts(4), torch.tensor(owner), 3)


def test_bad_settings_are_refused(bank: LabelBank) -> None:
    for heads in (-1, 0, 7):
        with pytest.raises(ConfigError, match=f"bank.heads {heads} must divide 384"):
            LabelBankConfig(heads=heads)
    with pytest.raises(ConfigError, match="bank.prototypes must be at least 1"):
        LabelBankConfig(prototypes=0)
    for settings in ({"spread": -0.1}, {"temperature": 0.0}, {"temperature": 0.009}):
        with pytest.raises(ConfigError, match="bank.spread must not be negative, bank.temperature at least 0.01"):
            LabelBankConfig(**settings)
    with pytest.raises(ValueError, match="two texts"):
        bank.centre(*texts(1))


def test_every_parameter_learns_from_the_start(bank: LabelBank) -> None:
    bank.centre(*texts(9, seed=7))
    loss = bank.scale() * F.cross_entropy(class_scores(unit(6, CONFIG.dim), bank(*texts(4))), torch.arange(6) % 4)
    loss.backward()
    for name, parameter in bank.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_mean_is_saved(trained: LabelBank) -> None:
    copy = LabelBank(CONFIG)
    copy.load_state_dict(trained.state_dict())
    assert torch.equal(copy(*texts(4)), trained(*texts(4)))


def test_scale_starts_at_the_temperature_and_stops_at_100(bank: LabelBank) -> None:
    assert bank.scale().item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        bank.logit_scale.fill_(7.0)
    assert bank.scale().item() == pytest.approx(MAX_SCALE)
    (gradient,) = torch.autograd.grad(bank.scale(), bank.logit_scale)
    assert gradient > 0, "it can come back from the bound"


def test_class_scores_agree_with_a_naive_version() -> None:
    embedding, prototypes = unit(4, 6), unit(3, 2, 6, seed=4)
    got = class_scores(embedding, prototypes)
    assert got.shape == (4, 3)
    for b in range(4):
        for label in range(3):
            cosines = [float(embedding[b] @ p) for p in prototypes[label]]
            expected = math.log(sum(math.exp(SHARPNESS * c) for c in cosines) / 2) / SHARPNESS
            assert float(got[b, label]) == pytest.approx(expected, abs=1e-5)
            assert sum(cosines) / 2 - 1e-5 <= float(got[b, label]) <= max(cosines) + 1e-5


def test_class_scores_of_equal_prototypes_are_the_cosine() -> None:
    embedding, single = unit(4, 6), unit(3, 1, 6, seed=4)
    assert torch.allclose(class_scores(embedding, single), embedding @ single[:, 0].t(), atol=1e-6)
    assert torch.allclose(class_scores(embedding, single.expand(3, 5, 6)), embedding @ single[:, 0].t(), atol=1e-6)


def test_class_scores_keep_single_precision() -> None:
    embedding, prototypes = unit(4, 6), unit(3, 2, 6, seed=4)
    with torch.autocast("cpu", torch.bfloat16):
        got = class_scores(embedding, prototypes)
    assert torch.equal(got, class_scores(embedding, prototypes))


def test_class_scores_ignore_the_order_of_prototypes() -> None:
    embedding, prototypes = unit(4, 6), unit(3, 3, 6, seed=4)
    assert torch.allclose(class_scores(embedding, prototypes), class_scores(embedding, prototypes.flip(1)), atol=1e-6)


def test_the_nearest_prototype_gets_most_of_the_gradient_and_none_starves() -> None:
    prototypes = torch.eye(3)[None].requires_grad_()  # one class, three orthogonal prototypes
    class_scores(F.normalize(torch.tensor([[1.0, 0.5, 0.5]]), dim=-1), prototypes).sum().backward()
    assert prototypes.grad is not None
    share = prototypes.grad[0].norm(dim=-1)
    assert share[0] > 10 * share[1] > 0
    assert share[2] > 0


def test_prototypes_part_to_the_modes_of_their_class() -> None:
    """Four classes of three modes each: the prototypes, nearly equal at first, must not stay collapsed on the mean."""
    torch.manual_seed(0)

    class Wider(LabelBankConfig):
        dim: ClassVar[int] = 48

    bank = LabelBank(Wider(heads=3, prototypes=3))
    tokens, mask = torch.randn(4, 3, 48), torch.ones(4, 3, dtype=torch.bool)
    with torch.no_grad():
        centres = bank.embed(tokens, mask)
    modes = F.normalize(0.3 * centres[:, None] + unit(4, 3, 48), dim=-1)
    windows, label = modes.flatten(0, 1), torch.arange(4).repeat_interleave(3)
    optimiser = torch.optim.AdamW(bank.parameters(), lr=1e-2)
    for _ in range(100):
        optimiser.zero_grad()
        F.cross_entropy(bank.scale() * class_scores(windows, bank(tokens, mask)), label).backward()
        optimiser.step()
    with torch.no_grad():
        got = bank(tokens, mask)
        assert class_scores(windows, got).argmax(1).tolist() == label.tolist()
        nearest = torch.einsum("lmd,lkd->lmk", modes, got).argmax(-1)
        assert sum(len(set(each.tolist())) for each in nearest) >= 10, (
            "of 12 modes, those with a prototype of their own"
        )
        assert torch.einsum("lkd,ljd->lkj", got, got)[:, [0, 0, 1], [1, 2, 2]].mean() < 0.6, "0.96 at the start"
