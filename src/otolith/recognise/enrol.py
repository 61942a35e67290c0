"""New activities from a few examples each, on features of a frozen model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from otolith.data.labels import sentences
from otolith.models.calibration import REJECTED, share_threshold
from otolith.models.io import read_checkpoint, write_checkpoint
from otolith.models.saved import TextModel
from otolith.recognise.calibrate import Threshold, abstain
from otolith.recognise.fewshot import METHODS, SHARPNESS, Floats, unit
from otolith.types import CheckpointError, ConfigError, DataError

FOLDS = 5
"""Parts of each activity's examples, of which each in turn is judged by what the others teach."""


ENOUGH = 30
"""Right answers from which on the share that a threshold rejects is known to about a tenth: with 30, and 3 of them
rejected, the share among all is below 0.24 with a confidence of 95 % (Clopper and Pearson 1934, Biometrika 26)."""


@dataclass(frozen=True)
class Judged:
    """What the threshold for unknown was learnt from: examples, each judged by others.

    Attributes:
        examples: Examples that were judged.
        right: Those recognised.
        rejected: Those recognised that the threshold rejects all the same.
    """

    examples: int
    right: int
    rejected: int


@dataclass(frozen=True)
class TextPrior:
    """What the names of activities say about them before any example.

    Attributes:
        labels: L activities.
        prototypes: float32 [L, E] of unit length, in the space of the vectors.
        scale: Factor on cosines before a softmax.
    """

    labels: tuple[str, ...]
    prototypes: Floats
    scale: float

    @classmethod
    def of(cls, model: TextModel, labels: Sequence[str]) -> TextPrior:
        """The prior that a model has from its texts.

        Raises:
            CheckpointError: The model has not learnt words.
            MissingExtraError: A label is new to the model and the text encoder is not installed.
        """
        model.require_words()
        # The offsets of a label's prototypes sum to zero: their mean is where its words put it.
        mean = model.prototypes([sentences(label) for label in labels]).mean(dim=1)
        with torch.no_grad():
            scale = float(model.bank.scale()) / Threshold.of(model).temperature
        return cls(tuple(labels), unit(mean.float().cpu().numpy()), scale)

    def choose(self, labels: Sequence[str]) -> TextPrior:
        """The prior of these labels, in their order.

        Raises:
            DataError: It does not have one of them.
        """
        absent = [label for label in labels if label not in self.labels]
        if absent:
            raise DataError(
                f"there is no text for the activity '{absent[0]}'; give one for each activity or none at all"
            )
        rows = [self.labels.index(label) for label in labels]
        return TextPrior(tuple(labels), self.prototypes[rows], self.scale)


class Enrolment:
    """A small classifier that a few examples of each activity make.

    Methods, all on features from which the mean of the examples (each activity counting alike) is taken:

    - `nearest`: cosine to the nearest example of each activity;
    - `prototype`: cosine to the mean of each activity's examples (Snell et al. 2017, arXiv:1703.05175);
    - `ridge`: one-vs-rest ridge regression in closed form, each activity counting alike.

    With a text prior of weight w, the words count as w examples beside the k that there are of each activity.
    `prototype` adds them as w pseudo-examples to the part of the features that lies in the space of the texts. The
    other methods have no such place and take a product of experts: examples^(k/(k+w)) x texts^(w/(k+w)), normalised
    (Hinton 2002, Neural Computation 14, section 2; the exponents as in a logarithmic opinion pool).

    The probabilities rank well and are modest; a threshold on them comes from `calibrate`.

    Args:
        method: `ridge`, `prototype` or `nearest`.
        text_weight: How many examples the words are worth, w; used where `fit` is given texts.

    Raises:
        ConfigError: There is no such method, or the weight is negative.
    """

    def __init__(self, method: str = "ridge", text_weight: float = 0.25) -> None:
        if method not in METHODS:
            raise ConfigError(f"there is no enrolment method '{method}'; use {', '.join(METHODS)}")
        if not (np.isfinite(text_weight) and text_weight >= 0):
            raise ConfigError(f"a text weight of {text_weight} is no number of examples; give 0 or more")
        self.method, self.text_weight = method, float(text_weight)
        self.labels: tuple[str, ...] = ()
        self.trust = 1.0  # exponent of the examples in the product of experts; the texts have the rest
        self.text_scale = 1.0
        self.arrays: dict[str, Floats] = {}
        self.threshold: float | None = None
        self.judged = Judged(0, 0, 0)

    def fit(self, features: Floats, labels: Sequence[str], texts: TextPrior | None = None) -> Self:
        """Learns from examples.

        Args:
            features: [N, F], from `Recogniser.embed`.
            labels: The activity of each.
            texts: The prior of all these activities.

        Raises:
            DataError: Fewer than two activities, a missing value, or an activity without text.
        """
        names = _check_examples(features, labels)
        known = tuple(sorted(set(names)))
        words = texts.choose(known) if texts is not None and self.text_weight else None
        number = np.searchsorted(known, names)
        count = np.bincount(number)
        mean = np.stack([features[number == c].mean(axis=0) for c in range(len(count))]).mean(axis=0)
        centred, weight = features - mean, np.ones(len(names))
        self.labels, self.trust, self.arrays = known, 1.0, {"mean": mean.astype(np.float32)}
        self.threshold, self.judged = None, Judged(0, 0, 0)
        if words and METHODS[self.method].takes_words:
            centred = np.concatenate([centred, _pseudo_examples(words, centred, number)])
            number = np.r_[number, np.arange(len(count))]
            weight = np.r_[weight, np.full(len(count), self.text_weight)]
        elif words:
            self.trust = float(count.mean() / (count.mean() + self.text_weight))
            self.text_scale, self.arrays["texts"] = words.scale, words.prototypes
        self.arrays |= METHODS[self.method].fit(centred, number, weight)
        return self

    def calibrate(
        self,
        features: Floats,
        labels: Sequence[str],
        texts: TextPrior | None = None,
        spans: NDArray[np.float64] | None = None,
        rejected: float = REJECTED,
    ) -> Self:
        """Learns `threshold`, the probability below which an answer is unsure, from the examples themselves.

        A fifth of the examples of each activity at a time is judged by what the others teach, without those that share
        samples with a judged one; the threshold is the highest that rejects at most the share `rejected` of those
        judged right. Where an activity would be left without an example, it is not judged; where none can be, there is
        no threshold (None). It is of the people in the examples and says little of others; `judged` says how many
        examples it is learnt from.

        Args:
            features: As in `fit`, the examples of one activity in order of time.
            labels: As in `fit`.
            texts: As in `fit`.
            spans: [N, 2] first and last second of each example; None where no two share samples.
            rejected: From 0 to below 1.

        Raises:
            DataError: As in `fit`.
        """
        names = np.array(_check_examples(features, labels))
        fold = _folds(names)
        confidence, correct = [np.empty(0)], [np.empty(0, dtype=bool)]
        for left_out in (fold == number for number in np.unique(fold[fold >= 0])):
            learnt = ~left_out if spans is None else ~left_out & ~_touch(spans, spans[left_out])
            left_out &= np.isin(names, names[learnt])
            if len(set(names[learnt])) < len(set(names)) or not left_out.any():
                continue  # an activity has nothing left to be known by
            others = Enrolment(self.method, self.text_weight)
            others.fit(features[learnt], names[learnt].tolist(), texts)
            confidence.append(others.probabilities(features[left_out]).max(axis=1))
            correct.append(others.predict(features[left_out]) == names[left_out])
        judged, right = torch.from_numpy(np.concatenate(confidence)), torch.from_numpy(np.concatenate(correct))
        self.threshold = share_threshold(judged, right, rejected) if len(judged) else None
        below = int((judged[right] < (self.threshold or 0.0)).sum())
        self.judged = Judged(len(judged), int(right.sum()), below)
        return self

    def logits(self, features: Floats) -> Floats:
        """Class scores [N, L], in the order of `labels`; their softmax is `probabilities`.

        Raises:
            DataError: Not fitted, or features of another width.
        """
        self._require_fit()
        width = len(self.arrays["mean"])
        if features.ndim != 2 or features.shape[1] != width:
            raise DataError(
                f"features of shape {list(features.shape)}, but the examples had width {width}: use the same model "
                "and recordings of the same sensors"
            )
        scores = SHARPNESS * METHODS[self.method].score(features - self.arrays["mean"], self.arrays)
        if "texts" in self.arrays:
            words = self.arrays["texts"]
            by_text = log_softmax(self.text_scale * features[:, : words.shape[1]] @ words.T, axis=1)
            scores = self.trust * log_softmax(scores, axis=1) + (1 - self.trust) * by_text
        return np.asarray(scores, dtype=np.float32)

    def probabilities(self, features: Floats) -> Floats:
        """Probabilities [N, L], in the order of `labels`; errors as in `logits`."""
        return np.asarray(softmax(self.logits(features), axis=1), dtype=np.float32)

    def predict(self, features: Floats, threshold: float = 0.0) -> NDArray[np.str_]:
        """The most probable activity of each window [N], `unknown` below the threshold; errors as in `logits`."""
        return abstain(self.probabilities(features), self.labels, threshold)

    def _require_fit(self) -> None:
        if not self.labels:
            raise DataError("nothing is enrolled yet: call fit with a few examples of each activity")

    def save(self, path: Path | str, model: TextModel) -> None:
        """Writes what was learnt, as safetensors with a JSON header, and which model it belongs to.

        Raises:
            DataError: Not fitted, or the place is not writable.
        """
        self._require_fit()
        meta = {
            "stage": "enrolment",
            "method": self.method,
            "text_weight": self.text_weight,
            "trust": self.trust,
            "text_scale": self.text_scale,
            "labels": list(self.labels),
            "threshold": self.threshold,
            "judged": asdict(self.judged),
            "model_sha256": model.fingerprint(),
        }
        write_checkpoint(Path(path), meta, {k: torch.from_numpy(v) for k, v in self.arrays.items()})

    @classmethod
    def load(cls, path: Path | str, model: TextModel) -> Enrolment:
        """Reads what `save` wrote.

        Raises:
            CheckpointError: Not there, damaged, something else, or learnt on features of another model.
        """
        checkpoint = read_checkpoint(Path(path))
        meta = checkpoint.meta
        if meta.get("stage") != "enrolment":
            raise CheckpointError(
                f"{path} holds no enrolled activities but a model: give the file that enrolment wrote"
            )
        if meta.get("model_sha256") != model.fingerprint():
            raise CheckpointError(f"{path} was enrolled with another model: use that one, or enrol again with this one")
        try:
            enrolment = cls(meta["method"], meta["text_weight"])
            enrolment.labels = tuple(meta["labels"])
            enrolment.threshold = None if meta["threshold"] is None else float(meta["threshold"])
            enrolment.judged = Judged(**meta.get("judged", asdict(enrolment.judged)))  # absent before version 0.2
            enrolment.trust, enrolment.text_scale = float(meta["trust"]), float(meta["text_scale"])
            enrolment.arrays = {name: value.numpy() for name, value in checkpoint.tensors.items()}
            scores = enrolment.logits(np.zeros((1, len(enrolment.arrays["mean"])), np.float32))
            if scores.shape != (1, len(enrolment.labels)):
                raise ValueError(f"{len(enrolment.labels)} labels for {scores.shape[1]} scores")
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise CheckpointError(f"{path} does not describe enrolled activities ({error}): enrol again") from error
        return enrolment


def _check_examples(features: Floats, labels: Sequence[str]) -> list[str]:
    """The labels as plain texts, after the checks of `Enrolment.fit`."""
    if features.ndim != 2 or len(features) != len(labels):
        raise DataError(f"{len(labels)} labels for features of shape {list(features.shape)}; give one label a window")
    names = [str(label) for label in labels]
    if len(set(names)) < 2 or not all(name.strip() for name in names):
        raise DataError("the examples need a label each and at least two different activities; add examples of another")
    if not np.isfinite(features).all():
        raise DataError("the features of the examples hold missing or infinite values; leave out such windows")
    return names


def _folds(names: NDArray[np.str_]) -> NDArray[np.intp]:
    """Which part of its activity each example [N] belongs to, from 0 to `FOLDS` - 1; -1 for a single example."""
    fold = np.full(len(names), -1)
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        if len(rows) > 1:
            fold[rows] = np.arange(len(rows)) * FOLDS // len(rows)
    return fold


def _touch(spans: NDArray[np.float64], judged: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which spans [N, 2] share time with one of those judged [M, 2]."""
    shared = (spans[:, None, 0] < judged[None, :, 1]) & (judged[None, :, 0] < spans[:, None, 1])
    return np.asarray(shared.any(axis=1), dtype=np.bool_)


def _pseudo_examples(texts: TextPrior, centred: Floats, number: NDArray[np.intp]) -> Floats:
    """One example [L, F] of each activity whose part in the space of the texts is that of its words.

    The rest is the mean of the real examples, which it thus leaves where it is.
    """
    made = np.stack([centred[number == c].mean(axis=0) for c in range(len(texts.labels))])
    joint = texts.prototypes.shape[1]
    # As long as that part of a real example: texts lie wide apart where the windows of one sensor lie close together.
    size = np.sqrt((centred[:, :joint] ** 2).sum(axis=1).mean())
    made[:, :joint] = size * unit(texts.prototypes - texts.prototypes.mean(axis=0))
    return made
