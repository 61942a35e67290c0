"""Activities in words, for models that know words: made on a workstation, swapped on the device at run time."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith_edge.description import Description
from otolith_edge.errors import ModelError

Floats = NDArray[np.float32]

SHARPNESS = 10.0
"""Sharpness of the soft maximum over a class's prototypes, as in `otolith.models.label_bank`."""


@dataclass(frozen=True)
class Vocabulary:
    """L activities as K unit vectors each.

    Attributes:
        labels: Their names.
        prototypes: float32 [L, K, E] of unit length.
        scale: By which class scores are multiplied.
        temperature: By which they are then divided.
        threshold: Smallest probability that counts as an answer; 0 rejects nothing.
    """

    labels: tuple[str, ...]
    prototypes: Floats
    scale: float
    temperature: float
    threshold: float

    @classmethod
    def load(cls, path: Path | str) -> Vocabulary:
        """Reads the `.npz` that `otolith export` wrote.

        Raises:
            ModelError: Not there, damaged, or not of ours.
        """
        file = Path(path)
        if not file.is_file():
            raise ModelError(f"there is no vocabulary {file}: give a .npz that  otolith export  wrote")
        try:
            with np.load(file, allow_pickle=False) as arrays:
                found = cls(
                    tuple(map(str, np.atleast_1d(arrays["labels"]).tolist())),
                    np.asarray(arrays["prototypes"], np.float32),
                    float(arrays["scale"]),
                    float(arrays["temperature"]),
                    float(arrays["threshold"]),
                )
        except (KeyError, ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"{file} is no vocabulary ({error}): write it with  otolith export") from error
        found._check(file)
        return found

    def logits(self, vectors: Floats) -> Floats:
        """Scores [N, L] of vectors [N, E] of unit length; their softmax is the belief.

        The log-mean-exp over the prototypes of each class, scaled and softened as the model was calibrated.
        """
        cosine = SHARPNESS * np.einsum("bd,lkd->blk", vectors, self.prototypes)
        top = cosine.max(axis=2, keepdims=True)
        soft = np.log(np.exp(cosine - top).mean(axis=2)) + top[..., 0]
        out: Floats = (soft * np.float32(self.scale / (SHARPNESS * self.temperature))).astype(np.float32)
        return out

    def _check(self, file: Path) -> None:
        shape = self.prototypes.shape
        if len(shape) != 3 or shape[0] != len(self.labels) or not shape[0] or not np.isfinite(self.prototypes).all():
            raise ModelError(f"{file} has prototypes {shape} for {len(self.labels)} labels: write it again")
        if not (self.scale > 0 and self.temperature > 0 and 0 <= self.threshold <= 1):
            raise ModelError(f"{file} has a scale, temperature or threshold out of range: write it again")


def fits(vocabulary: Vocabulary | None, model: Description) -> None:
    """Checks that a model and a vocabulary go together.

    Raises:
        ModelError: One is there without the other, or they are of different spaces.
    """
    if vocabulary is None:
        if model.kind == "words":
            raise ModelError("the model gives vectors and needs words to name them: give a vocabulary")
        return
    if model.kind != "words":
        some = ", ".join((model.labels or ())[:3])
        raise ModelError(f"the model has classes of its own ({some}, ...): leave out the vocabulary")
    if model.embedding is not None and vocabulary.prototypes.shape[2] != model.embedding:
        raise ModelError(
            f"the vocabulary has vectors of {vocabulary.prototypes.shape[2]} numbers and the model gives "
            f"{model.embedding}: take the vocabulary that was written with the model"
        )


def softmax(logits: Floats) -> Floats:
    """Probabilities [N, L]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    out: Floats = powers / powers.sum(axis=1, keepdims=True)
    return out
