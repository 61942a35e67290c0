"""`otolith datasets export`: a dataset in the forms that others read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    folder: Annotated[Path, typer.Argument(help="Folder of a converted dataset.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.")],
    form: Annotated[str, typer.Option("--format", "-f", help="csv, parquet or motion-bids.")] = "parquet",
) -> None:
    """Writes a dataset as CSV, as Parquet or in Motion-BIDS, all or nothing."""
    from rich.console import Console
    from rich.progress import Progress

    from otolith.data.exporters import export as write
    from otolith.data.store import Dataset

    dataset = Dataset.open(folder)
    console = Console(stderr=True)
    with Progress(transient=True, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"exporting {dataset.name}", total=len(dataset))
        write(dataset, output, form, lambda: bar.advance(task))
    typer.echo(f"{output}: {len(dataset)} recordings as {form}")
