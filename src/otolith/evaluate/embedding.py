"""A model's view of windows, kept as a file, so that it can be drawn without the model and the data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from otolith.files import atomic_file
from otolith.types import DataError

FORMAT_VERSION = 1
_KEY = "otolith-embedding"


@dataclass(frozen=True)
class Embedding:
    """Features of N windows in S snapshots of a model.

    Attributes:
        features: float32 [S, N, F].
        labels: [N] activities.
        subjects: [N] who.
        steps: [S] optimiser step of each snapshot, ascending.
        model: Its name.
        dataset: Name of the dataset.
    """

    features: NDArray[np.float32]
    labels: tuple[str, ...]
    subjects: tuple[str, ...]
    steps: tuple[int, ...]
    model: str
    dataset: str

    def __post_init__(self) -> None:
        if self.features.ndim != 3 or not self.features.size:
            raise ValueError(f"features must be [S, N, F], not {list(self.features.shape)}")
        sizes = (len(self.steps), len(self.labels), len(self.subjects))
        if sizes != (self.features.shape[0], self.features.shape[1], self.features.shape[1]):
            raise ValueError(f"features {list(self.features.shape)} have {sizes} steps, labels, subjects")
        if list(self.steps) != sorted(set(self.steps)):
            raise ValueError(f"steps must ascend, not {list(self.steps)}")
        if not np.isfinite(self.features).all():
            raise ValueError("a feature is not a finite number")

    def save(self, path: Path) -> None:
        """Writes the file in one step.

        Raises:
            DataError: The disk is full or the place is not writable.
        """
        about = {
            "version": FORMAT_VERSION,
            "labels": self.labels,
            "subjects": self.subjects,
            "steps": self.steps,
            "model": self.model,
            "dataset": self.dataset,
        }
        features = np.ascontiguousarray(self.features, dtype=np.float32)
        with atomic_file(path) as temporary:
            temporary.write_bytes(save({"features": features}, {_KEY: json.dumps(about, sort_keys=True)}))

    @classmethod
    def load(cls, path: Path) -> Embedding:
        """Reads a file.

        Raises:
            DataError: Not there, damaged, not ours, or of another version.
        """
        if not path.is_file():
            raise DataError(f"there is no embedding at {path}: give a file that otolith embed wrote")
        try:
            with safe_open(path, framework="numpy") as handle:
                about = json.loads((handle.metadata() or {}).get(_KEY, "null"))
                if about is None:
                    raise DataError(f"{path} is no embedding: give a file that otolith embed wrote")
                if about["version"] != FORMAT_VERSION:
                    raise DataError(f"{path} has embedding version {about['version']}, this otolith reads version "
                                    f"{FORMAT_VERSION}: embed again")  # fmt: skip
                features = handle.get_tensor("features").astype(np.float32)
            labels, subjects = (tuple(map(str, about[name])) for name in ("labels", "subjects"))
            steps = tuple(map(int, about["steps"]))
            return cls(features, labels, subjects, steps, str(about["model"]), str(about["dataset"]))
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is damaged and cannot be read ({error}): embed again") from error
