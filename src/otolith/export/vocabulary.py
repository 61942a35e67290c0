"""Words for a device: the prototypes of some labels, readable with numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from otolith.data.labels import sentences
from otolith.files import atomic_file
from otolith.models.label_bank import class_scores
from otolith.models.saved import TextModel

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Vocabulary:
    """What an embedding is compared with.

    Attributes:
        labels: L.
        prototypes: float32 [L, K, E] of unit length.
        scale: By which class scores are multiplied.
        temperature: By which they are then divided before the softmax.
        threshold: Smallest probability that counts as an answer; 0 rejects nothing.
    """

    labels: tuple[str, ...]
    prototypes: Floats
    scale: float
    temperature: float
    threshold: float

    @classmethod
    def of(cls, model: TextModel, labels: Sequence[str], temperature: float, threshold: float) -> Vocabulary:
        """The words as the model reads them.

        Raises:
            MissingExtraError: A label is new to the model and the text encoder is not installed.
        """
        prototypes = model.prototypes([sentences(label) for label in labels]).cpu().numpy()
        return cls(tuple(labels), prototypes, model.bank.scale().item(), temperature, threshold)

    def scores(self, embedding: Floats) -> Floats:
        """Class scores [N, L] of unit vectors [N, E]."""
        out: Floats = class_scores(torch.from_numpy(embedding), torch.from_numpy(self.prototypes)).numpy()
        return out

    def save(self, path: Path) -> None:
        """Writes an `.npz` in one step; it holds no objects, so `np.load` needs no pickle.

        Raises:
            DataError: The disk is full or the place is not writable.
        """
        with atomic_file(path) as temporary, temporary.open("wb") as handle:
            np.savez(
                handle,
                prototypes=self.prototypes.astype(np.float32),
                labels=np.array(self.labels, np.str_),
                scale=np.float32(self.scale),
                temperature=np.float32(self.temperature),
                threshold=np.float32(self.threshold),
            )
