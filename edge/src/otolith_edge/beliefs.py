"""From windows to probabilities of named activities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otolith_edge.model import Model
from otolith_edge.vocabulary import Vocabulary, fits, softmax

Floats = NDArray[np.float32]


class Beliefs:
    """A model and, if it knows words, the vocabulary that names its vectors.

    Args:
        model: Of either kind.
        vocabulary: Needed by, and only by, a `words` model.

    Raises:
        ModelError: They do not go together.
    """

    def __init__(self, model: Model, vocabulary: Vocabulary | None = None) -> None:
        self.model = model
        self.swap(vocabulary)

    def swap(self, vocabulary: Vocabulary | None) -> None:
        """Other words from now on; errors as in the constructor."""
        fits(vocabulary, self.model.description)
        self.vocabulary = vocabulary

    @property
    def labels(self) -> tuple[str, ...]:
        """L names."""
        return self.vocabulary.labels if self.vocabulary else self.model.description.labels or ()

    @property
    def threshold(self) -> float:
        """Smallest probability that counts as an answer; 0 where none was calibrated."""
        return self.vocabulary.threshold if self.vocabulary else 0.0

    def __call__(self, windows: Floats, seconds: float) -> Floats:
        """Probabilities [N, L] of windows [N, T, C] in SI units that last `seconds` each."""
        answers = self.model(windows, seconds)
        return softmax(self.vocabulary.logits(answers) if self.vocabulary else answers)
