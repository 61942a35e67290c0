"""A model that knows words, and the controls, on the same windows of two sides: those learnt from and those judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from otolith.data.channels import triads
from otolith.data.loader import LoaderConfig, Windows, describe_channels
from otolith.data.views import ChannelView
from otolith.data.windows import WindowIndex
from otolith.evaluate.baselines import LogisticOnStatistics, NearestRawWindow
from otolith.evaluate.metrics import chance, scores, subject_interval
from otolith.evaluate.results import Row, rows
from otolith.models.saved import TextModel
from otolith.recognise.enrol import Enrolment
from otolith.recognise.recogniser import Recogniser
from otolith.train.probe import embed_windows
from otolith.types import DataError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Side:
    """Labelled windows in every form that a model wants.

    Attributes:
        signals: [N, T, C] in SI, the channels that the model sees.
        features: [N, F] of the trained model.
        untrained: [N, F] of the same encoder at random initialisation.
        vectors: [N, E] in the space of the texts.
        labels: [N].
        subjects: [N].
        bodies: Columns of the three-axis sensors.
    """

    signals: Floats
    features: Floats
    untrained: Floats
    vectors: Floats
    labels: NDArray[np.str_]
    subjects: NDArray[np.str_]
    bodies: tuple[tuple[int, int, int], ...]

    def of(self, labels: Sequence[str]) -> Side:
        """Windows with one of these labels."""
        return self.take(np.flatnonzero(np.isin(self.labels, labels)))

    def take(self, keep: NDArray[np.int64]) -> Side:
        """The chosen windows."""
        return Side(
            self.signals[keep],
            self.features[keep],
            self.untrained[keep],
            self.vectors[keep],
            self.labels[keep],
            self.subjects[keep],
            self.bodies,
        )


def make_side(index: WindowIndex, model: TextModel, seed: int) -> Side:
    """Reads and embeds windows of one dataset.

    Raises:
        DataError: Recordings differ in rate or in channels or their order, so that controls cannot stack windows.
    """
    windows = as_seen_by(model, index)
    columns = same_columns(index, windows.config.view)
    torch.manual_seed(seed)
    untrained = model.untrained()
    features = embed_windows(model, windows, model.channel_features)
    first = int(index.recording[0])
    kept = [index.dataset.channels(first)[c] for c in columns[first]]
    places = zip(index.recording.tolist(), index.start, index.length, strict=True)
    cut = [index.dataset.signal(r)[s : s + n, columns[r]] for r, s, n in places]
    return Side(
        np.stack(cut),
        features,
        embed_windows(untrained, windows, untrained.channel_features),
        features[:, : model.bank.config.dim],
        index.label,
        index.subject,
        tuple(t for body in triads(kept).values() for t in body),
    )


def as_seen_by(model: TextModel, index: WindowIndex) -> Windows:
    """Windows cut as the model was trained to see them."""
    recogniser = Recogniser(model)
    view: ChannelView = recogniser.view
    upright = model.upright
    config = LoaderConfig(
        recogniser.window_seconds, patch_seconds=(recogniser.patch_seconds,), view=view, upright=upright
    )
    return Windows([index], model.texts.table(describe_channels([index], view, upright=upright)), config)


def same_columns(index: WindowIndex, view: ChannelView) -> dict[int, list[int]]:
    """The columns that the view chooses of each recording; errors as in `make_side`."""
    dataset = index.dataset
    columns = {r: view.columns(dataset.channels(r)) for r in np.unique(index.recording).tolist()}
    kinds = set()
    for r, chosen in columns.items():
        channels, rate = dataset.channels(r), float(dataset.recordings["rate"].iloc[r])
        kinds.add((rate, tuple((channels[c].sensor, channels[c].axis) for c in chosen)))
    if len(kinds) > 1:
        raise DataError(
            f"recordings of '{dataset.name}' differ in rate, or in channels or their order: make a dataset of each kind"
        )
    return columns


def compare(
    examples: Side, queries: Side, ours: Mapping[str, list[str]], classes: Sequence[str], **place: Any
) -> list[Row]:
    """Rows of our predictions, of the controls that learn from the same examples, and of chance.

    Args:
        examples: What the controls learn from.
        queries: What all are judged on.
        ours: Predictions by model name.
        classes: Explicit class list.
        **place: `dataset`, `protocol`, `fold`, `seed`, `provenance` of the rows.
    """
    predicted = dict(ours)
    for control in (LogisticOnStatistics(triads=examples.bodies), NearestRawWindow()):
        predicted[control.name] = control.fit(examples.signals, list(examples.labels)).predict(queries.signals)
    blank = Enrolment("ridge").fit(examples.untrained, list(examples.labels))
    predicted["untrained+ridge"] = list(blank.predict(queries.untrained))
    return score(queries, predicted, classes, **place)


def score(queries: Side, predicted: Mapping[str, list[str]], classes: Sequence[str], **place: Any) -> list[Row]:
    """Rows of predictions by model name, with 95 % intervals over people, and of chance; arguments as in `compare`."""
    truth, people = list(queries.labels), list(queries.subjects)
    found = {}
    for name, labels in predicted.items():
        low, high = subject_interval(truth, labels, people, classes)
        found[name] = {**scores(truth, labels, classes), "macro_f1_low": low, "macro_f1_high": high}
    found["chance"] = chance(truth, classes)
    return [row for name, values in found.items() for row in rows(values, model=name, n=len(truth), **place)]
