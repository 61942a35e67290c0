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


def publish(
    model: Annotated[Path, typer.Argument(help="Checkpoint, or the name of weights that come with the package.")],
    name: Annotated[str, typer.Argument(help="owner/name on the Hugging Face hub.")],
    results: Annotated[Path | None, typer.Option(help="CSV that evaluate wrote of this model: on the card.")] = None,
    private: Annotated[bool, typer.Option("--private", help="If the repository is made: not for all to see.")] = False,
    card: Annotated[Path | None, typer.Option(help="Write the card to this .md file and upload nothing.")] = None,
) -> None:
    """Uploads a release with a card that says what it was trained on, what was measured, and its limits."""
    from otolith.evaluate.summary import collect
    from otolith.export.card import model_card, push_to_hub
    from otolith.files import atomic_file
    from otolith.models.registry import load_model

    loaded = load_model(model)
    rows = collect([results]).rows if results else None
    if card is None:
        typer.echo(push_to_hub(loaded, name, rows, private=private))
        return
    from tempfile import TemporaryDirectory

    from otolith.export.release import write_release

    with TemporaryDirectory() as folder:
        release_file = Path(folder) / "model.safetensors"
        write_release(loaded, release_file)
        text = model_card(loaded, name, release_file.stat().st_size, rows)
    with atomic_file(card) as temporary:
        temporary.write_text(text, encoding="utf-8")
    typer.echo(str(card))
