"""`otolith demo`: the whole way on real recordings, from raw signal to a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from otolith.cli.demo_session import Recognised

Output = Annotated[Path, typer.Option("--output", "-o", help="Folder of the demo.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything that is drawn.")]
Steps = Annotated[
    int, typer.Option("--steps", min=2, help="Optimiser steps of each stage; fewer is quicker and worse.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the results as JSON.")]


def demo(output: Output = Path("runs/demo"), seed: Seed = 0, steps: Steps = 600, as_json: Json = False) -> None:
    """The whole main job on real smart-watch recordings in a few minutes; ends in results.csv and report.html."""
    from rich.console import Console

    from otolith.cli.demo_evaluation import evaluate
    from otolith.cli.demo_report import write_report

    console = Console(stderr=True)
    folder = _convert(output, console)
    first = _recognise(folder, output, console)
    checkpoint = _train(folder, output, seed, steps, console)
    console.rule("recognise people the model has not seen")
    found = evaluate(folder, checkpoint, output, seed, steps, first)
    write_report(found, output)
    _show(output, as_json)


def _convert(output: Path, console: Console) -> Path:
    from otolith.cli.dataset_convert import convert
    from otolith.data.store import Dataset
    from otolith.types import DataError

    console.rule("convert: seven shoulder exercises of ten people, worn on the wrist")
    folder = output / "data" / "spar"
    try:
        Dataset.open(folder).verify()
        console.print(f"{folder} is there and intact")
    except DataError:
        convert("spar", str(folder))
    return folder


def _recognise(folder: Path, output: Path, console: Console) -> Recognised:
    """A session by the weights of the package, before anything is trained."""
    from rich.table import Table

    from otolith.cli.demo_evaluation import TEST_SUBJECTS
    from otolith.cli.demo_session import FILES, LEARNT_SECONDS, recognise_without_training
    from otolith.data.store import Dataset

    console.rule(f"recognise a session: {LEARNT_SECONDS:g} s of each exercise are enrolled, nothing is trained")
    first = recognise_without_training(Dataset.open(folder), TEST_SUBJECTS[0], output)
    table = Table("from", "to", "recognised", "confidence")
    for s in first.segments:
        table.add_row(f"{s.start:.0f} s", f"{s.end:.0f} s", s.label, f"{s.confidence:.2f}")
    console.print(table)
    console.print(
        f"{first.right:.0%} of the time not learnt from is right, by {first.model}; {', '.join(FILES)} in {output}"
    )
    return first


def _train(folder: Path, output: Path, seed: int, steps: int, console: Console) -> Path:
    """Both stages; a demo that was interrupted goes on where it was."""
    from otolith.cli.demo_evaluation import LEFT_OUT, TEST_SUBJECTS, VAL_SUBJECTS
    from otolith.models.encoder import SIZES
    from otolith.train.align import AlignConfig, AlignObjective, align
    from otolith.train.engine import EngineConfig
    from otolith.train.pretrain import PretrainConfig, pretrain
    from otolith.train.sources import SourceConfig

    data = SourceConfig(datasets=(str(folder),), val=VAL_SUBJECTS, test=TEST_SUBJECTS, exclude=LEFT_OUT)
    train = EngineConfig(steps=steps, evaluate_every=max(1, steps // 6), save_every=max(1, steps // 6))
    console.rule("stage 1: learn motion without labels")
    first = pretrain(
        PretrainConfig(data, seed=seed, model=SIZES["tiny"], train=train), output / "pretrain", resume=True
    )
    console.rule("stage 2: align motion with words")
    objective = AlignObjective(memory_warmup=steps // 2)
    return align(
        AlignConfig(data, parent=str(first), seed=seed, model=SIZES["tiny"], objective=objective, train=train),
        output / "align",
        resume=True,
    )


def _show(output: Path, as_json: bool) -> None:
    import json

    from rich.console import Console
    from rich.table import Table

    from otolith.evaluate.results import ResultsFile

    results = ResultsFile(output / "results.csv").read()
    main = results[results["metric"].isin(["accuracy", "macro_f1"])]
    mean = main.groupby(["protocol", "model", "metric"], sort=False)["value"].mean().unstack().reset_index()
    if as_json:
        typer.echo(json.dumps(mean.to_dict("records"), indent=1))
        return
    table = Table("protocol", "model", "accuracy", "macro-F1")
    for row in mean.itertuples():
        table.add_row(str(row.protocol), str(row.model), f"{row.accuracy:.3f}", f"{row.macro_f1:.3f}")
    Console().print(table)
    typer.echo(f"report: {output / 'report.html'}\nresults: {output / 'results.csv'}")
    typer.echo(
        f"next: otolith classify {output / 'session.csv'} --profile {output / 'profile.safetensors'} "
        "--placement 'left wrist' --device smartwatch --acc-unit m/s^2 --gyro-unit rad/s --time-unit s"
    )
