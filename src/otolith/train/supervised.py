"""What teachers and students share: labelled segments, mixed, and judged on people held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score
from torch import Tensor, nn

from otolith.data.loader import describe_channels
from otolith.data.segments import SegmentAugment, SegmentConfig, Segments
from otolith.data.windows import WindowIndex
from otolith.models.classifier import EncoderClassifier, NetworkClassifier
from otolith.models.pupil import answers
from otolith.models.saved import Saved
from otolith.models.student import SensorTokens, StudentConfig
from otolith.train.engine import RunConfig
from otolith.train.probe import macro_f1
from otolith.train.sources import Sources
from otolith.train.task import SCORE, Task
from otolith.types import ConfigError, SegmentBatch


@dataclass(frozen=True)
class SegmentRun(RunConfig):
    """What defines a run on segments; teaching and distilling add their own."""

    segments: SegmentConfig = field(default_factory=SegmentConfig)
    """What a segment is."""
    augment: SegmentAugment = field(default_factory=SegmentAugment)
    """Of training segments."""


@dataclass(frozen=True)
class LabelObjective:
    """Learning from labels."""

    smoothing: float = 0.1
    """Share of a target that is spread over all classes."""
    mixup: float = 0.4
    """Strength of mixing segments; 0 mixes none."""
    mixup_probability: float = 0.5
    """Of a batch being mixed."""

    def __post_init__(self) -> None:
        if not (0 <= self.smoothing < 1 and self.mixup >= 0 and 0 <= self.mixup_probability <= 1):
            raise ConfigError("objective: smoothing in [0, 1), mixup 0 or more, mixup_probability in [0, 1]")


def check_whole_windows(segments: SegmentConfig, network: str) -> None:
    """Looks whether patches make up the windows that a network of windows sees.

    Raises:
        ConfigError: They overlap, are resampled, or leave something over.
    """
    patching = segments.patching
    if patching.dynamic or patching.samples != patching.size or segments.samples % patching.size:
        raise ConfigError(
            f"'{network}' sees whole windows: set segments.patching.dynamic false, and size and samples of a patch to "
            f"one divisor of segments.samples {segments.samples}"
        )


def fitted(config: StudentConfig, segments: Segments) -> StudentConfig:
    """The configuration with the input that these segments have, whatever it said of it."""
    patching = segments.config.patching
    return replace(
        config,
        patch_samples=patching.samples,
        patches=patching.most(segments.config.samples),
        channels=len(segments.channels),
        triads=tuple(tuple(triad) for triad in segments.triads),
    )


def mix(batch: SegmentBatch, target: Tensor, strength: float, probability: float) -> tuple[SegmentBatch, Tensor]:
    """Each segment mixed with another one of the batch, and so its target (Zhang et al. 2018, arXiv:1710.09412).

    Patches of the same number are mixed, so it needs patches of a fixed size: where any segment lacks a patch that
    another has (dynamic patches), nothing is mixed. A skeleton that was not seen stays unseen in the mixture.

    Args:
        batch: B segments.
        target: [B, L] class shares.
        strength: Both parameters of the beta distribution of the shares; 0 mixes nothing.
        probability: Of mixing the batch at all.
    """
    if not strength or float(torch.rand(())) >= probability or not bool(batch.patch_mask.all()):
        return batch, target
    share = float(torch.distributions.Beta(strength, strength).sample())
    other = torch.randperm(len(batch), device=target.device)

    def mixed(x: Tensor) -> Tensor:
        return share * x + (1 - share) * x[other]

    skeleton = None if batch.skeleton is None else mixed(batch.skeleton)
    window = batch.window
    if window is not None:  # the words for the channels are mixed too: of two placements it is worn between them
        window = replace(window, patches=mixed(window.patches), channel_text=mixed(window.channel_text))
    changed = replace(batch, patches=mixed(batch.patches), seconds=mixed(batch.seconds), skeleton=skeleton,
                      window=window)  # fmt: skip
    return changed, mixed(target)


def shares(label: Tensor, count: int) -> Tensor:
    """Class shares [B, L] of labels [B]; all zero where a segment has none (-1)."""
    return F.one_hot(label.clamp(min=0), count).float() * (label >= 0)[:, None]


def normalise(module: nn.Module, segments: Segments) -> None:
    """Gives every part of a module that z-scores its input the statistics of the training segments."""
    mean, std = segments.statistics()
    for part in module.modules():
        if isinstance(part, SensorTokens | NetworkClassifier):
            part.normalise_by(torch.from_numpy(mean), torch.from_numpy(std))


@torch.no_grad()
def predict(model: Any, segments: Segments) -> NDArray[np.float32]:
    """Logits [N, L] of all segments, in order, over `model.meta["labels"]`; the model is left in its mode."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    parts = [answers(model, batch.to(device)).float().cpu().numpy() for batch, _ in segments.batches()]
    model.train(was_training)
    return np.concatenate(parts)


class SegmentTask(Task):
    """A stage on segments, judged by the classes that it tells apart on people who are held out."""

    def __init__(
        self,
        model: Saved,
        module: nn.Module,
        sources: Sources,
        config: SegmentRun,
        parents: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(model, module, sources, config.segments, merged(parents))
        self.parents = list(parents)
        self.held_out = held_out(model, sources, config)

    def evaluate(self) -> dict[str, float]:
        """Macro-F1 over all labels, and accuracy, on validation subjects."""
        if self.held_out is None:
            return {}
        model: Any = self.saved
        assert isinstance(model.head, nn.Linear)
        predicted = predict(model, self.held_out).argmax(1)
        truth = self.held_out.label
        return {
            SCORE: macro_f1(truth, predicted, range(len(self.sources.labels))),
            "accuracy": float(accuracy_score(truth, predicted)),
        }

    def meta(self) -> dict[str, Any]:
        """Its description; `segments` says what the model expects, `parents` from whom it learnt."""
        about = {k: v for k, v in super().meta().items() if k not in ("loader", "parent")}
        return {**about, "segments": asdict(self.loader), "parents": self.parents}


def as_seen_by(model: Any, indexes: Sequence[WindowIndex], config: SegmentConfig, **more: Any) -> Segments:
    """Segments with all that a model looks at: skeletons, or the words for the channels.

    Args:
        model: A teacher, student or classifier.
        indexes: Of each dataset.
        config: What a segment is.
        **more: Further arguments of `Segments`.
    """
    if isinstance(model, EncoderClassifier):
        words = model.texts.table(describe_channels(indexes, config.prepare.view, upright=model.upright))
        seen: dict[str, Any] = {"patch_seconds": model.patch_seconds, "upright": model.upright}
        return Segments(indexes, config, text=words, **seen, **more)
    return Segments(indexes, config, skeletons=bool(getattr(model, "sees_skeletons", False)), **more)


def held_out(model: Any, sources: Sources, config: SegmentRun) -> Segments | None:
    """Labelled segments of the validation subjects; None without any."""
    chosen = [index.labelled(sources.labels) for index in sources.val]
    chosen = [index for index in chosen if len(index)]
    return as_seen_by(model, chosen, config.segments, labels=sources.labels) if chosen else None


def merged(parents: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """All parents as one, whose history is that of each of them: nobody whom one of them saw may test the child."""
    if not parents:
        return None
    history: dict[str, dict[str, set[str]]] = {}
    for parent in parents:
        for name, entry in parent["history"].items():
            known = history.setdefault(name, {})
            for key, values in entry.items():
                known.setdefault(key, set()).update(values)
    plain = {name: {key: sorted(values) for key, values in entry.items()} for name, entry in history.items()}
    return {"history": plain}
