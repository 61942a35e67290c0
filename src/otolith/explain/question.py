"""A model's answers to a batch of segments, as a function of the sensors' values alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from otolith.data.labels import resolve, sentences
from otolith.models.classifier import EncoderClassifier, NetworkClassifier
from otolith.models.pupil import Student, TeacherModel, TextStudent, answers
from otolith.models.saved import Saved
from otolith.types import Batch, CheckpointError, ConfigError, SegmentBatch

AnyBatch = TypeVar("AnyBatch", Batch, SegmentBatch)

_LARGEST_BLOCK = 16


@dataclass(frozen=True)
class Vocabulary:
    """What the answers of a model are over.

    Attributes:
        labels: One for each logit.
        prototypes: [L, K, E] of a student that is asked in words; None for a head over classes.
    """

    labels: tuple[str, ...]
    prototypes: Tensor | None = None

    @classmethod
    def of(cls, model: Saved, wanted: Sequence[str] = ()) -> Vocabulary:
        """The classes that the model was taught, or for a student of words those that are wanted.

        Raises:
            CheckpointError: The model takes no segments, or has learnt neither classes nor words.
            ConfigError: Words are wanted of a model that knows none, or fewer than two of them.
        """
        if not isinstance(model, Student | TextStudent | TeacherModel | NetworkClassifier | EncoderClassifier):
            raise CheckpointError(
                f"a model of the kind '{model.kind}' is not explained: give a student, a teacher or a classifier"
            )
        if wanted and not isinstance(model, TextStudent):
            raise ConfigError("--labels: this model tells the classes apart that it was taught and knows no words")
        if isinstance(model, TextStudent) and (wanted or model.head is None):
            labels = [resolve(label) for label in wanted or model.meta["labels"]]
            if len(labels) < 2 or len(set(labels)) < len(labels) or not all(labels):
                raise ConfigError("--labels: give two activities or more, each once, separated by commas")
            return cls(tuple(labels), model.prototypes([sentences(label) for label in labels]))
        if model.head is None:
            raise CheckpointError("this network has learnt no classes, so it has no answer to explain: fine-tune it")
        return cls(tuple(model.meta["labels"]))


@dataclass(frozen=True)
class Question:
    """A model asked about a batch; only the sensors' values vary, all else of the batch stays.

    Attributes:
        model: In eval mode.
        batch: As the model sees it (`train.supervised.as_seen_by`).
        vocabulary: What the answers are over.
    """

    model: Any
    batch: SegmentBatch
    vocabulary: Vocabulary

    @property
    def signal(self) -> Tensor:
        """The sensors' values [B, P, S, C] that the model looks at, in reference units."""
        window = self._window()
        return self.batch.patches if window is None else window.patches

    @property
    def mask(self) -> Tensor:
        """[B, P], True where there is a patch."""
        window = self._window()
        return self.batch.patch_mask if window is None else window.patch_mask

    def times(self, duration: Tensor) -> Tensor:
        """Seconds [B, P, S] of each value within its segment, which lasts `duration` [B] seconds."""
        samples, window = self.signal.shape[2], self._window()
        inside = (torch.arange(samples) + 0.5) / samples
        if window is not None:
            return (torch.arange(window.patches.shape[1])[:, None] + inside) * window.patch_seconds[:, None, None]
        middle = (self.batch.centre * duration[:, None])[..., None]
        return middle + (inside - 0.5) * self.batch.seconds[..., None]

    def __call__(self, signal: Tensor, rows: Tensor | None = None) -> Tensor:
        """Logits [N, L] about zero mean, since a constant added to all of them changes no answer.

        Args:
            signal: [N, P, S, C] in place of the batch's own.
            rows: [N] the segment whose skeleton, durations and words go with each; None for one of each.
        """
        batch = self.batch if rows is None else taken(self.batch, rows)
        if batch.window is not None and self._window() is not None:
            batch = replace(batch, window=replace(batch.window, patches=signal))
        else:
            batch = replace(batch, patches=signal)
        logits = self._logits(batch)
        return logits - logits.mean(-1, keepdim=True)

    def _logits(self, batch: SegmentBatch) -> Tensor:
        if self.vocabulary.prototypes is None:
            return answers(self.model, batch)
        embedding = self.model.project(self.model.see(batch).feature)
        out: Tensor = self.model.logits(embedding, self.vocabulary.prototypes)
        return out

    def _window(self) -> Batch | None:
        return self.batch.window if isinstance(self.model, EncoderClassifier) else None


def taken(batch: AnyBatch, rows: Tensor) -> AnyBatch:
    """The segments of a batch at `rows` [N], which may repeat."""
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    chosen: dict[str, Any] = {
        name: value[rows] if isinstance(value, Tensor) else taken(value, rows)
        for name, value in values.items()
        if value is not None
    }
    return replace(batch, **chosen)


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Batches one after the other; where one is smaller (dynamic patches) it is filled up with zeros."""
    sizes = [max(part.shape[axis] for part in parts) for axis in range(1, parts[0].dim())]
    out = parts[0].new_zeros(sum(map(len, parts)), *sizes)
    first = 0
    for part in parts:
        out[(slice(first, first + len(part)), *map(slice, part.shape[1:]))] = part
        first += len(part)
    return out


def of_target(answer: Tensor, target: Tensor) -> Tensor:
    """The answer's value [N] for each segment's own class [N]."""
    return answer.gather(1, target[:, None])[:, 0]


def pieces(samples: int) -> int:
    """Into how many equal blocks of at most 16 samples a patch of S samples is parted."""
    return next(count for count in range(1, samples + 1) if samples % count == 0 and samples / count <= _LARGEST_BLOCK)


def block_sums(values: Tensor) -> Tensor:
    """Values [B, P, S, C] summed in blocks of one channel and a stretch of one patch: [B, P, K, C]."""
    b, p, s, c = values.shape
    return values.view(b, p, pieces(s), -1, c).sum(3)


def spread(blocks: Tensor, samples: int) -> Tensor:
    """Blocks [B, P, k, c] repeated over all S samples of their patch: [B, P, S, c]."""
    return blocks.repeat_interleave(samples // blocks.shape[2], dim=2)
