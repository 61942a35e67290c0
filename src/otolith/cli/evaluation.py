"""`otolith evaluate`: a checkpoint on people, or whole datasets, that it has not seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otolith.cli.recognition import Model
from otolith.types import ConfigError, DataError, LeakError

if TYPE_CHECKING:
    from otolith.cli.comparison import Side
    from otolith.data.store import Dataset
    from otolith.data.windows import WindowIndex
    from otolith.evaluate.results import Provenance, Row
    from otolith.models.saved import TextModel


def evaluate(
    model: Model,
    data: Annotated[Path, typer.Option("--data", "-d", help="Converted dataset.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Results CSV; rows are added.")],
    labels: Annotated[
        str | None, typer.Option(help="Activities to tell apart, separated by commas; by default all that occur.")
    ] = None,
    examples: Annotated[
        str | None, typer.Option(help="Also enrol from so many examples of each activity: 1,4,16.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the untrained control.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the new rows as JSON.")] = False,
) -> None:
    """Recognition by text prompt: on the test subjects of a training dataset, or zero-shot on any other."""
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from otolith.data.store import Dataset
    from otolith.evaluate.results import Provenance, ResultsFile
    from otolith.models.registry import load_text_model

    results, loaded, dataset = ResultsFile(output), load_text_model(model), Dataset.open(data)
    counts = _counts(examples)
    config = {
        "weights": loaded.fingerprint(),
        "labels": labels,
        "seed": seed,
        **({"examples": counts} if counts else {}),
    }
    provenance = Provenance.collect(config, [dataset.sha256])
    rows = results.of(provenance)
    if rows:
        typer.echo(f"otolith: note: {output} holds this evaluation already; nothing was added", err=True)
    else:
        rows = measure(loaded, dataset, labels, seed, provenance, counts)
        results.append(rows)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=1))
        return
    table = Table("dataset", "protocol", "model", "metric", "value", "windows")
    shown: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row.metric in ("accuracy", "macro_f1", "macro_f1_low", "macro_f1_high"):
            shown.setdefault((row.dataset, row.protocol, row.model, row.metric), []).append(row)
    for place, folds in shown.items():  # the mean over draws of examples, where there are several
        table.add_row(*place, f"{sum(row.value for row in folds) / len(folds):.3f}", str(folds[0].n))
    Console().print(table)


def measure(
    model: TextModel,
    dataset: Dataset,
    labels: str | None,
    seed: int,
    provenance: Provenance,
    examples: Sequence[int] = (),
) -> list[Row]:
    """Rows of the model, of controls that learn from the model's own training subjects, and of chance.

    Raises:
        CheckpointError: The model has not learnt words.
        DataError: Nobody was kept away from training, or no window is there to judge on.
        LeakError: The dataset shares recordings with one that the model was trained on.
    """
    from otolith.cli.comparison import compare, enrolment, make_side, same_columns, score
    from otolith.data.windows import index_windows
    from otolith.models.registry import model_name
    from otolith.recognise.recogniser import Recogniser
    from otolith.recognise.zeroshot import check_labels, zero_shot

    model.require_words()
    recogniser = Recogniser(model)
    seconds = recogniser.window_seconds
    index = index_windows(dataset, seconds, seconds / 2, view=recogniser.view).labelled()
    classes = _classes(index, labels)
    names, index = check_labels(classes), index.labelled(classes)
    same_columns(index, recogniser.view)  # of both sides together
    trained, test = _sides(index, model)
    if not len(test):
        raise DataError(f"no window of '{dataset.name}' with these labels is of a person kept away from training")
    queries = make_side(test, model, seed)
    predicted = [names[i] for i in zero_shot(model, queries.vectors, names).argmax(axis=1)]
    size = model_name(model)
    if not trained or not _learnt(classes, dataset, model):
        rows = score(queries, {size: predicted}, classes, dataset=dataset.name, protocol="zero-shot-closed", seed=seed,
                     provenance=provenance)  # fmt: skip
    else:
        rows = compare(make_side(trained, model, seed), queries, {size: predicted}, classes, dataset=dataset.name,
                       protocol="supervised", seed=seed, provenance=provenance)  # fmt: skip
    rows += _interval_and_cost(rows[0], model, test, queries, predicted, classes)
    if examples:
        pool, judged = (make_side(side, model, seed) for side in _pool(trained, test))
        rows += enrolment(model, size, pool, judged, classes, examples, dataset=dataset.name, seed=seed,
                          provenance=provenance)  # fmt: skip
    return rows


def _pool(trained: WindowIndex | None, test: WindowIndex) -> tuple[WindowIndex, WindowIndex]:
    """Whose windows are examples, and whose are judged; of a new dataset every second person gives some."""
    from otolith.data.windows import natural

    if trained:
        return trained, test
    people = sorted(set(test.subject.tolist()), key=natural)
    if len(people) < 2:
        raise DataError(f"'{test.dataset.name}' has one person alone: examples and judgement need different people")
    return test.of_subjects(people[::2]), test.of_subjects(people[1::2])


def _counts(examples: str | None) -> list[int]:
    try:
        counts = [int(text) for text in (examples or "").split(",") if text.strip()]
    except ValueError:
        counts = [0]
    if any(count < 1 for count in counts):
        raise ConfigError(f"--examples {examples}: give numbers of examples separated by commas, as in 1,4,16")
    return counts


def _learnt(classes: list[str], dataset: Dataset, model: TextModel) -> bool:
    """Whether alignment has seen these labels, and people of this dataset beside their labels."""
    aligned: dict[str, Any] = model.meta.get("data") or {}
    seen = any(dataset.name == name or dataset.sha256 == about.get("sha256") for name, about in aligned.items())
    return seen and set(classes) <= set(model.meta["labels"])


def _interval_and_cost(
    row: Row, model: TextModel, test: WindowIndex, queries: Side, predicted: list[str], classes: list[str]
) -> list[Row]:
    """The ends of the model's 95 % interval over subjects, and what one of its answers costs, as rows like `row`."""
    from dataclasses import replace

    from otolith.cli.comparison import as_seen_by
    from otolith.evaluate.costs import cost_of_words
    from otolith.evaluate.metrics import subject_interval

    low, high = subject_interval(list(queries.labels), predicted, list(queries.subjects), classes)
    window, _ = next(as_seen_by(model, test).batches(1))
    found = {"macro_f1_low": low, "macro_f1_high": high, **cost_of_words(model, window)}
    return [replace(row, metric=name, value=value) for name, value in found.items()]


def _classes(index: WindowIndex, labels: str | None) -> list[str]:
    from otolith.data.labels import resolve

    present = sorted(set(index.label.tolist()))
    wanted = present if labels is None else [resolve(x) for x in labels.split(",")]
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
    from otolith.data.leaks import check_leak, share_recordings
    from otolith.train.sources import subjects_in

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
