"""`otolith embed`: how a model, or a run's snapshots of it, see the windows of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otolith.types import ConfigError, DataError

if TYPE_CHECKING:
    from otolith.models.saved import TextModel


def embed(
    model: Annotated[
        list[Path],
        typer.Option("--model", "-m", help="Checkpoint; several of one run (train.keep_every) show how it learnt."),
    ],
    data: Annotated[Path, typer.Option("--data", "-d", help="Converted dataset.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write (.safetensors), for report.")],
) -> None:
    """Write the features of a dataset's labelled windows, for the maps of `otolith report --embedding`."""
    import numpy as np

    from otolith.data.store import Dataset
    from otolith.data.windows import index_windows
    from otolith.evaluate.embedding import Embedding
    from otolith.evaluate.sides import as_seen_by
    from otolith.models.registry import model_name
    from otolith.recognise.recogniser import Recogniser
    from otolith.train.probe import embed_windows

    if output.suffix != ".safetensors":
        raise ConfigError(f"--output {output}: the name must end in .safetensors")
    snapshots = _snapshots(model)
    last, dataset = snapshots[max(snapshots)], Dataset.open(data)
    how = Recogniser(last)
    index = index_windows(dataset, how.window_seconds, how.window_seconds / 2, view=how.view).labelled()
    if not len(index):
        raise DataError(f"no window of '{dataset.name}' is labelled: there is nothing to embed")
    steps = tuple(sorted(snapshots))
    features = [
        embed_windows(snapshots[step], as_seen_by(snapshots[step], index), snapshots[step].features) for step in steps
    ]
    labels, subjects = (tuple(map(str, names)) for names in (index.label, index.subject))
    Embedding(np.stack(features), labels, subjects, steps, model_name(last), dataset.name).save(output)
    typer.echo(f"{len(labels)} windows in {len(steps)} snapshots: {output}")


def _snapshots(paths: list[Path]) -> dict[int, TextModel]:
    """Checkpoints by the step that they were written at.

    Raises:
        ConfigError: Two are of one step, or they are not of one kind and size.
    """
    from otolith.models.registry import load_text_model

    found: dict[int, TextModel] = {}
    for path in paths:
        loaded = load_text_model(path)
        step = int(loaded.meta.get("step", 0))
        if step in found:
            raise ConfigError(f"two checkpoints are of step {step}: give snapshots of one run, each once")
        found[step] = loaded
    first = next(iter(found.values()))
    for other in found.values():
        if (other.sizes(), other.meta.get("loader")) != (first.sizes(), first.meta.get("loader")):
            raise ConfigError("the checkpoints differ in size or in how they see windows: give snapshots of one run")
    return found
