"""`otolith evaluate`: a checkpoint on people, or whole datasets, that it has not seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otolith.types import ConfigError, DataError, LeakError

if TYPE_CHECKING:
    from otolith.cli.comparison import Side
    from otolith.data.store import Dataset
    from otolith.data.windows import WindowIndex
    from otolith.evaluate.results import Provenance, Row
    from otolith.models.saved import TextModel


LEFT_OUT = "leave-one-dataset-out"


def evaluate(
    model: Annotated[
        list[str],
        typer.Option("--model", "-m", help="Checkpoint that knows words; with a protocol that trains, a model's name."),
    ],
    data: Annotated[list[Path], typer.Option("--data", "-d", help="Converted dataset; may be given several times.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Results CSV; rows are added, what is there is kept.")],
    protocol: Annotated[
        str | None,
        typer.Argument(
            help="supervised, supervised-1pct, supervised-10pct, group-kfold, group-10fold, loso or cross-placement "
            f"train models by name on each fold; {LEFT_OUT} marks the rows of a checkpoint that learnt from other "
            "datasets. Without it a checkpoint is asked in words."
        ),
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Activities to tell apart, separated by commas; by default all that occur.")
    ] = None,
    examples: Annotated[
        str | None, typer.Option(help="Also enrol from so many examples of each activity: 1,4,16.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What a checkpoint is called in the rows; by default by its size.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds of a protocol that trains, separated by commas.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the untrained control.")] = 0,
    runs: Annotated[Path, typer.Option("--runs", help="Folder of the training runs of a protocol.")] = Path(
        "runs/evaluate"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the new rows as JSON.")] = False,
) -> None:
    """Judge models on people, or whole datasets, that they have not seen; what the results hold is not repeated."""
    if name and (len(model) > 1 or protocol not in (None, LEFT_OUT)):
        raise ConfigError("--name is for one checkpoint that is asked in words: give one --model")
    if protocol not in (None, LEFT_OUT):
        _train_and_judge(str(protocol), model, data, output, runs, seeds)
        return
    found: list[Row] = []
    for checkpoint in model:
        for folder in data:
            found += _asked_in_words(checkpoint, folder, output, protocol, labels, seed, _counts(examples), name)
    if as_json:
        from dataclasses import asdict

        typer.echo(json.dumps([asdict(row) for row in found], indent=1))
    else:
        _show(found)


def _train_and_judge(
    protocol: str, models: list[str], data: list[Path], output: Path, runs: Path, seeds: str | None
) -> None:
    """Models of the benchmark by name, on every fold and seed of a protocol."""
    from importlib.resources import files

    import yaml

    from otolith.cli import study
    from otolith.config import build
    from otolith.evaluate.study import StudyConfig

    text = files("otolith.evaluate").joinpath("benchmark.yaml").read_text(encoding="utf-8")
    plan = build(StudyConfig, yaml.safe_load(text))
    study.measure(
        plan, data, output, runs,
        protocols=study.chosen("PROTOCOL", protocol, plan.protocols),
        only=study.chosen("--model", ",".join(models), [v.name for v in plan.variants]),
        seeds=[int(s) for s in study.chosen("--seeds", seeds, [str(s) for s in plan.seeds])],
    )  # fmt: skip
    typer.echo(f"results: {output}")


def _asked_in_words(
    checkpoint: str,
    folder: Path,
    output: Path,
    protocol: str | None,
    labels: str | None,
    seed: int,
    counts: list[int],
    name: str | None,
) -> list[Row]:
    """Rows of a checkpoint on a dataset; measured where the results do not hold them."""
    from otolith.data.store import Dataset
    from otolith.evaluate.results import Provenance, ResultsFile
    from otolith.models.registry import load_text_model

    results, loaded, dataset = ResultsFile(output), load_text_model(checkpoint), Dataset.open(folder)
    config = {
        "weights": loaded.fingerprint(),
        "labels": labels,
        "seed": seed,
        **({"examples": counts} if counts else {}),
        **({"protocol": protocol} if protocol else {}),
        **({"name": name} if name else {}),
    }
    provenance = Provenance.collect(config, [dataset.sha256])
    rows = results.of(provenance)
    if rows:
        typer.echo(f"otolith: note: {output} holds this evaluation already; nothing was added", err=True)
    else:
        rows = measure(loaded, dataset, labels, seed, provenance, counts, protocol, name)
        results.append(rows)
    return rows


def _show(rows: list[Row]) -> None:
    """The main scores as a table; of several draws of examples the mean."""
    from rich.console import Console
    from rich.table import Table

    table = Table("dataset", "protocol", "model", "metric", "value", "windows")
    shown: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row.metric in ("accuracy", "macro_f1", "macro_f1_low", "macro_f1_high"):
            shown.setdefault((row.dataset, row.protocol, row.model, row.metric), []).append(row)
    for place, folds in shown.items():
        table.add_row(*place, f"{sum(row.value for row in folds) / len(folds):.3f}", str(folds[0].n))
    Console().print(table)


def measure(
    model: TextModel,
    dataset: Dataset,
    labels: str | None,
    seed: int,
    provenance: Provenance,
    examples: Sequence[int] = (),
    protocol: str | None = None,
    name: str | None = None,
) -> list[Row]:
    """Rows of the model, of controls that learn from the model's own training subjects, and of chance.

    On a dataset that it has not learnt from the model is asked twice: among the labels that occur there, and among all
    that it was trained on (`zero-shot-open`), where an answer means the label of the same activity or, if there is
    only one, of the same group, and nothing otherwise.

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
    size = name or model_name(model)
    if protocol and trained:
        raise LeakError(f"the model was trained on '{dataset.name}': {protocol} judges one that was left out")
    place: dict[str, Any] = {"dataset": dataset.name, "seed": seed, "provenance": provenance}
    if not trained or not _learnt(classes, dataset, model):
        rows = score(queries, {size: predicted}, classes, protocol=protocol or "zero-shot-closed", **place)
        rows += score(queries, {size: _open_set(model, queries, classes)}, classes, protocol="zero-shot-open", **place)
    else:
        rows = compare(make_side(trained, model, seed), queries, {size: predicted}, classes, protocol="supervised",
                       **place)  # fmt: skip
    rows += _cost(rows[0], model, test)
    if examples:
        pool, judged = (make_side(side, model, seed) for side in _pool(trained, test))
        rows += enrolment(model, size, pool, judged, classes, examples, **place)
    return rows


def _open_set(model: TextModel, queries: Side, classes: Sequence[str]) -> list[str]:
    """The label of each window among everything that the model was trained on, as a label of the dataset."""
    from otolith.data.mapping import map_labels
    from otolith.recognise.zeroshot import open_set

    known: list[str] = model.meta["labels"]
    meant = map_labels(known, classes)
    return [meant[label] or "" for label in open_set(model, queries.vectors, known).label.tolist()]


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


def _cost(row: Row, model: TextModel, test: WindowIndex) -> list[Row]:
    """What one of the model's answers costs, as rows like `row`."""
    from dataclasses import replace

    from otolith.cli.comparison import as_seen_by
    from otolith.evaluate.costs import cost_of_words

    window, _ = next(as_seen_by(model, test).batches(1))
    return [replace(row, metric=name, value=value) for name, value in cost_of_words(model, window).items()]


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
