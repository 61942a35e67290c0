from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from otolith.data.segments import Segments
from otolith.data.windows import WindowIndex
from otolith.explain.question import Question, Vocabulary
from otolith.explain.rollout import _on_grid, attention, relevance, rollout
from otolith.models.classifier import EncoderClassifier, NetworkClassifier
from otolith.models.encoder import EncoderConfig
from otolith.models.layers import Attend
from otolith.train.supervised import as_seen_by
from otolith.types import ConfigError

FIRST = torch.tensor([[[0.2, 0.8], [0.5, 0.5]]])
SECOND = torch.tensor([[[1.0, 0.0], [0.4, 0.6]]])


def test_two_layers_by_hand() -> None:
    """(A + I) / 2: [[.6, .4], [.25, .75]], then [[1, 0], [.2, .8]]; the later one stands on the left."""
    one, two = rollout([FIRST, SECOND])
    torch.testing.assert_close(one, torch.tensor([[[0.6, 0.4], [0.25, 0.75]]]))
    torch.testing.assert_close(two, torch.tensor([[[0.6, 0.4], [0.2 * 0.6 + 0.8 * 0.25, 0.2 * 0.4 + 0.8 * 0.75]]]))


def test_the_order_of_the_layers_matters() -> None:
    right, wrong = rollout([FIRST, SECOND])[-1], rollout([SECOND, FIRST])[-1]
    assert (right - wrong).abs().max() > 0.05


def test_rows_stay_shares() -> None:
    torch.manual_seed(0)
    for matrix in rollout([torch.rand(3, 7, 7).softmax(-1) for _ in range(5)]):
        torch.testing.assert_close(matrix.sum(-1), torch.ones(3, 7))


def test_the_matrices_are_those_of_the_forward_pass(question: Question, student: Any) -> None:
    found = attention(question)
    last = student.see(question.batch, attention=True).attention
    assert len(found.matrices) == 2 and found.shape == (5, 1)
    torch.testing.assert_close(found.matrices[-1][:, 0, 1:], last)
    torch.testing.assert_close(relevance(found).sum((1, 2, 3)), torch.ones(len(last)))
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in student.modules())


def test_a_patch_that_is_not_there_has_no_share(question: Question) -> None:
    mask = question.batch.patch_mask.clone()
    mask[:, 3:] = False
    share = relevance(attention(replace(question, batch=replace(question.batch, patch_mask=mask))))
    assert (share[:, 3:] == 0).all() and (share[:, :3] > 0).all()


def test_a_teacher_is_followed_to_its_sensors(teacher: Any, unseen: WindowIndex, segments: Segments) -> None:
    seen = as_seen_by(teacher, [unseen], segments.config, labels=teacher.meta["labels"])
    batch, _ = next(seen.batches(8))
    found = attention(Question(teacher, batch, Vocabulary.of(teacher)))
    assert found.matrices[0].shape == (8, 8, 8), "class token, five patches, two tokens of the body"
    share = relevance(found)
    assert share.shape == (8, 5, 1, 1)
    torch.testing.assert_close(share.sum((1, 2, 3)), torch.ones(8))


@pytest.fixture
def encoder(unseen: WindowIndex, segments: Segments) -> Question:
    torch.manual_seed(0)
    model = EncoderClassifier(EncoderConfig(dim=16, heads=2, blocks=2), 7, 0.5, meta={"labels": list("abcdefg")}).eval()
    with torch.no_grad():
        model.pool.key.weight.normal_()
    batch, _ = next(as_seen_by(model, [unseen], segments.config).batches(3))
    return Question(model, batch, Vocabulary.of(model))


def test_an_encoder_has_two_steps_a_block_and_a_token_for_each_channel(encoder: Question) -> None:
    found = attention(encoder)
    patches, channels = found.shape
    assert channels == 6 and len(found.matrices) == 4
    time, across = (matrix.view(3, patches, channels, patches, channels) for matrix in found.matrices[:2])
    for matrix in found.matrices:
        torch.testing.assert_close(matrix.sum(-1), torch.ones(matrix.shape[:2]))
    off_channel = ~torch.eye(channels, dtype=torch.bool)
    off_patch = ~torch.eye(patches, dtype=torch.bool)
    assert (time.permute(0, 1, 3, 2, 4)[..., off_channel] == 0).all(), "over time a channel sees itself alone"
    assert (across.permute(0, 2, 4, 1, 3)[..., off_patch] == 0).all(), "across channels a patch sees itself alone"
    torch.testing.assert_close(relevance(found).sum((1, 2, 3)), torch.ones(3))


def test_axes_of_one_length_are_not_confused() -> None:
    weights = torch.rand(4, 2, 2)  # two segments, two channels, two patches
    grid = _on_grid("time", weights, 2, 2, 2).view(2, 2, 2, 2, 2)  # B, p, c, q, d
    assert grid[1, 0, 1, 1, 1] == weights.view(2, 2, 2, 2)[1, 1, 0, 1] and grid[1, 0, 1, 1, 0] == 0
    grid = _on_grid("channel", weights, 2, 2, 2).view(2, 2, 2, 2, 2)
    assert grid[1, 0, 1, 0, 0] == weights.view(2, 2, 2, 2)[1, 0, 1, 0] and grid[1, 0, 1, 1, 0] == 0


def test_the_weights_of_the_encoder_are_those_it_used() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 4, 2, 5, 8).unbind(0)
    keys = torch.tensor([True, True, True, False, True]).view(1, 1, 1, 5).expand(4, 1, 1, 5)
    for mask in (None, keys):
        torch.testing.assert_close(Attend()(q, k, v, mask), Attend.weights(q, k, mask) @ v)


def test_a_network_without_a_class_token_is_refused(question: Question) -> None:
    model = NetworkClassifier("cnn", 6, 60, 2, meta={"labels": ["a", "b"]})
    with pytest.raises(ConfigError, match="'cnn' has no class token"):
        attention(Question(model, question.batch, Vocabulary.of(model)))
