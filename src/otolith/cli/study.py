"""`otolith study`: variants of models over datasets, protocols, folds and seeds, from one YAML; resumable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otolith.types import ConfigError

if TYPE_CHECKING:
    from otolith.evaluate.study import StudyConfig


def study(
    config: Annotated[Path, typer.Option("--config", "-c", help="YAML of the study.")],
    data: Annotated[list[Path], typer.Option("--data", "-d", help="Converted dataset; may be given several times.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Results CSV; rows are added, what is there is kept.")],
    runs: Annotated[Path, typer.Option("--runs", help="Folder of the training runs.")] = Path("runs/study"),
    only: Annotated[str | None, typer.Option(help="Variants to run, separated by commas; all by default.")] = None,
    protocols: Annotated[str | None, typer.Option(help="Protocols to run, likewise.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds to run, likewise.")] = None,
) -> None:
    """Measure variants of models, with controls, over datasets, protocols, folds and seeds."""
    from otolith.config import build, read_yaml
    from otolith.evaluate.study import StudyConfig

    plan = build(StudyConfig, read_yaml(config))
    measure(
        plan, data, output, runs,
        protocols=chosen("--protocols", protocols, plan.protocols),
        only=chosen("--only", only, [v.name for v in plan.variants]),
        seeds=[int(seed) for seed in chosen("--seeds", seeds, [str(seed) for seed in plan.seeds])],
    )  # fmt: skip
    typer.echo(f"results: {output}")


def measure(
    plan: StudyConfig,
    data: Sequence[Path],
    output: Path,
    runs: Path,
    *,
    protocols: Sequence[str],
    only: Sequence[str],
    seeds: Sequence[int],
) -> None:
    """Runs what is chosen of a study and says each result in a line."""
    from rich.console import Console

    from otolith.data.store import Dataset
    from otolith.evaluate.bench import benches, runs_here
    from otolith.evaluate.results import ResultsFile

    console, results = Console(stderr=True), ResultsFile(output)
    for folder in data:
        dataset = Dataset.open(folder)
        for bench in benches(plan, dataset, runs, results, protocols=protocols, seeds=seeds):
            for variant in plan.variants:
                if variant.name in only and runs_here(variant, plan, bench):
                    console.print(bench.measure(variant), highlight=False, soft_wrap=True)


def chosen(flag: str, given: str | None, there: Sequence[str]) -> list[str]:
    """Those of the study that a flag names, in the order of the study; all without it.

    Raises:
        ConfigError: The flag names something else.
    """
    names = list(there) if given is None else [name.strip() for name in given.split(",")]
    unknown = [name for name in names if name not in there]
    if unknown:
        raise ConfigError(f"{flag} names '{unknown[0]}', which the study does not have: there are {', '.join(there)}")
    return [name for name in there if name in names]
