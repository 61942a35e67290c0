from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from otolith.objectives.alignment import MemoryBank, alignment_losses
from otolith.objectives.relations import LabelRelations, relate, soft_targets

LABELS, GROUP = 5, torch.tensor([0, 0, 1, 1, 2])
LABEL = torch.tensor([0, 1, 4, 0, -1, 2, 4])
BANK_LABEL = torch.tensor([3, 0, -1, 4, 1, 0, 2, 3])
SCALE = torch.tensor(6.0)


def alignment_loss(*arguments: torch.Tensor) -> torch.Tensor:
    """The mean of both directions, as stage 2 trains on it."""
    scores, label, targets, group, scale, *rest = arguments
    relations = apart_by_group(targets, group)
    asked = [torch.ones_like(each, dtype=torch.bool) for each in (scores, *rest[:1])]
    motion_to_text, text_to_motion = alignment_losses(scores, label, relations, scale, asked[0], *rest, *asked[1:])
    return (motion_to_text + text_to_motion) / 2


def apart_by_group(targets: Tensor, group: Tensor) -> LabelRelations:
    """Labels that are no kinds of each other."""
    nothing = torch.zeros(len(group), len(group), dtype=torch.bool)
    return LabelRelations(targets, nothing, group[:, None] != group, torch.arange(len(group)))


def cosines(n: int, seed: int) -> Tensor:
    return torch.rand(n, LABELS, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture
def scores() -> Tensor:
    return cosines(len(LABEL), 0)


@pytest.fixture
def bank_scores() -> Tensor:
    return cosines(len(BANK_LABEL), 1)


@pytest.fixture
def targets() -> Tensor:
    return soft_targets(torch.randn(LABELS, 8, generator=torch.Generator().manual_seed(2)))


def naive(scores: Tensor, label: Tensor, targets: Tensor, bank_scores: Tensor, bank_label: Tensor) -> float:
    scale, batch = float(SCALE), [b for b in range(len(label)) if label[b] >= 0]
    to_text = []
    for b in batch:
        every = sum(math.exp(scale * float(s)) for s in scores[b])
        mine = zip(targets[int(label[b])], scores[b], strict=True)
        to_text.append(-sum(float(t) * math.log(math.exp(scale * float(s)) / every) for t, s in mine))
    everyone = [(scores[b], int(label[b])) for b in batch]
    everyone += [(s, int(y)) for s, y in zip(bank_scores, bank_label, strict=True) if y >= 0]
    to_motion = []
    for word in sorted({int(label[b]) for b in batch}):
        others = sum(math.exp(scale * float(s[word])) for s, y in everyone if GROUP[y] != GROUP[word])
        own = [math.exp(scale * float(scores[b, word])) for b in batch if label[b] == word]
        to_motion.append(sum(-math.log(o / (o + others)) for o in own) / len(own))
    return (sum(to_text) / len(to_text) + sum(to_motion) / len(to_motion)) / 2


def test_agrees_with_a_naive_version(scores: Tensor, targets: Tensor, bank_scores: Tensor) -> None:
    got = alignment_loss(scores, LABEL, targets, GROUP, SCALE, bank_scores, BANK_LABEL)
    assert got.item() == pytest.approx(naive(scores, LABEL, targets, bank_scores, BANK_LABEL), rel=1e-5)
    without = alignment_loss(scores, LABEL, targets, GROUP, SCALE)
    assert without.item() == pytest.approx(naive(scores, LABEL, targets, bank_scores[:0], BANK_LABEL[:0]), rel=1e-5)
    assert got > without, "the bank adds negatives"


def test_an_empty_bank_is_no_bank(scores: Tensor, targets: Tensor, bank_scores: Tensor) -> None:
    without = alignment_loss(scores, LABEL, targets, GROUP, SCALE)
    empty = torch.full_like(BANK_LABEL, -1)
    assert torch.equal(alignment_loss(scores, LABEL, targets, GROUP, SCALE, bank_scores, empty), without)
    assert torch.equal(alignment_loss(scores, LABEL, targets, GROUP, SCALE, bank_scores[:0], empty[:0]), without)


def test_order_of_windows_bank_and_labels_does_not_matter(scores: Tensor, targets: Tensor, bank_scores: Tensor) -> None:
    expected = alignment_loss(scores, LABEL, targets, GROUP, SCALE, bank_scores, BANK_LABEL)
    flipped = alignment_loss(
        scores.flip(0), LABEL.flip(0), targets, GROUP, SCALE, bank_scores.flip(0), BANK_LABEL.flip(0)
    )
    assert torch.allclose(flipped, expected)
    order = torch.tensor([3, 0, 4, 1, 2])  # new label i is old label order[i]
    rename = torch.cat([order.argsort(), torch.tensor([-1])])  # index -1 stays -1
    renamed = alignment_loss(
        scores[:, order],
        rename[LABEL],
        targets[order][:, order],
        GROUP[order],
        SCALE,
        bank_scores[:, order],
        rename[BANK_LABEL],
    )
    assert torch.allclose(renamed, expected)


def test_unlabelled_windows_and_empty_slots_have_no_part(scores: Tensor, targets: Tensor, bank_scores: Tensor) -> None:
    expected = alignment_loss(scores, LABEL, targets, GROUP, SCALE, bank_scores, BANK_LABEL)
    scores, bank_scores = scores.clone(), bank_scores.clone()
    scores[LABEL < 0], bank_scores[BANK_LABEL < 0] = 0.99, 0.99
    scores.requires_grad_()
    loss = alignment_loss(scores, LABEL, targets, GROUP, SCALE, bank_scores, BANK_LABEL)
    assert torch.equal(loss, expected)
    loss.backward()
    assert scores.grad is not None
    assert (scores.grad[LABEL < 0] == 0).all()
    assert (scores.grad[LABEL >= 0] != 0).any(dim=-1).all()


def test_windows_of_the_same_group_are_no_negatives(targets: Tensor, scores: Tensor, bank_scores: Tensor) -> None:
    def loss(label: list[int], bank: Tensor, bank_label: list[int]) -> Tensor:
        return alignment_loss(scores[:3], torch.tensor(label), targets, GROUP, SCALE, bank, torch.tensor(bank_label))

    moved = 0.9 - bank_scores
    assert torch.equal(loss([0, 1, 0], bank_scores[:3], [0, 1, 1]), loss([0, 1, 0], moved[:3], [0, 1, 1]))
    assert not torch.equal(loss([0, 1, 0], bank_scores[:3], [0, 1, 2]), loss([0, 1, 0], moved[:3], [0, 1, 2]))


def test_a_partial_label_says_only_what_is_certain() -> None:
    """Of label 0 (stairs) both 1 (up) and 2 (down) are kinds; 3 is another motion."""
    text = torch.eye(4)
    general = torch.tensor([0, 0, 0, 3])
    relations = relate(text, torch.arange(4), general, hardness=1.0)
    scores = torch.zeros(1, 4, requires_grad=True)

    def pull(label: int) -> list[float]:
        loss, _ = alignment_losses(scores, torch.tensor([label]), relations, SCALE, torch.ones(1, 4, dtype=torch.bool))
        return [round(float(-g), 3) for g in torch.autograd.grad(loss, scores)[0][0] / SCALE]

    assert pull(0) == [0.5, 0.0, 0.0, -0.5], "whether up or down is left open"
    assert pull(1) == [0.25, 0.25, -0.25, -0.25], "up is stairs as well, and neither down nor another motion"


def test_the_text_of_a_general_label_finds_windows_of_its_kinds() -> None:
    relations = relate(torch.eye(3), torch.arange(3), torch.tensor([1, 1, 2]), hardness=1.0)  # 0 is a kind of 1
    scores = torch.zeros(2, 3, requires_grad=True)
    _, loss = alignment_losses(scores, torch.tensor([0, 2]), relations, SCALE, torch.ones(2, 3, dtype=torch.bool))
    (gradient,) = torch.autograd.grad(loss, scores)
    assert gradient[0, 1] < 0 < gradient[1, 1], "the window of the kind is drawn to the general text, the other is not"


def test_a_dataset_teaches_nothing_of_labels_that_it_never_saw() -> None:
    """Windows of label 0 come from a dataset without label 2: they do not push it away, in either direction."""
    relations = apart_by_group(torch.eye(3), torch.arange(3))
    asked = torch.tensor([[True, True, False], [True, True, True]])
    scores = torch.zeros(2, 3, requires_grad=True)
    for loss in alignment_losses(scores, torch.tensor([0, 2]), relations, SCALE, asked):
        (gradient,) = torch.autograd.grad(loss, scores, retain_graph=True)
        assert gradient[0, 2] == 0
    to_text, _ = alignment_losses(scores, torch.tensor([0, 2]), relations, SCALE, torch.ones_like(asked))
    assert torch.autograd.grad(to_text, scores)[0][0, 2] > 0


def test_a_right_embedding_is_better_than_a_shuffled_one(targets: Tensor, bank_scores: Tensor) -> None:
    label = torch.arange(LABELS)
    right = torch.eye(LABELS)
    bank = (bank_scores, BANK_LABEL)
    good = alignment_loss(right, label, targets, GROUP, SCALE, *bank)
    assert good < alignment_loss(right.roll(2, dims=0), label, targets, GROUP, SCALE, *bank) - 1


def test_gradient_steps_find_the_labels(targets: Tensor) -> None:
    torch.manual_seed(0)
    embedding = torch.randn(10, 6, requires_grad=True)
    words, label = F.normalize(torch.randn(LABELS, 6), dim=-1), torch.arange(10) % LABELS
    optimiser = torch.optim.Adam([embedding], lr=0.1)
    for _ in range(60):
        optimiser.zero_grad()
        alignment_loss(F.normalize(embedding, dim=-1) @ words.t(), label, targets, GROUP, SCALE).backward()
        optimiser.step()
    assert (F.normalize(embedding, dim=-1) @ words.t()).argmax(1).tolist() == label.tolist()


def test_one_label_alone_is_finite(scores: Tensor, targets: Tensor) -> None:
    scores.requires_grad_()
    scale = SCALE.clone().requires_grad_()
    loss = alignment_loss(scores, torch.zeros(len(scores), dtype=torch.long), targets, GROUP, scale)
    loss.backward()
    assert loss > 0
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert scale.grad is not None
    assert scale.grad.isfinite()


def test_all_unlabelled_is_zero_with_a_gradient(scores: Tensor, targets: Tensor, bank_scores: Tensor) -> None:
    scores.requires_grad_()
    loss = alignment_loss(scores, torch.full_like(LABEL, -1), targets, GROUP, SCALE, bank_scores, BANK_LABEL)
    loss.backward()
    assert loss == 0
    assert scores.grad is not None
    assert (scores.grad == 0).all()


@pytest.mark.parametrize("sizes", [[3, 4], [2, 2, 2, 2], [5], [4, 1], [12], [3, 12, 2], [0, 3], [7, 7, 7]])
def test_memory_bank_keeps_the_latest(sizes: list[int]) -> None:
    bank, seen = MemoryBank(5, 2), 0
    for size in sizes:
        number = torch.arange(seen, seen + size)
        bank.push(torch.stack([number, -number], dim=1).float(), number)
        seen += size
        embedding, label, valid = bank.entries()
        latest = list(range(max(0, seen - 5), seen))
        assert sorted(label[valid].tolist()) == latest
        assert torch.equal(embedding[valid], torch.stack([label[valid], -label[valid]], dim=1).float())
        assert (label[~valid] == -1).all()


def test_memory_bank_leaves_unlabelled_windows_out() -> None:
    bank = MemoryBank(3, 1)
    bank.push(torch.tensor([[1.0], [2.0], [3.0], [4.0], [5.0]]), torch.tensor([1, -1, 3, -1, -1]))
    embedding, label, valid = bank.entries()
    assert label.tolist() == [1, 3, -1]
    assert embedding[valid].flatten().tolist() == [1.0, 3.0]


def test_memory_bank_cuts_the_gradient_and_gives_copies() -> None:
    bank = MemoryBank(3, 1)
    bank.push(torch.ones(2, 1, requires_grad=True), torch.tensor([0, 1]))
    embedding, label, _ = bank.entries()
    assert not embedding.requires_grad
    bank.push(torch.zeros(3, 1), torch.tensor([2, 2, 2]))
    assert embedding.flatten().tolist() == [1.0, 1.0, 0.0]
    assert label.tolist() == [0, 1, -1]


def test_memory_bank_resumes() -> None:
    bank, copy = MemoryBank(5, 2), MemoryBank(5, 2)
    bank.push(torch.rand(7, 2), torch.arange(7))
    copy.load_state_dict(bank.state_dict())
    new = torch.rand(2, 2)
    for each in (bank, copy):
        each.push(new, torch.tensor([8, 9]))
    assert all(torch.equal(a, b) for a, b in zip(bank.entries(), copy.entries(), strict=True))
    with pytest.raises(ValueError, match="slot"):
        MemoryBank(0, 2)
