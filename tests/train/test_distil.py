"""Teachers and students: they learn from real sensors, resume exactly, and nobody who was seen is ever judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from otolith.data.recording import Recording
from otolith.data.segments import Segments
from otolith.data.store import Dataset, DatasetWriter
from otolith.models.io import read_checkpoint
from otolith.models.pupil import Student, TeacherModel, TextStudent
from otolith.models.registry import load_model
from otolith.recognise.recogniser import Recogniser
from otolith.train.align import AlignConfig, align
from otolith.train.distil import DistilConfig, DistilObjective, distil
from otolith.train.run import Run
from otolith.train.sources import split_sources
from otolith.train.supervised import mix, predict, shares
from otolith.train.teach import TeachConfig, hide_modality, teach
from otolith.types import CheckpointError, ConfigError, DataError, LeakError, SegmentBatch


class KilledError(Exception):
    """Stands in for the end of a process."""


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def student(distil_config: DistilConfig, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return distil(replace(distil_config, teachers=(str(teacher),)), tmp_path_factory.mktemp("runs") / "student")


@pytest.mark.slow
def test_a_teacher_learns_and_is_judged_on_a_person_held_out(teach_config: TeachConfig, tmp_path: Path) -> None:
    train = replace(teach_config.train, steps=120, evaluate_every=120, save_every=120)
    best = teach(replace(teach_config, train=train), tmp_path)
    loss = [row["loss"] for row in history(tmp_path) if row["kind"] == "train"]
    assert np.mean(loss[-15:]) < 0.7 * np.mean(loss[:15])
    assert read_checkpoint(best).meta["score"] > 0.25  # chance is 0.14; two people taught it


def test_checkpoints_say_who_taught_whom_and_on_whose_data(student: Path, teacher: Path) -> None:
    model, taught_by = load_model(student), load_model(teacher)
    assert isinstance(model, Student) and isinstance(taught_by, TeacherModel)
    (parent,) = model.meta["parents"]
    assert parent["weights_sha256"] == taught_by.fingerprint() and parent["stage"] == "teach"
    assert model.meta["history"] == taught_by.meta["history"]  # the same people on both sides
    assert model.meta["history"]["bodies"]["train"] == ["subject01", "subject02"]
    assert model.meta["segments"]["samples"] == 60 and len(model.meta["labels"]) == 7
    assert not any(
        name.startswith("teachers") for name in read_checkpoint(student.with_name("latest.safetensors")).tensors
    )


def test_the_best_checkpoint_scores_what_the_log_says(student: Path, distil_config: DistilConfig) -> None:
    model: Any = load_model(student)
    sources = split_sources(distil_config.data, distil_config.segments.index)
    segments = Segments(sources.val, distil_config.segments, labels=sources.labels)
    accuracy = float((predict(model, segments).argmax(1) == segments.label).mean())
    assert accuracy == pytest.approx(history(student.parent)[-1]["accuracy"])


def test_the_normaliser_knows_training_people_alone(student: Path, distil_config: DistilConfig) -> None:
    model: Any = load_model(student)
    sources = split_sources(distil_config.data, distil_config.segments.index)
    mean, std = Segments(sources.train, distil_config.segments).statistics()
    np.testing.assert_allclose(model.net.tokens.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(model.net.tokens.std, np.maximum(std, 1e-3), rtol=1e-5)
    everyone = [index for side in (sources.train, sources.val) for index in side]
    assert not np.allclose(Segments(everyone, distil_config.segments).statistics()[0], mean, rtol=1e-3)


def test_stopped_and_resumed_ends_with_the_same_weights(
    student: Path, teacher: Path, distil_config: DistilConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, folder, log = replace(distil_config, teachers=(str(teacher),)), tmp_path / "run", Run.log

    def die(self: Run, step: int, kind: str, values: dict[str, float]) -> None:
        log(self, step, kind, values)
        if step == 13:
            raise KilledError

    monkeypatch.setattr(Run, "log", die)
    with pytest.raises(KilledError):
        distil(config, folder, resume=True)
    monkeypatch.setattr(Run, "log", log)
    distil(config, folder, resume=True)
    one, two = (read_checkpoint(f / "latest.safetensors") for f in (student.parent, folder))
    assert one.meta == two.meta and [k for k, v in one.tensors.items() if not torch.equal(v, two.tensors[k])] == []
    assert history(student.parent) == history(folder)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"objective": DistilObjective(feature=1.0, attention=1.0)}, {"labels", "answers", "feature", "attention"}),
        ({"teachers": ()}, {"labels"}),
    ],
)
def test_each_teacher_signal_is_a_loss(
    change: dict[str, Any], expected: set[str], teacher: Path, distil_config: DistilConfig, tmp_path: Path
) -> None:
    train = replace(distil_config.train, steps=2, evaluate_every=2, save_every=2)
    distil(replace(replace(distil_config, teachers=(str(teacher),), train=train), **change), tmp_path)
    first = history(tmp_path)[0]
    assert expected == set(first) - {"step", "kind", "loss", "learning_rate"}
    assert all(first[name] > 0 for name in expected)


def test_dynamic_patches_train_and_vary(distil_config: DistilConfig, tmp_path: Path) -> None:
    patching = replace(distil_config.segments.patching, dynamic=True, smallest=6, largest=18)
    segments = replace(distil_config.segments, patching=patching)
    train = replace(distil_config.train, steps=4, evaluate_every=4, save_every=4)
    best = distil(replace(distil_config, segments=segments, train=train), tmp_path)
    model: Any = load_model(best)
    batch, _ = next(Segments(split_sources(distil_config.data, segments.index).train, segments).batches())
    assert model.net.config.patches == 10 and len(batch.patch_mask.sum(1).unique()) > 1
    assert np.isfinite(predict(model, Segments(split_sources(distil_config.data, segments.index).val, segments))).all()


def test_a_student_may_begin_with_the_network_of_another(
    student: Path, distil_config: DistilConfig, tmp_path: Path
) -> None:
    train = replace(distil_config.train, steps=1, evaluate_every=1, save_every=1, learning_rate=1e-9)
    child: Any = load_model(distil(replace(distil_config, parent=str(student), train=train), tmp_path / "child"))
    begun: Any = load_model(student)
    torch.testing.assert_close(child.net.state_dict(), begun.net.state_dict(), rtol=0, atol=1e-5)
    with pytest.raises(CheckpointError, match="another size or input"):
        distil(replace(distil_config, parent=str(student), model=replace(distil_config.model, dim=16)), tmp_path / "no")


# The guard over the whole chain


def test_a_teacher_who_saw_a_held_out_person_is_refused(
    teacher: Path, distil_config: DistilConfig, tmp_path: Path
) -> None:
    data = replace(distil_config.data, test=("subject01",))
    with pytest.raises(LeakError, match="subject01"):
        distil(replace(distil_config, data=data, teachers=(str(teacher),)), tmp_path)


def test_a_parent_who_saw_a_held_out_person_is_refused(
    student: Path, distil_config: DistilConfig, tmp_path: Path
) -> None:
    data = replace(distil_config.data, val=("subject02",))
    with pytest.raises(LeakError, match="subject02"):
        distil(replace(distil_config, data=data, parent=str(student)), tmp_path)


def test_whoever_chose_the_recipe_is_in_the_history(distil_config: DistilConfig, tmp_path: Path) -> None:
    data = replace(distil_config.data, tuned_on=("subject04",))
    train = replace(distil_config.train, steps=1, evaluate_every=1, save_every=1)
    best = distil(replace(distil_config, data=data, train=train), tmp_path)
    assert load_model(best).meta["history"]["bodies"]["tuned"] == ["subject04"]


# Bad input


def test_wrong_teachers_are_refused_in_one_sentence(
    teacher: Path, student: Path, distil_config: DistilConfig, teach_config: TeachConfig, few: Path, tmp_path: Path
) -> None:
    segments = replace(distil_config.segments, samples=48)
    with pytest.raises(CheckpointError, match="sees other segments"):
        distil(replace(distil_config, teachers=(str(teacher),), segments=segments), tmp_path)
    with pytest.raises(CheckpointError, match="is no teacher"):
        distil(replace(distil_config, teachers=(str(student),)), tmp_path)
    fewer = replace(distil_config.data, labels=("pendulum", "shoulder abduction"))
    with pytest.raises(CheckpointError, match="other classes"):
        distil(replace(distil_config, teachers=(str(teacher),), data=fewer), tmp_path)
    data = replace(teach_config.data, datasets=(str(few),))
    with pytest.raises(DataError, match="no skeleton"):
        teach(replace(teach_config, data=data), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("values", [{"temperature": 0.0}, {"alpha": 1.5}, {"cosine": -1.0}, {"smoothing": 1.0}])
def test_objectives_that_make_no_sense_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        DistilObjective(**values)


# Mixing


def test_mixtures_are_of_pairs_and_targets_follow() -> None:
    patches = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 2, 3, 6)
    label, seconds = torch.tensor([0, 1, 2, -1]), torch.tensor([[0.5, 1.5]]) + patches[:, :, 0, 0]
    batch = SegmentBatch(patches, torch.ones(4, 2, dtype=torch.bool), torch.zeros(4, 2), seconds, label=label)
    target = shares(label, 3)
    assert target.sum(1).tolist() == [1, 1, 1, 0]
    torch.manual_seed(3)
    mixed, wanted = mix(batch, target, 0.4, 1.0)
    values = mixed.patches[:, 0, 0, 0]
    assert not torch.equal(values, patches[:, 0, 0, 0]) and values.min() >= 0 and values.max() <= 3
    # A mixture lasts as long as its parts on average, in the same shares.
    torch.testing.assert_close(mixed.seconds, torch.tensor([[0.5, 1.5]]) + values[:, None])
    # Class k sits at value k, so the mean class of a mixture of labelled segments is its value.
    full = wanted.sum(1) > 0.999
    torch.testing.assert_close((wanted @ torch.arange(3.0))[full], values[full])
    plain, same = mix(batch, target, 0.0, 1.0)
    assert plain is batch and same is target


# The student that keeps the words


@pytest.fixture(scope="module")
def aligned(align_config: AlignConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    train = replace(align_config.train, steps=8, evaluate_every=8, save_every=8)
    return align(replace(align_config, train=train), tmp_path_factory.mktemp("runs") / "aligned")


@pytest.fixture(scope="module")
def words_config(align_config: AlignConfig, distil_config: DistilConfig, aligned: Path) -> DistilConfig:
    patching = replace(distil_config.segments.patching, size=50, samples=64)
    segments = replace(
        distil_config.segments,
        whole_trials=False,
        window_seconds=4.0,
        step_seconds=1.0,
        samples=200,
        patching=patching,
        prepare=replace(distil_config.segments.prepare, lowpass=0.0),
    )
    return replace(
        distil_config, data=align_config.data, segments=segments, teachers=(str(aligned),),
        train=replace(distil_config.train, steps=60, evaluate_every=60, save_every=60, learning_rate=3e-3),
    )  # fmt: skip


@pytest.fixture(scope="module")
def text_student(words_config: DistilConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return distil(words_config, tmp_path_factory.mktemp("runs") / "words")


@pytest.mark.slow
def test_the_space_of_words_is_kept(text_student: Path, aligned: Path, few: Path) -> None:
    """The student comes near its teacher's vectors, and a word means to it what it meant to the teacher."""
    model: Any = load_model(text_student)
    teacher: Any = load_model(aligned)
    assert isinstance(model, TextStudent)
    torch.testing.assert_close(model.bank.state_dict(), teacher.bank.state_dict())
    words = [["pendulum"], ["a word that nobody was taught"]]
    torch.testing.assert_close(model.prototypes(words), teacher.prototypes(words))
    rows = history(text_student.parent)
    cosine = [row["cosine"] for row in rows if row["kind"] == "train"]
    assert np.mean(cosine[-8:]) < 0.5 * np.mean(cosine[:4])
    recording = Dataset.open(few).read(0)
    one, other = (Recogniser(m).embed(recording, step_seconds=1.0).vectors for m in (model, teacher))
    assert (one * other).sum(1).mean() > 0.7


def test_the_recogniser_sees_what_training_saw(text_student: Path, words_config: DistilConfig, few: Path) -> None:
    """One window through `Recogniser` and through `Segments` is one and the same."""
    model: Any = load_model(text_student)
    index = words_config.segments.index(Dataset.open(few))
    batch, _ = next(Segments([index], words_config.segments).batches(4))
    by_segments = model.project(model.see(batch).feature).detach().numpy()
    by_recogniser = Recogniser(model).embed(Dataset.open(few).read(0)).vectors[:4]
    np.testing.assert_allclose(by_segments, by_recogniser, atol=1e-4)


def test_words_need_windows_like_the_teachers(words_config: DistilConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="whole_trials false"):
        distil(replace(words_config, segments=replace(words_config.segments, whole_trials=True)), tmp_path)


@pytest.mark.slow
def test_both_kinds_of_teachers_at_once(
    words_config: DistilConfig, teach_config: TeachConfig, bodies: Path, aligned: Path, tmp_path: Path
) -> None:
    segments = replace(words_config.segments, window_seconds=3.0, samples=150)
    short = replace(words_config.train, steps=2, evaluate_every=2, save_every=2)
    seen = teach(replace(teach_config, segments=segments, train=short), tmp_path / "seen")
    config = replace(words_config, data=teach_config.data, segments=segments, train=short)
    best = distil(replace(config, teachers=(str(seen), str(aligned))), tmp_path / "both")
    model: Any = load_model(best)
    assert isinstance(model, TextStudent) and model.head is not None and len(model.meta["parents"]) == 2
    assert {"labels", "answers", "cosine", "relational"} <= set(history(best.parent)[0])


# Hiding a modality


def test_one_modality_is_hidden_and_never_both() -> None:
    count = 4000
    skeleton = torch.zeros(count, 2, 1, 3)
    skeleton[::10] = float("nan")  # a camera that saw nothing
    valid = torch.ones(count, 3, dtype=torch.bool)
    batch = SegmentBatch(torch.zeros(count, 3, 2, 6), valid, torch.zeros(count, 3), torch.ones(count, 3), skeleton)
    torch.manual_seed(0)
    hidden = hide_modality(batch, 0.4)
    assert hidden.skeleton is not None
    seen, felt = hidden.skeleton.flatten(1).isfinite().all(1), hidden.patch_mask.all(1)
    assert (seen | felt).all() and (hidden.patch_mask.any(1) == felt).all()
    assert float((~felt).float().mean()) == pytest.approx(0.2 * 0.9, abs=0.03)
    assert float((~seen).float().mean()) == pytest.approx(0.1 + 0.2 * 0.9, abs=0.03)
    assert hide_modality(batch, 0.0) is batch


def test_a_student_of_several_sensors_takes_the_magnitude_of_each(
    spar_recordings: list[Recording], distil_config: DistilConfig, tmp_path: Path
) -> None:
    with DatasetWriter(tmp_path / "both", "both") as writer:
        for one in spar_recordings[:28:2]:
            ankle = tuple(replace(c, placement="left ankle", name=f"ankle_{c.name}") for c in one.channels)
            signal = np.hstack([one.signal, np.roll(one.signal, 25, axis=0)])
            writer.add(replace(one, signal=signal, channels=(*one.channels, *ankle)))
    data = replace(distil_config.data, datasets=(str(tmp_path / "both"),), val=(), test=("subject02",))
    train = replace(distil_config.train, steps=1, evaluate_every=1, save_every=1)
    model = load_model(distil(replace(distil_config, data=data, train=train), tmp_path / "run"))
    assert isinstance(model, Student)
    assert model.net.config.channels == 12
    assert sorted(model.net.config.triads) == [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11)]
