"""`otolith datasets download`: from the official source to the folder that `convert` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otolith.types import ConfigError


def download(
    names: Annotated[list[str], typer.Argument(help="Datasets, for example hapt dsads.")],
    raw: Annotated[
        Path | None, typer.Option("--raw", envvar="OTOLITH_RAW_DIR", help="Folder of all archives, one folder each.")
    ] = None,
) -> None:
    """Fetches, verifies and unpacks datasets; taken up where it broke off, and quick where all is there."""
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from otolith.data.download import download as fetch
    from otolith.data.registry import card

    wanted = [card(name) for name in names]
    if raw is None:
        raise ConfigError("say with --raw (or OTOLITH_RAW_DIR) in which folder the archives are to be kept")
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def told(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done, total=total)

        for about in wanted:
            folder = fetch(about, raw, told)
            typer.echo(f"{about.name}: {folder}; next:  otolith datasets convert {about.name} --raw {raw} -o FOLDER")
