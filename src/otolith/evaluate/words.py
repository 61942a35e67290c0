"""A model asked in words about people, or whole datasets, that it has not seen, with controls beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otolith.data.labels import resolve
from otolith.data.leaks import check_leak, share_recordings
from otolith.data.mapping import map_labels
from otolith.data.store import Dataset
from otolith.data.windows import WindowIndex, index_windows, natural
from otolith.evaluate.baselines import MiniRocketRidge
from otolith.evaluate.costs import cost_of_words
from otolith.evaluate.results import Provenance, Row
from otolith.evaluate.sides import Side, as_seen_by, compare, make_side, same_columns, score
from otolith.models.registry import model_name
from otolith.models.saved import TextModel
from otolith.recognise.enrol import Enrolment, TextPrior
from otolith.recognise.recogniser import Recogniser
from otolith.recognise.zeroshot import check_labels, open_set, zero_shot
from otolith.train.sources import subjects_in
from otolith.types import DataError, LeakError


@dataclass(frozen=True)
class WordsConfig:
    """What a model is asked about a dataset, and how its rows are marked."""

    labels: tuple[str, ...] | None = None
    """Activities to tell apart; by default all that occur."""
    seed: int = 0
    """Of the untrained control."""
    examples: tuple[int, ...] = ()
    """Also learn from so many examples of each activity."""
    protocol: str | None = None
    """Of the rows, in place of `zero-shot-closed`, of a model that may not have been trained on the dataset."""
    name: str | None = None
    """Of the model in the rows; by default by its size."""

    def provenance(self, model: TextModel, dataset: Dataset) -> Provenance:
        """Where the rows come from; equal for an evaluation that was done before."""
        labels = None if self.labels is None else ",".join(self.labels)
        chosen = {"examples": list(self.examples), "protocol": self.protocol, "name": self.name}
        config = {"weights": model.fingerprint(), "labels": labels, "seed": self.seed}
        return Provenance.collect(config | {k: v for k, v in chosen.items() if v}, [dataset.sha256])


def evaluate_words(model: TextModel, dataset: Dataset, config: WordsConfig) -> list[Row]:
    """Rows of the model, of controls that learn from the model's own training subjects, and of chance.

    A dataset that it has not learnt it is asked about twice: among the labels that occur there, and among all that it
    was trained on (`zero-shot-open`), where an answer means the label of the same activity or, if there is only one, of
    the same group, and nothing otherwise.

    Args:
        model: Of stage 2, or a student of words.
        dataset: Judged are its people who had no part in any stage of the model's training.
        config: Labels, examples, and what the rows are called.

    Raises:
        CheckpointError: The model has not learnt words.
        DataError: Nobody was kept away from training, or no window is there to judge on.
        LeakError: The dataset shares recordings with one that the model was trained on.
    """
    model.require_words()
    classes, index = _windows(model, dataset, config.labels)
    trained, test = _sides(index, model)
    if config.protocol and trained:
        raise LeakError(f"the model was trained on '{dataset.name}': {config.protocol} judges one that was left out")
    if not len(test):
        raise DataError(f"no window of '{dataset.name}' with these labels is of a person kept away from training")
    name, provenance = config.name or model_name(model), config.provenance(model, dataset)
    place: dict[str, Any] = {"dataset": dataset.name, "seed": config.seed, "provenance": provenance}
    known = bool(trained) and _learnt(classes, dataset, model)
    queries = make_side(test, model, config.seed)
    learnt = make_side(trained, model, config.seed) if trained and (known or config.examples) else None
    ours = {name: _closed_set(model, queries, classes)}
    if known and learnt:
        rows = compare(learnt, queries, ours, classes, protocol="supervised", **place)
    else:
        rows = score(queries, ours, classes, protocol=config.protocol or "zero-shot-closed", **place)
        rows += score(queries, {name: _open_set(model, queries, classes)}, classes, protocol="zero-shot-open", **place)
    rows += _cost(rows[0], model, test)
    if config.examples:
        pool, judged = (learnt, queries) if learnt else _every_second_person(queries, dataset.name)
        rows += enrolment(model, name, pool, judged, classes, config.examples, **place)
    return rows


def _windows(model: TextModel, dataset: Dataset, labels: Sequence[str] | None) -> tuple[list[str], WindowIndex]:
    """The classes, and the windows of them as the model cuts them."""
    recogniser = Recogniser(model)
    seconds = recogniser.window_seconds
    index = index_windows(dataset, seconds, seconds / 2, view=recogniser.view).labelled()
    classes = _classes(index, labels)
    check_labels(classes)
    index = index.labelled(classes)
    same_columns(index, recogniser.view)  # of both sides together
    return classes, index


def _closed_set(model: TextModel, queries: Side, classes: Sequence[str]) -> list[str]:
    """The label of each window among the classes."""
    return [classes[i] for i in zero_shot(model, queries.vectors, classes).argmax(axis=1)]


def _open_set(model: TextModel, queries: Side, classes: Sequence[str]) -> list[str]:
    """The label of each window among everything that the model was trained on, as a label of the dataset."""
    known: list[str] = model.meta["labels"]
    meant = map_labels(known, classes)
    return [meant[label] or "" for label in open_set(model, queries.vectors, known).label.tolist()]


def _every_second_person(side: Side, dataset: str) -> tuple[Side, Side]:
    """Of a new dataset: those who give examples, and those who are judged."""
    people = sorted(set(side.subjects.tolist()), key=natural)
    if len(people) < 2:
        raise DataError(f"'{dataset}' has one person alone: examples and judgement need different people")
    gives = np.isin(side.subjects, people[::2])
    return side.take(np.flatnonzero(gives)), side.take(np.flatnonzero(~gives))


def _learnt(classes: list[str], dataset: Dataset, model: TextModel) -> bool:
    """Whether alignment has seen these labels, and people of this dataset beside their labels."""
    aligned: dict[str, Any] = model.meta.get("data") or {}
    seen = any(dataset.name == name or dataset.sha256 == about.get("sha256") for name, about in aligned.items())
    return seen and set(classes) <= set(model.meta["labels"])


def _cost(row: Row, model: TextModel, test: WindowIndex) -> list[Row]:
    """What one of the model's answers costs, as rows like `row`."""
    window, _ = next(as_seen_by(model, test).batches(1))
    return [replace(row, metric=name, value=value) for name, value in cost_of_words(model, window).items()]


def _classes(index: WindowIndex, labels: Sequence[str] | None) -> list[str]:
    present = sorted(set(index.label.tolist()))
    wanted = present if labels is None else [resolve(label) for label in labels]
    absent = [label for label in wanted if label not in present]
    if absent or not wanted:
        first, there = (absent or ["anything"])[0], ", ".join(present) or "none"
        raise DataError(f"no window of '{index.dataset.name}' is labelled '{first}': there are {there}")
    return wanted


def _sides(index: WindowIndex, model: TextModel) -> tuple[WindowIndex | None, WindowIndex]:
    """Training subjects' windows (None for a dataset never trained on) and those of subjects kept away.

    Kept away are those who had no part in any stage: neither trained on, nor used to choose a checkpoint or a
    recipe, or to calibrate.
    """
    name, sha256, history = index.dataset.name, index.dataset.sha256, model.meta.get("history") or {}
    for other in history:
        if other != name and share_recordings(name, other):
            raise LeakError(f"the model was trained on '{other}', which holds the same recordings as '{name}'")
    learnt, used = (subjects_in(history, name, sha256, sides) for sides in (("train",), ("train", "val", "tuned")))
    if learnt is None or used is None:
        return None, index
    trained, test = index.of_subjects(learnt), index.of_subjects(set(index.subject.tolist()) - used)
    check_leak(train=[trained], test=[test])
    return trained, test


DRAWS = 5
"""Draws of the examples that enrolment is measured with."""


def enrolment(
    model: TextModel,
    name: str,
    pool: Side,
    queries: Side,
    classes: Sequence[str],
    examples: Sequence[int],
    **place: Any,
) -> list[Row]:
    """Rows of recognition from k examples of each class, of other people than those judged on, and of the controls.

    Args:
        model: Frozen; its features are learnt from, with and without its words.
        name: Of the model in results.
        pool: Whom examples are drawn from; classes with fewer than k windows there cannot be measured.
        queries: Other people.
        classes: Explicit class list.
        examples: Values of k.
        **place: As in `compare`, but for protocol and fold: those are k and the draw.

    Raises:
        DataError: The pool has too few windows of a class.
    """
    words = TextPrior.of(model, classes)
    lines = []
    for k in examples:
        for draw in range(DRAWS):
            rng = np.random.default_rng([k, draw])
            chosen = np.concatenate([_draw(pool, label, k, rng) for label in classes])
            given = pool.take(chosen)
            ours = {
                f"{name}+ridge{suffix}": list(
                    Enrolment("ridge").fit(given.features, list(given.labels), prior).predict(queries.features)
                )
                for suffix, prior in (("", None), ("+words", words))
            }
            if find_spec("aeon"):  # the extra `baselines`
                ours["minirocket"] = (
                    MiniRocketRidge(draw).fit(given.signals, list(given.labels)).predict(queries.signals)
                )
            lines += compare(given, queries, ours, classes, protocol=f"enrol-k{k}", fold=f"draw-{draw}", **place)
    return lines


def _draw(pool: Side, label: str, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    rows = np.flatnonzero(pool.labels == label)
    if len(rows) < k:
        raise DataError(f"there are {len(rows)} windows of '{label}' to draw {k} examples from: ask for fewer")
    return rng.choice(rows, k, replace=False)
