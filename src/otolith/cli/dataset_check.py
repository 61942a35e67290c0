"""`otolith datasets check`: what is wrong with a dataset, in words, as JSON or as a page with plots."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from otolith.data.quality.findings import Concern
    from otolith.data.quality.inspection import Quality
    from otolith.data.store import Dataset


def check(
    folder: Annotated[Path, typer.Argument(help="Folder of a converted dataset.")],
    html: Annotated[Path | None, typer.Option("--html", help="Write the report with plots to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Units, sign of gravity, rates, gaps, copies and balance, judged by physics; exit code 1 if anything is severe."""
    from rich.console import Console
    from rich.progress import Progress

    from otolith.data.store import Dataset

    if html:
        from otolith.evaluate import pages, quality_report

        pages.template("quality.html.j2")  # what is not installed is said at once, not after an hour
    dataset = Dataset.open(folder)
    console = Console(stderr=True)
    with Progress(transient=True, console=console, disable=not console.is_terminal) as progress:
        quality = _inspect(dataset, progress)
    concerns = quality.concerns()
    if html:
        quality_report.write(quality, concerns, html)
    severe = sum(concern.severe for concern in concerns)
    if as_json:
        findings = [asdict(concern) for concern in concerns]
        typer.echo(json.dumps({**quality.facts(), "findings": findings, "not_judged": quality.unjudged()}, indent=1))
    else:
        _show(quality, concerns, Console())
        typer.echo(
            f"{len(dataset)} recordings checked, contents intact: {_counted(severe, 'severe finding')}, "
            f"{_counted(len(concerns) - severe, 'note')}"
        )
    if severe:
        raise typer.Exit(1)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _inspect(dataset: Dataset, progress: Progress) -> Quality:
    from otolith.data.quality.inspection import inspect

    task = progress.add_task("comparing the contents with their hash", total=None)
    dataset.verify()
    progress.remove_task(task)
    task = progress.add_task(f"checking {dataset.name}", total=len(dataset))
    return inspect(dataset, lambda: progress.advance(task))


def _show(quality: Quality, concerns: Sequence[Concern], console: Console) -> None:
    from otolith.data.quality.gaps import percent

    facts = quality.facts()
    rates = ", ".join(f"{rate} Hz" for rate in facts["rates"])
    hours, unlabelled = facts["seconds"] / 3600, facts["unlabelled"]
    line = f"{facts['recordings']} recordings of {facts['subjects']} people, {hours:.1f} h at {rates}"
    typer.echo(f"{quality.dataset.name}: {line}" + (f"; {percent(unlabelled)} unlabelled" if unlabelled else ""))
    if facts["rest"] or facts["turn"]:
        console.print(_sensors(quality))
    if concerns:
        console.print(_findings(concerns))
    for sentence in quality.unjudged():
        typer.echo(f"not judged: {sentence}")


def _sensors(quality: Quality) -> Table:
    from rich.text import Text

    columns = (quality.units.rest(), quality.units.speeds(), quality.cadence.steps())
    table = _table("sensor", "m/s² at rest", "rad/s in motion", "steps/s")
    for name in dict.fromkeys(name for column in columns for name in column):
        table.add_row(Text(name), *(_middle(column.get(name)) for column in columns))
    return table


def _findings(concerns: Sequence[Concern]) -> Table:
    from rich.text import Text

    table = _table("", "kind", "what")
    for concern in concerns:
        some = f" (such as {', '.join(concern.examples)})" if concern.examples else ""
        cells = ("severe" if concern.severe else "note", concern.kind, concern.text + some)
        table.add_row(*map(Text, cells), style="bold" if concern.severe else "")  # a name is no markup
    return table


def _table(*heads: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(*heads, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))


def _middle(values: NDArray[np.float64] | None) -> str:
    return "" if values is None else f"{sorted(values)[len(values) // 2]:.3g}"
