"""`otolith datasets`: what there is, converting it, checking it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from otolith.cli.dataset_check import check
from otolith.cli.dataset_convert import convert
from otolith.cli.dataset_download import download
from otolith.cli.dataset_export import export

app = typer.Typer(help="Public datasets: list, info, download, convert, check.", no_args_is_help=True)
app.command("download")(download)
app.command("convert")(convert)
app.command("check")(check)
app.command("export")(export)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(
    raw: Annotated[
        Path | None, typer.Option("--raw", envvar="OTOLITH_RAW_DIR", help="Folder of all archives, one folder each.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The datasets that can be converted: what they are, their licence and size, and whether they are at hand."""
    from otolith.data.converters import at_hand
    from otolith.data.registry import CARDS

    rows = [
        {
            "name": c.name,
            "title": c.title,
            "licence": c.licence,
            "subjects": c.subjects,
            "rate": c.rate,
            "channels": len(c.channels),
            "activities": len(set(c.activities.values())),
            "samples": c.rows,
            "use": "zero-shot" if c.zero_shot_only else "training",
            "at_hand": at_hand(c.name, raw),
        }
        for c in CARDS.values()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    _show(rows)


def _show(rows: list[dict[str, Any]]) -> None:
    """The datasets as a table."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(
        Column("name", no_wrap=True),
        Column("what, licence", ratio=1, min_width=20),
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for head in ("people", "Hz", "chan.", "labels", "samples"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("here", no_wrap=True)
    for row in rows:
        numbers = (str(row["subjects"]), f"{row['rate']:g}", str(row["channels"]), str(row["activities"]))
        size = f"{row['samples'] / 1e6:.1f} M" if row["samples"] else "?"
        reserved = "; zero-shot tests only" if row["use"] == "zero-shot" else ""
        words = f"{row['title']}\n[dim]{row['licence']}{reserved}[/dim]"
        table.add_row(row["name"], words, *numbers, size, "yes" if row["at_hand"] else "no")
    Console().print(table)


@app.command()
def info(name: str, as_json: Json = False) -> None:
    """What is known about a dataset: source, licence, channels, activities."""
    from dataclasses import asdict

    from otolith.data.registry import card

    found = card(name)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
        return
    typer.echo(f"{found.name}: {found.title}\nlicence: {found.licence}\ncitation: {found.citation}")
    for source in found.sources:
        typer.echo(f"source: {source.url}")
    if found.access:
        typer.echo(f"access: {found.access}")
    slower = "".join(f", {sensor} {rate:g} Hz" for sensor, rate in found.other_rates.items())
    typer.echo(f"{found.subjects} subjects, {found.rate:g} Hz{slower}")
    by = "the authors" if found.split.official else "Otolith"
    typer.echo(f"split by {by}: test {', '.join(found.split.test)}; judging {', '.join(found.split.val)}; others train")
    typer.echo("channels:\n" + "\n".join(f"  {c.name}: {c.description} [{c.unit}]" for c in found.channels))
    typer.echo("activities: " + ", ".join(sorted(set(found.activities.values()))))
    if found.zero_shot_only:
        typer.echo("reserved for zero-shot tests: training on it must be allowed explicitly")
    if found.notes:
        typer.echo(found.notes)
