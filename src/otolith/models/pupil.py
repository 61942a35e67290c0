"""Students and teachers as they are saved: a network on segments, and the heads that its stage gave it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otolith.models.label_bank import LabelBankConfig
from otolith.models.saved import Saved, TextModel
from otolith.models.student import InertialTransformer, Seen, StudentConfig
from otolith.models.teacher import Teacher, TeacherConfig
from otolith.models.text_cache import TextCache
from otolith.types import Batch, CheckpointError, DataError, SegmentBatch


class Answering(Protocol):
    """A network on segments with a head over the classes of training; what tells classes apart."""

    meta: dict[str, Any]
    head: nn.Linear | None

    def see(self, batch: SegmentBatch, *, attention: bool = False) -> Seen:
        """The feature [B, D] of each segment."""
        ...


def answers(model: Answering, batch: SegmentBatch) -> Tensor:
    """Logits [B, L] over the classes of training (`meta["labels"]`).

    Raises:
        CheckpointError: The model was taught words alone.
    """
    if model.head is None:
        raise CheckpointError("this student was taught words and no classes: ask it in words")
    out: Tensor = model.head(model.see(batch).feature)
    return out


class Student(Saved):
    """The Inertial Transformer with a head over classes."""

    kind: ClassVar[str] = "student"

    def __init__(self, config: StudentConfig, labels: int, *, meta: Mapping[str, Any] | None = None) -> None:
        super().__init__(meta)
        self.net = InertialTransformer(config)
        self.head: nn.Linear | None = nn.Linear(config.dim, labels)

    def see(self, batch: SegmentBatch, *, attention: bool = False) -> Seen:
        """The feature [B, D] of each segment."""
        out: Seen = self.net(batch.patches, batch.patch_mask, batch.centre, batch.seconds, attention=attention)
        return out

    def sizes(self) -> dict[str, Any]:
        """Of the network and of its head."""
        assert self.head is not None
        return {self.kind: asdict(self.net.config), "labels": self.head.out_features}

    @classmethod
    def of_sizes(cls, sizes: Mapping[str, Any]) -> Self:
        """A model at random initialisation."""
        return cls(student_config(sizes[cls.kind]), int(sizes["labels"]))


class TextStudent(TextModel):
    """The Inertial Transformer with a head into the space of the texts, and on request one over classes.

    Its bank is its teacher's and stays as it is, so a word means to the student what it meant to the teacher. On a
    device the bank is not needed: the prototypes of the wanted words are one small matrix.
    """

    kind: ClassVar[str] = "text_student"
    reads_channels: ClassVar[bool] = False

    def __init__(
        self,
        config: StudentConfig,
        bank: LabelBankConfig,
        labels: int = 0,
        *,
        texts: TextCache | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(bank, texts, meta)
        self.bank.requires_grad_(False)
        self.net = InertialTransformer(config)
        self.text = nn.Linear(config.dim, bank.dim)
        self.head: nn.Linear | None = nn.Linear(config.dim, labels) if labels else None

    def see(self, batch: SegmentBatch, *, attention: bool = False) -> Seen:
        """The feature [B, D] of each segment."""
        out: Seen = self.net(batch.patches, batch.patch_mask, batch.centre, batch.seconds, attention=attention)
        return out

    def project(self, feature: Tensor) -> Tensor:
        """Features [B, D] to unit vectors [B, E] in the space of the texts."""
        return F.normalize(self.text(feature).float(), dim=-1)

    def embed(self, batch: Batch) -> Tensor:
        """Unit vectors [B, E] of a batch's windows, in the space of the texts; errors as in `features`."""
        return self.project(self._see_windows(batch))

    def features(self, batch: Batch) -> Tensor:
        """The text-space vector and the network's feature [B, E + D], each of unit length.

        Raises:
            DataError: Other channels, longer windows or other patches than the student was taught with.
        """
        feature = self._see_windows(batch)
        centred = F.normalize(feature - feature.mean(-1, keepdim=True), dim=-1)
        return torch.cat([self.project(feature), centred.float()], dim=-1)

    def answering(self) -> nn.ModuleList:
        """The network and its head into the space of the texts."""
        return nn.ModuleList([self.net, self.text])

    def _see_windows(self, batch: Batch) -> Tensor:
        if batch.channel_mask.shape[1] != self.net.config.channels or not bool(batch.channel_mask.all()):
            raise DataError(
                f"this student was taught with {self.net.config.channels} channels in a fixed order, and the recording "
                f"has {int(batch.channel_mask.sum(1).max())}: choose a view that gives the same, or use its teacher"
            )
        count = batch.patch_mask.sum(1, keepdim=True)
        places = batch.patch_mask.cumsum(1) - 0.5
        seconds = batch.patch_seconds[:, None].expand_as(places)
        out: Seen = self.net(batch.patches, batch.patch_mask, places / count, seconds)
        return out.feature

    def sizes(self) -> dict[str, Any]:
        """Of the network, of the label bank and of the head over classes."""
        labels = self.head.out_features if self.head else 0
        return {self.kind: asdict(self.net.config), "bank": asdict(self.bank.config), "labels": labels}

    @classmethod
    def of_sizes(cls, sizes: Mapping[str, Any]) -> Self:
        """A model at random initialisation."""
        return cls(student_config(sizes[cls.kind]), LabelBankConfig(**sizes["bank"]), int(sizes["labels"]))


class TeacherModel(Saved):
    """The multimodal teacher with a head over classes."""

    kind: ClassVar[str] = "teacher"

    def __init__(self, config: TeacherConfig, labels: int, *, meta: Mapping[str, Any] | None = None) -> None:
        super().__init__(meta)
        self.net = Teacher(config)
        self.head: nn.Linear | None = nn.Linear(self.net.width, labels)

    def see(self, batch: SegmentBatch, *, attention: bool = False) -> Seen:
        """The feature [B, 3 D] of each segment; errors as in `Teacher`."""
        out: Seen = self.net(
            batch.patches, batch.patch_mask, batch.centre, batch.seconds, batch.skeleton, attention=attention
        )
        return out

    @property
    def sees_skeletons(self) -> bool:
        """Whether segments need a skeleton."""
        return self.net.config.joints > 0

    def sizes(self) -> dict[str, Any]:
        """Of the network and of its head."""
        assert self.head is not None
        return {self.kind: asdict(self.net.config), "labels": self.head.out_features}

    @classmethod
    def of_sizes(cls, sizes: Mapping[str, Any]) -> Self:
        """A model at random initialisation."""
        values = dict(sizes[cls.kind])
        return cls(TeacherConfig(**{**values, "sensors": student_config(values["sensors"])}), int(sizes["labels"]))


def student_config(values: Mapping[str, Any]) -> StudentConfig:
    """The configuration from the plain values of a checkpoint, in which tuples have become lists."""
    triads: Sequence[Sequence[int]] = values["triads"]
    return StudentConfig(**{**values, "triads": tuple(tuple(int(c) for c in triad) for triad in triads)})
