"""Every model that Otolith trains: by name at a size, and from a checkpoint of any kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from otolith.models.classifier import EncoderClassifier, NetworkClassifier
from otolith.models.encoder import SIZES, EncoderConfig
from otolith.models.io import read_checkpoint
from otolith.models.model import Otolith
from otolith.models.pupil import Student, TeacherModel, TextStudent
from otolith.models.saved import Saved, TextModel
from otolith.models.student import StudentConfig
from otolith.models.teacher import TeacherConfig
from otolith.types import CheckpointError

STUDENTS: dict[str, StudentConfig] = {
    "student": StudentConfig(),
    "student-small": StudentConfig(dim=96),
    "student-tiny": StudentConfig(dim=64),
}
"""Named sizes; `student` is the seed design (L 2, D 128, 4 heads, patches of 20 samples)."""

TEACHERS: dict[str, TeacherConfig] = {"teacher": TeacherConfig(), "teacher-small": TeacherConfig(dim=128, layers=2)}
"""Named sizes; `teacher` is the seed design (L 4, D 256)."""

ENCODERS: dict[str, EncoderConfig] = {f"otolith-{name}": config for name, config in SIZES.items()}
"""Named sizes of the text-aligned encoder."""

_NAMED: dict[type[Saved], Mapping[str, Any]] = {
    Otolith: ENCODERS,
    EncoderClassifier: ENCODERS,
    Student: STUDENTS,
    TextStudent: STUDENTS,
    TeacherModel: TEACHERS,
}

KINDS: dict[str, type[Saved]] = {
    kind.kind: kind for kind in (Otolith, Student, TextStudent, TeacherModel, NetworkClassifier, EncoderClassifier)
}


def load_model(path: Path | str) -> Saved:
    """The model of a checkpoint, of whatever kind, in eval mode.

    Raises:
        CheckpointError: Not there, damaged, foreign, or of another version.
    """
    checkpoint = read_checkpoint(Path(path))
    sizes = checkpoint.meta.get("model")
    kind = next((k for k in KINDS if isinstance(sizes, dict) and k in sizes), None)
    if kind is None:
        raise CheckpointError(f"{path} does not describe a model that this otolith can build: it names no known kind")
    return KINDS[kind].from_checkpoint(checkpoint, str(path))


def load_text_model(path: Path | str) -> TextModel:
    """The model of a checkpoint that lies in one space with words; errors as in `load_model`.

    Raises:
        CheckpointError: The model tells fixed classes apart.
    """
    model = load_model(path)
    if not isinstance(model, TextModel):
        raise CheckpointError(f"{path} tells the classes apart that it was taught and knows no words")
    return model


def model_name(model: Saved) -> str:
    """The name that results give it: of its size where that has one, else by its width (`otolith-d64`)."""
    if isinstance(model, NetworkClassifier):
        return model.network
    encoder = isinstance(model, Otolith | EncoderClassifier)
    any_model = cast(Any, model)
    config: Any = any_model.encoder.config if encoder else any_model.net.config
    names: dict[Any, str] = {_core(value): name for name, value in _NAMED[type(model)].items()}
    stem = "otolith" if encoder else "teacher" if isinstance(model, TeacherModel) else "student"
    name = names.get(_core(config), f"{stem}-d{config.dim}")
    return name.replace("student", "student-text", 1) if isinstance(model, TextStudent) else name


def _core(config: Any) -> tuple[Any, ...]:
    """What makes a size: not what its input looks like."""
    width = getattr(config, "ffn_ratio", None) or config.mlp_ratio
    return (config.dim, getattr(config, "layers", None) or config.blocks, config.heads, float(width))
