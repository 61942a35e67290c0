"""A student and a teacher that were really trained, in seconds, on trials of real exercises."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from otolith.data.patching import PatchingConfig
from otolith.data.prepared import PrepareConfig
from otolith.data.sampling import SamplingConfig
from otolith.data.segments import SegmentConfig
from otolith.models.student import StudentConfig
from otolith.models.teacher import TeacherConfig
from otolith.train.distil import DistilConfig, distil
from otolith.train.engine import EngineConfig
from otolith.train.sources import SourceConfig
from otolith.train.teach import TeachConfig, teach

SEGMENTS = SegmentConfig(
    window_seconds=1.0, samples=60, prepare=PrepareConfig(frames=8), patching=PatchingConfig(size=12, samples=12)
)
UNSEEN = ("subject05", "subject06")


def _engine(steps: int) -> EngineConfig:
    return EngineConfig(
        steps=steps, evaluate_every=steps, save_every=steps, precision="32-true", accelerator="cpu",
        learning_rate=3e-3, threads=1,
    )  # fmt: skip


def train_student(bodies: Path, folder: Path, steps: int = 120, segments: SegmentConfig = SEGMENTS) -> Path:
    """Learns from the labels of four people; two are unseen."""
    config = DistilConfig(
        data=SourceConfig((str(bodies),), val=(), test=UNSEEN),
        sampling=SamplingConfig(batch_size=16),
        segments=segments,
        model=StudentConfig(dim=32, layers=2, heads=2),
        train=_engine(steps),
    )
    return distil(config, folder)


def train_teacher(bodies: Path, folder: Path, steps: int = 20) -> Path:
    """Sees the skeleton too."""
    config = TeachConfig(
        data=SourceConfig((str(bodies),), val=(), test=UNSEEN),
        sampling=SamplingConfig(batch_size=16),
        segments=SEGMENTS,
        model=TeacherConfig(dim=32, layers=2, heads=2, width=16),
        train=_engine(steps),
    )
    return teach(config, folder)


def dynamic(segments: SegmentConfig = SEGMENTS) -> SegmentConfig:
    """The same with patches of different number in each segment."""
    return replace(segments, patching=PatchingConfig(dynamic=True, samples=12, smallest=6, largest=18))
