"""`otolith bench`: what an answer costs on this machine, beside networks of the field, as ratios."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otolith.types import ConfigError, DataError

if TYPE_CHECKING:
    from otolith.data.store import Dataset
    from otolith.evaluate.latency_rows import Line
    from otolith.export.candidates import Candidate

LEAST = 0.05
"""Seconds that each candidate answers in one turn."""
MOST_TURNS = 1000


def bench(
    model: Annotated[
        list[Path],
        typer.Option("--model", "-m", help="Checkpoint of a student or encoder; may be given several times."),
    ],
    data: Annotated[Path, typer.Option("--data", "-d", help="Converted dataset with people the models have not seen.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for latency.csv, the table and the plot.")],
    backends: Annotated[
        str | None,
        typer.Option(
            help="Any of pytorch, onnx-fp32, onnx-int8-dynamic, onnx-int8-static, litert-fp32, litert-int8-dynamic, "
            "litert-int8-static, separated by commas; by default all that are installed."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of each runtime.")] = 1,
    turns: Annotated[int, typer.Option(help="How often everybody has a turn.")] = 31,
    placement: Annotated[str, typer.Option(help="Where the sensor is worn, if the dataset has several places.")] = "",
    rate: Annotated[float | None, typer.Option(help="Encoder: Hz of the device; by default of the dataset.")] = None,
    calibrate: Annotated[
        Path | None, typer.Option(help="Dataset of training whose people int8-static is calibrated on; default --data.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Measures latency, throughput, memory, size and FLOPs of models on each backend, beside networks of the field."""
    from otolith.data.store import Dataset
    from otolith.evaluate import latency_rows
    from otolith.export.backends import chosen

    _check(output, threads, turns)
    wanted = chosen([name.strip() for name in backends.split(",") if name.strip()] if backends is not None else [])
    dataset = Dataset.open(data)
    with TemporaryDirectory() as folder:
        candidates = _candidates(model, dataset, wanted, Path(folder), threads, (rate, placement, calibrate))
        lines = _measure(candidates, threads, turns)
    settings = {"backends": wanted, "threads": threads, "turns": turns, "least": LEAST, "placement": placement}
    written = latency_rows.rows(lines, dataset, settings)
    latency_rows.publish(written, lines, output)
    typer.echo(json.dumps(written, indent=1) if as_json else latency_rows.markdown(written))
    typer.echo(f"{output / 'latency.csv'}, latency.md, ratios.png, ratios.pdf", err=True)


def _check(output: Path, threads: int, turns: int) -> None:
    if output.is_file():
        raise DataError(f"--output {output} is a file: name a folder")
    if threads < 1:
        raise ConfigError(f"--threads must be 1 or more, not {threads}")
    if not 2 <= turns <= MOST_TURNS:
        raise ConfigError(f"--turns must be from 2 to {MOST_TURNS}, not {turns}")


def _candidates(
    models: Sequence[Path],
    dataset: Dataset,
    backends: Sequence[str],
    folder: Path,
    threads: int,
    intake_options: tuple[float | None, str, Path | None],
) -> list[Candidate]:
    """The networks of the field, and each model, on the backends.

    Raises:
        ConfigError: Two models cannot be told apart by name or folder.
    """
    from otolith.cli.exporting import prepare
    from otolith.data.store import Dataset
    from otolith.export.candidates import of_model, of_references
    from otolith.export.material import exportable, intake
    from otolith.models.registry import load_model

    rate, placement, calibrate = intake_options
    static = any(name.endswith("int8-static") for name in backends)
    source = (Dataset.open(calibrate) if calibrate else dataset) if static else None
    loaded = [exportable(load_model(path)) for path in models]
    configs = [intake(one, dataset, rate, placement) for one in loaded]
    jobs = [
        prepare(one, dataset, config, None, source, inside=True) for one, config in zip(loaded, configs, strict=True)
    ]
    found = list(of_references(dataset, configs[0], jobs[0].labels, backends, threads, folder))
    for name, path, job, config in zip(
        _names(models, [j.contract.model for j in jobs]), models, jobs, configs, strict=True
    ):
        found += of_model(name, path, job, config, backends, threads, folder)
    return found


def _names(models: Sequence[Path], sizes: Sequence[str]) -> list[str]:
    """The name of its size for each model, with its folder's where two are of one size."""
    from otolith.export.modules import REFERENCES

    names = [
        size if sizes.count(size) == 1 else f"{size}@{(path if path.is_dir() else path.absolute().parent).name}"
        for size, path in zip(sizes, models, strict=True)
    ]
    twice = next((name for name in names if [*names, *REFERENCES].count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"two models would both be called '{twice}': give them folders of different names")
    return names


def _measure(candidates: Sequence[Candidate], threads: int, turns: int) -> list[Line]:
    """Times all in turns, one answer at a time and as batches, and then the memory of each."""
    from otolith.evaluate.latency_rows import Line, key
    from otolith.export.latency import in_turns
    from otolith.export.memory import measure

    steps = len(candidates) * (2 * turns + 1)
    with _threads(threads), _progress(steps) as advance:
        single = in_turns({key(c): c.calls for c in candidates}, turns, least=LEAST, progress=advance)
        batched = in_turns({key(c): c.batched for c in candidates}, turns, least=LEAST, progress=advance)
        lines = []
        for one in candidates:
            lines.append(Line(one, single[key(one)], batched[key(one)], measure(one.ask)))
            advance()
    return lines


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """PyTorch on so many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], Any]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    # Drawn by hand: a thread that redraws would take part in the measurement.
    with Progress(transient=True, console=console, disable=not console.is_terminal, auto_refresh=False) as bar:
        task = bar.add_task("measuring", total=total)
        yield lambda: bar.update(task, advance=1, refresh=True)
