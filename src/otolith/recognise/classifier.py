"""The recogniser in the manner of scikit-learn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from otolith.data.channels import Channel, triad
from otolith.data.recording import MIN_SAMPLES, Recording, refuse_implausible
from otolith.models.registry import load_text_model
from otolith.models.saved import TextModel
from otolith.recognise.enrol import Enrolment, TextPrior
from otolith.recognise.recogniser import Recogniser
from otolith.recognise.zeroshot import check_labels, zero_shot
from otolith.types import ConfigError, DataError

STANDARD_SENSORS = ("acc", "gyro", "mag")
"""Three-axis sensors of which a standard layout is made."""


def standard_channels(layout: str, placement: str) -> tuple[Channel, ...]:
    """The channels of a layout such as `acc+gyro`: x, y and z of each sensor, acceleration with gravity.

    Raises:
        ConfigError: A sensor is unknown or repeated.
    """
    sensors = [sensor.strip() for sensor in layout.split("+")]
    if len(set(sensors)) < len(sensors) or not set(sensors) <= set(STANDARD_SENSORS):
        raise ConfigError(
            f"channels '{layout}' is no standard layout; join {', '.join(STANDARD_SENSORS)} by +, as in acc+gyro, or "
            "give a list of Channel"
        )
    return tuple(c for s in sensors for c in triad(s, placement, gravity=True if s == "acc" else None))


class ActivityClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn publishes no types
    """Activities of windows [N, T, C] by a frozen model: enrolled with `fit`, or named in words with `prompt`.

    Args:
        model: A model, or the path of its checkpoint. It is never changed, and clones share it.
        channels: What the columns are: a list of `Channel`, or `acc`, `acc+gyro`, `acc+gyro+mag` in SI.
        rate: Samples per second.
        placement: Where on the body, in plain words; for a standard layout.
        method: How examples are learnt from, see `Enrolment`.
        text_weight: How many examples the names of the classes are worth; 0 does not read them.

    Attributes:
        classes_: The classes, in the order of the columns of `predict_proba`.
    """

    def __init__(
        self,
        model: TextModel | Path | str,
        channels: Sequence[Channel] | str = "acc+gyro",
        rate: float = 50.0,
        placement: str = "waist",
        method: str = "ridge",
        text_weight: float = 0.0,
    ) -> None:
        self.model = model
        self.channels = channels
        self.rate = rate
        self.placement = placement
        self.method = method
        self.text_weight = text_weight

    def __sklearn_clone__(self) -> Self:
        # A deep copy of the model for each fold would cost memory and change nothing.
        return type(self)(**self.get_params(deep=False))

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Enrols the classes.

        Args:
            X: [N, T, C] in SI.
            y: [N] classes; with a text weight, words.

        Raises:
            DataError: The windows or the classes cannot be used.
        """
        self._open()
        windows = self._check(X)
        classes = np.asarray(y)
        if classes.shape != (len(windows),):
            raise DataError(
                f"{len(windows)} windows but classes of shape {list(classes.shape)}; give one for each window"
            )
        enrolment = Enrolment(self.method, self.text_weight)
        names = [str(name) for name in classes]
        known = sorted(set(names))
        texts = TextPrior.of(self.recogniser_.model, known) if self.text_weight and check_labels(known) else None
        _, features = self.recogniser_.embed_windows(windows, self.channels_, self.rate)
        self.enrolment_: Enrolment | None = enrolment.fit(features, names, texts)
        self.classes_ = np.unique(classes)
        self._columns = [enrolment.labels.index(str(name)) for name in self.classes_]  # 10 sorts after 2, "10" before
        return self

    def prompt(self, labels: Iterable[str]) -> Self:
        """Makes ready to tell apart activities that are given in words, without any example.

        Args:
            labels: At least two activities in any words.

        Raises:
            CheckpointError: The model has not learnt words.
            DataError: The list of labels cannot be used.
        """
        names = check_labels(labels)
        self._open()
        self.recogniser_.model.require_words()
        self.classes_, self.enrolment_ = np.array(names, dtype=np.str_), None
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Probabilities [N, L] of `classes_`.

        Raises:
            DataError: The windows cannot be used.
        """
        check_is_fitted(self, "classes_")
        vectors, features = self.recogniser_.embed_windows(self._check(X), self.channels_, self.rate)
        if self.enrolment_ is None:
            return zero_shot(self.recogniser_.model, vectors, self.classes_.tolist())
        return self.enrolment_.probabilities(features)[:, self._columns]

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable class of each window [N]; errors as in `predict_proba`."""
        best = self.predict_proba(X).argmax(axis=1)
        predicted: NDArray[Any] = self.classes_[best]
        return predicted

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array, tags.input_tags.two_d_array = True, False
        return tags

    def _open(self) -> None:
        if not isinstance(self.model, TextModel | Path | str):
            raise ConfigError(
                f"the model is a {type(self.model).__name__}; give an Otolith model or a checkpoint's path"
            )
        model = self.model if isinstance(self.model, TextModel) else load_text_model(self.model)
        self.recogniser_ = Recogniser(model)
        given = self.channels
        self.channels_ = standard_channels(given, self.placement) if isinstance(given, str) else tuple(given)

    def _check(self, X: ArrayLike) -> NDArray[np.float32]:
        """Windows that can be used, as float32."""
        try:
            windows = np.asarray(X, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise DataError(f"the windows are no array of numbers [windows, samples, channels]: {error}") from error
        columns = len(self.channels_)
        if windows.ndim != 3 or not len(windows) or windows.shape[2] != columns:
            raise DataError(
                f"windows of shape {list(windows.shape)}; give [windows, samples, {columns}], a column for each of "
                f"{', '.join(c.name for c in self.channels_)}"
            )
        bad = ~np.isfinite(windows).all(axis=(1, 2))
        if bad.any():
            raise DataError(
                f"window {int(bad.argmax())} has missing or infinite values; fill them or leave the window out"
            )
        signal = windows.reshape(-1, columns)
        if len(signal) >= MIN_SAMPLES:
            refuse_implausible(Recording(signal, float(self.rate), self.channels_, "", "windows"))
        return windows
