from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from otolith.objectives.distillation import (
    attention_transfer,
    cosine_distance,
    hard_answers,
    relational,
    soft_answers,
)

Loss = Callable[[Tensor, Tensor], Tensor]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def softmax(logits: Tensor, temperature: float = 1.0) -> list[float]:
    weights = [math.exp(float(x) / temperature) for x in logits]
    return [w / sum(weights) for w in weights]


def cosine(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum() / a.norm() / b.norm())


def evenly(patches: int, rows: int = 1) -> tuple[Tensor, Tensor]:
    """Centres and mask of patches of one size that fill their segment."""
    centre = (torch.arange(patches) + 0.5) / patches
    return centre.expand(rows, -1), torch.ones(rows, patches, dtype=torch.bool)


# Each against a naive version


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_soft_answers_agree_with_a_naive_version(temperature: float) -> None:
    student, teacher = 2 * draw(5, 4), 2 * draw(5, 4, seed=1)
    each = []
    for ours, theirs in zip(student, teacher, strict=True):
        p, q = softmax(theirs, temperature), softmax(ours, temperature)
        each.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    expected = temperature**2 * sum(each) / 5
    assert soft_answers(student, teacher, temperature).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_hard_answers_agree_with_a_naive_version(smoothing: float) -> None:
    logits, target = draw(3, 4), torch.tensor([[0, 1.0, 0, 0], [0.3, 0, 0, 0.7], [0.25] * 4])
    each = []
    for ours, wanted in zip(logits, target, strict=True):
        shares = [(1 - smoothing) * float(t) + smoothing / 4 for t in wanted]
        each.append(-sum(t * math.log(q) for t, q in zip(shares, softmax(ours), strict=True)))
    assert hard_answers(logits, target, smoothing).item() == pytest.approx(sum(each) / 3, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_hard_answers_to_one_class_are_those_of_torch(smoothing: float) -> None:
    logits, label = draw(6, 5), torch.tensor([0, 4, 2, 2, 1, 3])
    expected = torch.nn.functional.cross_entropy(logits, label, label_smoothing=smoothing)
    torch.testing.assert_close(hard_answers(logits, torch.eye(5)[label], smoothing), expected)


def test_cosine_distance_agrees_with_a_naive_version() -> None:
    student, teacher = draw(5, 7), draw(5, 7, seed=1)
    expected = sum(1 - cosine(a, b) for a, b in zip(student, teacher, strict=True)) / 5
    assert cosine_distance(student, teacher).item() == pytest.approx(expected, rel=1e-5)
    # Half the squared distance of unit vectors, and their lengths do not matter.
    one, other = (x / x.norm(dim=1, keepdim=True) for x in (student, teacher))
    assert float((one - other).square().sum(1).mean() / 2) == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(cosine_distance(3 * student, 0.2 * teacher), cosine_distance(student, teacher))
    assert cosine_distance(student, -student).item() == pytest.approx(2)


def test_relational_agrees_with_a_naive_version() -> None:
    student, teacher = draw(5, 3), draw(5, 7, seed=1)
    each = [
        (cosine(student[i], student[j]) - cosine(teacher[i], teacher[j])) ** 2
        for i in range(5)
        for j in range(5)
        if i != j
    ]
    assert relational(student, teacher).item() == pytest.approx(sum(each) / 20, rel=1e-4)


def attention_case() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Three segments: the student's patches are dynamic and padded, the teacher's of one size."""
    centre = torch.tensor([[0.1, 0.3, 0.5, 0.8, 1.0], [0.15, 0.5, 0.85, 1.0, 1.0], [0.1, 0.25, 0.4, 0.6, 0.85]])
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()
    return draw(3, 5).exp(), centre, mask, draw(3, 4, seed=1).exp(), *evenly(4, 3)


def test_attention_transfer_agrees_with_a_naive_version() -> None:
    student, student_centre, student_mask, teacher, centre, mask = attention_case()

    def density(weight: Tensor, centre: Tensor, mask: Tensor) -> list[float]:
        here = [p for p in range(len(weight)) if mask[p]]
        at = [min(here, key=lambda p, t=t: abs(float(centre[p]) - (t + 0.5) / 32)) for t in range(32)]  # type: ignore[misc]
        length = math.sqrt(sum(float(weight[p]) ** 2 for p in at))
        return [float(weight[p]) / length for p in at]

    each = []
    for b in range(3):
        one = density(student[b], student_centre[b], student_mask[b])
        other = density(teacher[b], centre[b], mask[b])
        each.append(sum((x - y) ** 2 for x, y in zip(one, other, strict=True)))
    assert attention_transfer(*attention_case()).item() == pytest.approx(sum(each) / 3, rel=1e-4)


# What they have in common

PAIRS: dict[str, Loss] = {
    "answers": lambda s, t: soft_answers(s, t, 3.0),
    "cosine": cosine_distance,
    "relational": relational,
    "attention": lambda s, t: attention_transfer(
        s.softmax(-1), *evenly(s.shape[1], len(s)), t.softmax(-1), *evenly(t.shape[1], len(t))
    ),
}
EVERY = pytest.mark.parametrize("loss", PAIRS.values(), ids=PAIRS)


@EVERY
def test_zero_where_equal_and_more_elsewhere(loss: Loss) -> None:
    student = draw(6, 4)
    assert loss(student, student.clone()).item() == pytest.approx(0, abs=1e-6)
    assert loss(student, draw(6, 4, seed=1)) > 0.01
    assert loss(student, student + 0.1 * draw(6, 4, seed=1)) < loss(student, draw(6, 4, seed=1))


@EVERY
def test_the_teacher_learns_nothing(loss: Loss) -> None:
    student, teacher = draw(6, 4).requires_grad_(), draw(6, 4, seed=1).requires_grad_()
    loss(student, teacher).backward()
    assert teacher.grad is None
    assert student.grad is not None and (student.grad != 0).any(dim=1).all()


@EVERY
def test_an_empty_batch_is_zero_with_a_gradient(loss: Loss) -> None:
    width = torch.ones(4, requires_grad=True)
    value = loss(draw(0, 4) * width, draw(0, 4))
    value.backward()
    assert value == 0 and value.isfinite()
    assert width.grad is not None and (width.grad == 0).all()


def test_no_hard_answers_are_zero_with_a_gradient() -> None:
    width = torch.ones(4, requires_grad=True)
    loss = hard_answers(draw(0, 4) * width, torch.zeros(0, 4), 0.1)
    loss.backward()
    assert loss == 0 and width.grad is not None and (width.grad == 0).all()


@EVERY
def test_the_order_of_the_batch_does_not_matter(loss: Loss) -> None:
    student, teacher = draw(6, 4), draw(6, 4, seed=1)
    torch.testing.assert_close(loss(student.flip(0), teacher.flip(0)), loss(student, teacher))
    assert not torch.allclose(loss(student.flip(0), teacher), loss(student, teacher), rtol=1e-3)


@EVERY
def test_single_precision_under_autocast(loss: Loss) -> None:
    student, teacher = draw(6, 32), draw(6, 32, seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        got = loss(student, teacher)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, loss(student, teacher))


# What is particular to each


def test_the_size_of_the_gradient_does_not_depend_on_the_temperature() -> None:
    """Hinton et al. 2015, equation 4: where logits are small, (z - v) / (L T^2), times T^2."""
    sizes = []
    for temperature in (1.0, 3.0, 10.0):
        student, teacher = (0.01 * draw(6, 4)).requires_grad_(), 0.01 * draw(6, 4, seed=1)
        soft_answers(student, teacher, temperature).backward()
        assert student.grad is not None
        sizes.append(float(student.grad.norm()))
    assert sizes == pytest.approx([sizes[0]] * 3, rel=0.02)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_a_temperature_must_be_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="the temperature must be positive"):
        soft_answers(draw(2, 3), draw(2, 3), temperature)


def test_certain_answers_are_finite() -> None:
    student = torch.tensor([[200.0, -200.0], [0.0, 0.0]]).requires_grad_()
    loss = soft_answers(student, torch.tensor([[-200.0, 200.0], [500.0, -500.0]]), 1.0)
    loss.backward()
    assert loss.isfinite() and student.grad is not None and student.grad.isfinite().all()


def test_relations_do_not_depend_on_how_the_space_lies() -> None:
    student, teacher = draw(8, 5), draw(8, 12, seed=1)
    turn = torch.linalg.qr(draw(5, 5, seed=2))[0]
    lengths = draw(8, 1, seed=3).exp()
    torch.testing.assert_close(relational(lengths * student @ turn, teacher), relational(student, teacher))
    # A student who lies turned to its teacher keeps all relations, in a wider space too.
    wider = torch.cat([teacher, torch.zeros(8, 3)], dim=1) @ torch.linalg.qr(draw(15, 15, seed=4))[0]
    assert relational(wider, teacher) < 1e-9 < cosine_distance(wider[:, :12], teacher)


@pytest.mark.parametrize("count", [0, 1])
def test_one_vector_has_no_relation(count: int) -> None:
    student = draw(count, 4).requires_grad_()
    loss = relational(student, draw(count, 6, seed=1))
    loss.backward()
    assert loss == 0 and student.grad is not None and (student.grad == 0).all()


@pytest.mark.parametrize(("few", "many"), [(4, 8), (2, 16), (8, 32), (1, 5)])
def test_attention_is_matched_in_time(few: int, many: int) -> None:
    """The same density over time in patches of another size: the same; moved in time it is not."""
    coarse = draw(3, few).softmax(-1)
    fine = coarse.repeat_interleave(many // few, dim=1) * few / many
    assert attention_transfer(coarse, *evenly(few, 3), fine, *evenly(many, 3)) < 1e-12
    assert attention_transfer(fine, *evenly(many, 3), coarse, *evenly(few, 3)) < 1e-12
    if few > 1:
        assert attention_transfer(coarse, *evenly(few, 3), fine.flip(1), *evenly(many, 3)) > 0.01


def test_attention_in_opposite_places_is_as_different_as_can_be() -> None:
    early, late = torch.tensor([[1.0, 0]]), torch.tensor([[0, 0, 1.0, 1.0]])
    assert attention_transfer(early, *evenly(2), late, *evenly(4)).item() == pytest.approx(2)


def test_padding_has_no_part_in_attention_even_when_nan() -> None:
    student, student_centre, student_mask, teacher, centre, mask = attention_case()
    expected = attention_transfer(student, student_centre, student_mask, teacher, centre, mask)
    spoilt = student.masked_fill(~student_mask, torch.nan).requires_grad_()
    moved = student_centre.masked_fill(~student_mask, 0.5)  # in the very middle
    loss = attention_transfer(spoilt, moved, student_mask, teacher, centre, mask)
    assert torch.equal(loss, expected)
    loss.backward()
    assert spoilt.grad is not None and spoilt.grad.isfinite().all()
    assert (spoilt.grad[~student_mask] == 0).all() and (spoilt.grad[student_mask] != 0).all()
    more = torch.nn.functional.pad(teacher, (0, 2), value=torch.nan)
    wide = (torch.nn.functional.pad(centre, (0, 2), value=0.5), torch.nn.functional.pad(mask, (0, 2), value=False))
    assert torch.equal(attention_transfer(student, student_centre, student_mask, more, *wide), expected)
