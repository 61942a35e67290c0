"""A few short real recordings, and configurations that train on them in seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.train.bodies import write as write_bodies

from otolith.data.loader import LoaderConfig
from otolith.data.patching import PatchingConfig
from otolith.data.prepared import PrepareConfig
from otolith.data.recording import Annotation, Recording
from otolith.data.sampling import SamplingConfig
from otolith.data.segments import SegmentConfig
from otolith.data.store import DatasetWriter
from otolith.models.encoder import EncoderConfig
from otolith.models.student import StudentConfig
from otolith.models.teacher import TeacherConfig
from otolith.train.align import AlignConfig, AlignObjective
from otolith.train.distil import DistilConfig
from otolith.train.engine import EngineConfig
from otolith.train.pretrain import PretrainConfig
from otolith.train.sources import SourceConfig
from otolith.train.teach import TeachConfig, teach

STEPS = 24


def shorter(recording: Recording, seconds: float) -> Recording:
    length = round(seconds * recording.rate)
    notes = tuple(Annotation(0.0, seconds, note.activity) for note in recording.annotations)
    return replace(recording, signal=recording.signal[:length], annotations=notes)


@pytest.fixture(scope="session")
def few(spar_recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people, seven exercises with one or the other arm, the first 16 s of each, as a dataset `spar`."""
    path = tmp_path_factory.mktemp("few") / "spar"
    with DatasetWriter(path, "spar") as writer:
        for recording in spar_recordings[:56:2]:
            writer.add(shorter(recording, 16.0))
    return path


@pytest.fixture(scope="session")
def other(spar_recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two more people, with the accelerometer alone, as a dataset `other`."""
    path = tmp_path_factory.mktemp("few") / "other"
    with DatasetWriter(path, "other") as writer:
        for recording in spar_recordings[56:112:4]:
            part = shorter(recording, 12.0)
            writer.add(replace(part, signal=part.signal[:, :3].copy(), channels=part.channels[:3]))
    return path


ENGINE = EngineConfig(
    steps=STEPS, evaluate_every=8, save_every=5, precision="32-true", accelerator="cpu", learning_rate=3e-3, threads=1
)
MODEL = EncoderConfig(dim=32, heads=2, blocks=1)


@pytest.fixture(scope="session")
def pretrain_config(few: Path) -> PretrainConfig:
    return PretrainConfig(
        data=SourceConfig((str(few),), val=("subject04",), test=()),
        loader=LoaderConfig(step_seconds=2.0),
        sampling=SamplingConfig(batch_size=16),
        model=MODEL,
        train=ENGINE,
    )


@pytest.fixture(scope="session")
def align_config(few: Path) -> AlignConfig:
    return AlignConfig(
        data=SourceConfig((str(few),), val=("subject04",), test=()),
        loader=LoaderConfig(step_seconds=2.0, patch_seconds=(1.0, 0.8)),
        sampling=SamplingConfig(batch_size=16, balance_groups=True),
        model=MODEL,
        objective=AlignObjective(memory=64),
        train=ENGINE,
    )


@pytest.fixture(scope="session")
def bodies(spar_recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short trials of four people with a sensor and a skeleton, as a dataset `bodies`."""
    path = tmp_path_factory.mktemp("bodies") / "bodies"
    write_bodies(path, spar_recordings)
    return path


SEGMENTS = SegmentConfig(
    window_seconds=1.0, samples=60, prepare=PrepareConfig(frames=8), patching=PatchingConfig(size=12, samples=12)
)
SHORT = replace(ENGINE, evaluate_every=STEPS, save_every=8)


@pytest.fixture(scope="session")
def teach_config(bodies: Path) -> TeachConfig:
    return TeachConfig(
        data=SourceConfig((str(bodies),), val=("subject03",), test=("subject04",)),
        sampling=SamplingConfig(batch_size=16),
        segments=SEGMENTS,
        model=TeacherConfig(dim=32, layers=1, heads=2, width=16),
        train=SHORT,
    )


@pytest.fixture(scope="session")
def distil_config(teach_config: TeachConfig) -> DistilConfig:
    return DistilConfig(
        data=teach_config.data,
        sampling=teach_config.sampling,
        segments=SEGMENTS,
        model=StudentConfig(dim=32, layers=1, heads=2),
        train=SHORT,
    )


@pytest.fixture(scope="session")
def teacher(teach_config: TeachConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return teach(teach_config, tmp_path_factory.mktemp("runs") / "teacher")
