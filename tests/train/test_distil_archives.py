"""Teachers and students on archives: the real UTD-MHAD, and MM-Fit in the layout of its archive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archives import WRITERS
from otolith.data.converters import convert
from otolith.data.prepared import PrepareConfig
from otolith.data.registry import card
from otolith.data.sampling import SamplingConfig
from otolith.data.segments import SegmentConfig, Segments
from otolith.data.store import Dataset, DatasetWriter
from otolith.data.views import ChannelView
from otolith.evaluate.metrics import scores
from otolith.evaluate.splits import folds
from otolith.evaluate.study import predictions
from otolith.models.registry import load_model
from otolith.models.student import StudentConfig
from otolith.models.teacher import TeacherConfig
from otolith.train.distil import DistilConfig, distil
from otolith.train.engine import EngineConfig
from otolith.train.sources import SourceConfig
from otolith.train.supervised import predict
from otolith.train.teach import TeachConfig, teach
from otolith.types import LeakError


def converted(name: str, raw: Path, folder: Path) -> Dataset:
    with DatasetWriter(folder / name, name, split=card(name).split) as writer:
        for recording in convert(name, raw):
            writer.add(recording)
    return Dataset.open(folder / name)


def test_mm_fit_by_its_official_split(tmp_path: Path) -> None:
    """Windows of 100 samples at 50 Hz with a stride of 50, the left watch beside a skeleton whose vertical is z."""
    WRITERS["mm_fit"](tmp_path / "raw")
    dataset = converted("mm_fit", tmp_path / "raw", tmp_path)
    segments = SegmentConfig(
        whole_trials=False, samples=100, prepare=PrepareConfig(frames=8, view=ChannelView(placements=("left wrist",)))
    )
    (fold,) = folds("supervised", dataset.recordings["subject"].tolist(), dataset.split)
    data = SourceConfig((str(dataset.path),), val=fold.val, test=fold.test)
    train = EngineConfig(steps=3, evaluate_every=3, save_every=3, threads=1, accelerator="cpu")
    common: dict[str, Any] = {"data": data, "segments": segments, "train": train, "sampling": SamplingConfig(4)}
    seen = teach(TeachConfig(**common, model=TeacherConfig(dim=16, layers=1, heads=2, width=8)), tmp_path / "t")
    best = distil(
        DistilConfig(**common, teachers=(str(seen),), model=StudentConfig(dim=16, layers=1, heads=2)), tmp_path / "s"
    )
    model: Any = load_model(best)
    assert model.net.config.patches == 5 and len(model.meta["labels"]) == 3  # as many as the training person did
    test = segments.index(dataset).of_subjects(fold.judged).labelled(model.meta["labels"])
    said = predictions(model, test, segments)[""]
    assert len(said) == len(test) and set(said) <= set(model.meta["labels"])
    bodies = Segments([test], segments, skeletons=True).parts[0].skeleton
    assert bodies is not None and np.nanmedian(bodies[:, :, 8, 1]) > 0.7  # the thorax is above the hip


@pytest.mark.slow
def test_utd_mhad_is_learnt_from_and_its_people_are_guarded(raw_dir: Path, tmp_path: Path) -> None:
    dataset = converted("utd_mhad", raw_dir / "utd_mhad", tmp_path)
    segments = SegmentConfig(samples=160, patching=replace(SegmentConfig().patching, size=16, samples=16))
    (fold,) = folds("odd-even", dataset.recordings["subject"].tolist())
    data = SourceConfig((str(dataset.path),), val=fold.val, test=fold.test)
    train = EngineConfig(
        steps=300, evaluate_every=300, save_every=300, threads=1, precision="32-true", learning_rate=2e-3
    )
    common: dict[str, Any] = {"data": data, "segments": segments, "train": train}
    seen = teach(TeachConfig(**common, model=TeacherConfig(dim=64, layers=1, heads=2)), tmp_path / "teacher")
    best = distil(DistilConfig(**common, teachers=(str(seen),), model=StudentConfig(dim=64)), tmp_path / "student")
    index = segments.index(dataset)
    assert len(index) == 861 and len(index.of_subjects(fold.judged)) == 430
    everyone = Segments([index], segments, skeletons=True)
    assert everyone.parts[0].skeleton is not None and np.isfinite(everyone.parts[0].skeleton).all()
    student: Any = load_model(best)
    judged = index.of_subjects(fold.judged)
    said = predictions(student, judged, segments, disturbances=["no-gyro"])
    truth, labels = judged.label.tolist(), student.meta["labels"]
    accuracy = {what: scores(truth, answers, labels)["accuracy"] for what, answers in said.items()}
    assert accuracy[""] > 0.5 > accuracy["no-gyro"]  # 27 classes: chance is 0.04
    with pytest.raises(LeakError, match="s1"):
        predictions(student, index, segments)
    logits = predict(student, Segments([judged], segments, labels=student.meta["labels"]))
    assert logits.shape == (430, 27)
