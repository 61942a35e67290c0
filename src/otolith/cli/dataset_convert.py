"""`otolith datasets convert`: from an unpacked archive to a dataset on disk."""

from __future__ import annotations

from typing import Annotated

import typer

from otolith.types import ConfigError


def convert(
    name: Annotated[str, typer.Argument(help="A dataset, for example hapt.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Folder of the converted dataset, or a URL.")],
    raw: Annotated[
        str | None,
        typer.Option("--raw", envvar="OTOLITH_RAW_DIR", help="Folder of the unpacked archive, or a URL (s3://...)."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Parts to read at the same time; default: the cores.")
    ] = None,
    engine: Annotated[
        str, typer.Option("--engine", help="threads, or ray: on a cluster (needs the extra 'ray').")
    ] = "threads",
) -> None:
    """Converts a dataset to SI units, channels described, in one atomic step."""
    from rich.console import Console
    from rich.progress import Progress

    from otolith.data.conversion import convert_dataset
    from otolith.data.registry import card

    found = card(name)
    if not found.package and raw is None:
        raise ConfigError(
            f"say with --raw in which folder the unpacked archive of '{name}' lies; it is at {found.sources[0].url}"
        )
    console = Console(stderr=True)
    with Progress(transient=True, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"converting {name}", total=None)
        info = convert_dataset(
            name,
            None if found.package else raw,
            output,
            jobs=jobs,
            engine=engine,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    counts = info["counts"]
    typer.echo(
        f"{output}: {counts['recordings']} recordings of {counts['subjects']} subjects, {info['seconds'] / 3600:.1f} h"
    )
