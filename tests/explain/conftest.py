"""Trained models, their segments of unseen people, and one batch of them as a question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.explain.trained import SEGMENTS, UNSEEN, train_student, train_teacher
from tests.train.bodies import write as write_bodies

from otolith.data.loader import Request
from otolith.data.recording import Recording
from otolith.data.segments import Segments
from otolith.data.store import Dataset
from otolith.data.windows import WindowIndex
from otolith.explain.question import Question, Vocabulary
from otolith.models.registry import load_model
from otolith.train.supervised import as_seen_by


@pytest.fixture(scope="session")
def bodies(spar_recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explain") / "bodies"
    write_bodies(path, spar_recordings, people=6)
    return path


@pytest.fixture(scope="session")
def student(bodies: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_model(train_student(bodies, tmp_path_factory.mktemp("explain") / "student"))


@pytest.fixture(scope="session")
def teacher(bodies: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_model(train_teacher(bodies, tmp_path_factory.mktemp("explain") / "teacher"))


@pytest.fixture(scope="session")
def unseen(bodies: Path) -> WindowIndex:
    return SEGMENTS.index(Dataset.open(bodies)).of_subjects(UNSEEN)


@pytest.fixture(scope="session")
def segments(student: Any, unseen: WindowIndex) -> Segments:
    return as_seen_by(student, [unseen], SEGMENTS, labels=student.meta["labels"])


@pytest.fixture(scope="session")
def question(student: Any, segments: Segments) -> Question:
    """All segments of the unseen people."""
    batch = segments[Request(torch.arange(len(segments)).numpy(), (0, 0, 0))]
    return Question(student, batch, Vocabulary.of(student))


@pytest.fixture(scope="session")
def target(question: Question) -> torch.Tensor:
    with torch.no_grad():
        return question(question.signal).argmax(1)
