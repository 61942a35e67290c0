"""`otolith release`: a trained checkpoint as a file to give away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otolith.types import ConfigError

Model = Annotated[Path, typer.Argument(help="Checkpoint of a finished run, such as RUN/best.safetensors.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Release to write (.safetensors).")]
Data = Annotated[
    list[Path] | None, typer.Option("--data", "-d", help="Dataset it was trained on: the release says how many hours.")
]


def release(model: Model, output: Output, data: Data = None) -> None:
    """Makes a checkpoint small: 16 bits a number, one vector a text; known words need no text encoder."""
    from otolith.data.store import Dataset
    from otolith.export.release import write_release
    from otolith.models.registry import load_model

    if output.suffix != ".safetensors":
        raise ConfigError(f"--output {output}: the name must end in .safetensors")
    write_release(load_model(model), output, [Dataset.open(path) for path in data or ()])
    typer.echo(f"{output}: {output.stat().st_size / 1e6:.2f} MB")
