"""`otolith evaluate`: a checkpoint on people, or whole datasets, that it has not seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otolith.types import ConfigError

if TYPE_CHECKING:
    from otolith.evaluate.results import Row
    from otolith.evaluate.words import WordsConfig


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
    from otolith.evaluate.words import WordsConfig

    wanted = None if labels is None else tuple(labels.split(","))
    config = WordsConfig(wanted, seed, _counts(examples), protocol, name)
    found = [
        row for checkpoint in model for folder in data for row in _asked_in_words(checkpoint, folder, output, config)
    ]
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


def _asked_in_words(checkpoint: str, folder: Path, output: Path, config: WordsConfig) -> list[Row]:
    """Rows of a checkpoint on a dataset; measured where the results do not hold them."""
    from otolith.data.store import Dataset
    from otolith.evaluate.results import ResultsFile
    from otolith.evaluate.words import evaluate_words
    from otolith.models.registry import load_text_model

    results, loaded, dataset = ResultsFile(output), load_text_model(checkpoint), Dataset.open(folder)
    rows = results.of(config.provenance(loaded, dataset))
    if rows:
        typer.echo(f"otolith: note: {output} holds this evaluation already; nothing was added", err=True)
    else:
        rows = evaluate_words(loaded, dataset, config)
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


def _counts(examples: str | None) -> tuple[int, ...]:
    try:
        counts = tuple(int(text) for text in (examples or "").split(",") if text.strip())
    except ValueError:
        counts = (0,)
    if any(count < 1 for count in counts):
        raise ConfigError(f"--examples {examples}: give numbers of examples separated by commas, as in 1,4,16")
    return counts
