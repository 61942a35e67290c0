from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from otolith.data.segments import Segments
from otolith.explain.question import Question, Vocabulary, block_sums, joined, pieces, spread, taken
from otolith.models.classifier import NetworkClassifier
from otolith.models.encoder import EncoderConfig
from otolith.models.label_bank import LabelBankConfig
from otolith.models.model import Otolith
from otolith.models.pupil import TextStudent
from otolith.models.student import StudentConfig
from otolith.train.supervised import predict
from otolith.types import CheckpointError, ConfigError


@torch.no_grad()
def test_it_answers_as_the_model_does(question: Question, segments: Segments) -> None:
    logits = torch.from_numpy(predict(question.model, segments))
    torch.testing.assert_close(question(question.signal), logits - logits.mean(1, keepdim=True), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_rows_say_whose_durations_go_with_a_signal(question: Question) -> None:
    rows = torch.tensor([4, 4, 1])
    torch.testing.assert_close(question(question.signal[rows], rows), question(question.signal)[rows])
    question.batch.seconds[4] *= 3
    try:
        other = question(question.signal[[1]], torch.tensor([4]))
        assert not torch.allclose(other, question(question.signal)[[1]], atol=1e-3)
    finally:
        question.batch.seconds[4] /= 3


def test_each_value_has_its_second(question: Question, segments: Segments) -> None:
    duration = torch.from_numpy(segments.seconds).float()
    time = question.times(duration).flatten(1)
    step = duration / 60
    torch.testing.assert_close(time[:, 0], step / 2)
    torch.testing.assert_close(time.diff(dim=1), step[:, None].expand(-1, 59), atol=1e-5, rtol=1e-4)


def test_a_student_of_words_answers_among_the_wanted_ones(question: Question) -> None:
    torch.manual_seed(0)
    config = StudentConfig(dim=32, layers=1, heads=2, patch_samples=12, patches=5)
    model = TextStudent(
        config, LabelBankConfig(), meta={"labels": ["walking", "sitting", "jogging"], "stage": "distil"}
    ).eval()
    vocabulary = Vocabulary.of(model, ["walk", " Sitting"])
    assert vocabulary.labels == ("walking", "sitting")
    assert Vocabulary.of(model).labels == ("walking", "sitting", "jogging")
    with torch.no_grad():
        answer = Question(model, question.batch, vocabulary)(question.signal)
    assert answer.shape == (len(question.batch), 2)
    for wrong in (["walk"], ["walk", "walking"], ["walk", ""]):
        with pytest.raises(ConfigError, match="two activities or more, each once"):
            Vocabulary.of(model, wrong)


def test_who_cannot_be_asked_is_told(student: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tells the classes apart that it was taught"):
        Vocabulary.of(student, ["walk", "sit"])
    with pytest.raises(CheckpointError, match="has learnt no classes"):
        Vocabulary.of(NetworkClassifier("cnn", 6, 60, 0))
    with pytest.raises(CheckpointError, match="of the kind 'encoder' is not explained"):
        Vocabulary.of(Otolith(EncoderConfig(dim=16, heads=2, blocks=1)))


@pytest.mark.parametrize(("samples", "count"), [(12, 1), (16, 1), (20, 2), (64, 4), (17, 17)])
def test_blocks_are_at_most_sixteen_samples(samples: int, count: int) -> None:
    assert pieces(samples) == count


def test_blocks_add_up_and_spread_out_again() -> None:
    values = torch.arange(2 * 3 * 20 * 2.0).view(2, 3, 20, 2)
    blocks = block_sums(values)
    assert blocks.shape == (2, 3, 2, 2) and blocks[1, 2, 1, 0] == values[1, 2, 10:, 0].sum()
    assert torch.equal(spread(blocks, 20)[:, :, 9:11, 1], blocks[:, :, :, 1])


def test_batches_of_different_width_are_joined_with_zeros() -> None:
    out = joined([torch.ones(2, 3), torch.full((1, 4), 2.0)])
    assert out.tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [2, 2, 2, 2]]
    assert not joined([torch.ones(1, 1, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)])[0, 1]


def test_taken_reaches_every_tensor(question: Question) -> None:
    part = taken(question.batch, torch.tensor([3, 0]))
    assert len(part) == 2 and part.label is not None and question.batch.label is not None
    assert torch.equal(part.label, question.batch.label[[3, 0]]) and part.skeleton is None
