"""`otolith study`: teachers, students and controls over protocols, folds and seeds, from one YAML; resumable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otolith.types import ConfigError

if TYPE_CHECKING:
    from otolith.data.store import Dataset
    from otolith.data.windows import WindowIndex
    from otolith.evaluate.results import Provenance, ResultsFile, Row
    from otolith.evaluate.splits import Fold
    from otolith.evaluate.study import StudyConfig, Variant
    from otolith.train.supervised import SegmentRun


def study(
    config: Annotated[Path, typer.Option("--config", "-c", help="YAML of the study.")],
    data: Annotated[Path, typer.Option("--data", "-d", help="Converted dataset.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Results CSV; rows are added, what is there is kept.")],
    runs: Annotated[Path, typer.Option("--runs", help="Folder of the training runs.")] = Path("runs/study"),
    only: Annotated[str | None, typer.Option(help="Variants to run, separated by commas; all by default.")] = None,
    protocols: Annotated[str | None, typer.Option(help="Protocols to run, likewise.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds to run, likewise.")] = None,
) -> None:
    """Measure variants of teachers and students, with controls, over protocols, folds and seeds."""
    from rich.console import Console

    from otolith.cli.config import build, read_yaml
    from otolith.data.store import Dataset
    from otolith.evaluate.results import ResultsFile
    from otolith.evaluate.splits import folds
    from otolith.evaluate.study import StudyConfig

    plan = build(StudyConfig, read_yaml(config))
    wanted = [v for v in plan.variants if v.name in _chosen("--only", only, [v.name for v in plan.variants])]
    chosen = {int(seed) for seed in _chosen("--seeds", seeds, [str(seed) for seed in plan.seeds])}
    dataset, console = Dataset.open(data), Console(stderr=True)
    people = dataset.recordings["subject"].unique().tolist()
    for protocol in _chosen("--protocols", protocols, plan.protocols):
        for fold in folds(protocol, people, dataset.split):
            for seed in (seed for seed in plan.seeds if seed in chosen):
                bench = _Bench(plan, dataset, protocol, fold, seed, runs, ResultsFile(output))
                for variant in wanted:
                    if _runs_here(variant, plan, protocol, seed):
                        console.print(bench.measure(variant), highlight=False, soft_wrap=True)
    typer.echo(f"results: {output}")


def _chosen(flag: str, given: str | None, there: Sequence[str]) -> list[str]:
    """Those of the study that a flag names, in the order of the study; all without it."""
    names = list(there) if given is None else [name.strip() for name in given.split(",")]
    unknown = [name for name in names if name not in there]
    if unknown:
        raise ConfigError(f"{flag} names '{unknown[0]}', which the study does not have: there are {', '.join(there)}")
    return [name for name in there if name in names]


def _runs_here(variant: Variant, plan: StudyConfig, protocol: str, seed: int) -> bool:
    fits = not variant.protocols or protocol in variant.protocols
    return fits and (not variant.seeds or seed in plan.seeds[: variant.seeds])


@dataclass(frozen=True)
class _Bench:
    """One fold of one protocol at one seed."""

    plan: StudyConfig
    dataset: Dataset
    protocol: str
    fold: Fold
    seed: int
    runs: Path
    results: ResultsFile

    def measure(self, variant: Variant) -> str:
        """Trains and judges a variant unless its rows are there; says in a line what came out."""
        provenance = self._provenance(variant)
        where = f"{self.protocol:20s} {self.fold.name:6s} seed {self.seed}  {variant.name:28s}"
        rows = self._known(variant, provenance)
        known = " (known)" if rows else ""
        if not rows:
            rows = (
                self._control(variant, provenance) if variant.stage == "control" else self._judge(variant, provenance)
            )
            self.results.append(rows)
        value = {(row.protocol, row.metric): row.value for row in rows}
        accuracy, f1 = value[self.protocol, "accuracy"], value[self.protocol, "macro_f1"]
        return f"{where} accuracy {accuracy:.3f}  macro-F1 {f1:.3f}{known}"

    def _provenance(self, variant: Variant) -> Provenance:
        from otolith.evaluate.results import Provenance

        return Provenance.collect(self._identity(variant), [self.dataset.sha256])

    def _known(self, variant: Variant, provenance: Provenance) -> list[Row]:
        """Rows of this cell that the results hold already, whatever the commit: a study outlives a commit."""
        from otolith.evaluate.results import Row

        wanted = (variant.name, self.fold.name, self.seed, provenance.config_sha256, provenance.data_sha256)
        rows = [Row(*values) for values in self.results.read().itertuples(index=False, name=None)]
        return [r for r in rows if (r.model, r.fold, r.seed, r.config_sha256, r.data_sha256) == wanted]

    def _judge(self, variant: Variant, provenance: Provenance) -> list[Row]:
        from otolith.data.segments import Segments
        from otolith.evaluate.costs import cost_of_classes
        from otolith.evaluate.disturbances import DISTURBANCES
        from otolith.evaluate.results import rows
        from otolith.evaluate.study import judge
        from otolith.models.registry import load_model

        model: Any = load_model(self.checkpoint(variant))
        config = self._config(variant).segments
        index = self._judged(config.index(self.dataset), model.meta["labels"])
        disturbed = variant.robustness and self.protocol == self.plan.protocols[0]
        found = judge(model, index, config, disturbances=list(DISTURBANCES) if disturbed else ())
        out = []
        for name, values in found.items():
            protocol = f"robustness-{name}" if name else self.protocol
            if not name:
                skeletons = bool(getattr(model, "sees_skeletons", False))
                values = {**values, **cost_of_classes(model, Segments([index], config, skeletons=skeletons))}
            out += rows(values, n=len(index), provenance=provenance, protocol=protocol, **self._place(variant))
        return out

    def _control(self, variant: Variant, provenance: Provenance) -> list[Row]:
        from otolith.evaluate.metrics import scores
        from otolith.evaluate.results import rows
        from otolith.evaluate.study import control_predictions
        from otolith.train.sources import split_sources

        config = self._config(variant)
        sources = split_sources(config.data, config.segments.index)
        train = sources.splits[0].train.labelled(sources.labels)
        index = self._judged(config.segments.index(self.dataset), sources.labels)
        predicted = control_predictions(variant.name, train, index, config.segments, self.seed)
        found = scores(index.label.tolist(), predicted, sources.labels)
        return rows(found, n=len(index), provenance=provenance, protocol=self.protocol, **self._place(variant))

    def checkpoint(self, variant: Variant) -> Path:
        """The trained variant; trains it, and the teachers it needs, where that is not done yet."""
        from otolith.train.distil import distil
        from otolith.train.teach import teach

        config: Any = self._config(variant, [str(self.checkpoint(other)) for other in self._teachers(variant)])
        # Named by the configuration too: a study that was changed does not meet its old runs.
        name = f"{variant.name}-{self._provenance(variant).config_sha256[:8]}"
        folder = self.runs / self.protocol / self.fold.name / f"seed{self.seed}" / name
        if variant.stage == "teach":
            return teach(config, folder, resume=True)
        return distil(config, folder, resume=True)

    def _judged(self, index: WindowIndex, labels: list[str]) -> WindowIndex:
        return index.of_subjects(self.fold.judged).labelled(labels)

    def _place(self, variant: Variant) -> dict[str, Any]:
        return {"model": variant.name, "dataset": self.dataset.name, "fold": self.fold.name, "seed": self.seed}

    def _config(self, variant: Variant, teachers: Sequence[str] = ()) -> SegmentRun:
        """The configuration of a variant's run here."""
        from otolith.cli.config import build
        from otolith.train.distil import DistilConfig
        from otolith.train.supervised import SegmentRun
        from otolith.train.teach import TeachConfig

        values = self._values(variant)
        if variant.stage == "control":
            return build(SegmentRun, {k: v for k, v in values.items() if k in ("data", "seed", "segments")})
        if variant.stage == "teach":
            return build(TeachConfig, values)
        return build(DistilConfig, {**values, "teachers": list(teachers)})

    def _teachers(self, variant: Variant) -> list[Variant]:
        return [other for other in self.plan.variants if other.name in variant.teachers]

    def _values(self, variant: Variant) -> dict[str, Any]:
        """Plain values of the configuration, without teachers."""
        recipe = self.plan.recipe(self.fold.judged)
        stage: Mapping[str, Any] = {"teach": self.plan.teach, "distil": self.plan.distil}.get(variant.stage, {})
        values = _joined(self.plan.base, stage)
        for assignments in (recipe.set, recipe.distil if variant.stage == "distil" else {}, variant.set):
            for key, value in assignments.items():
                _assign(values, key, value)
        data = {
            "datasets": [str(self.dataset.path)],
            "val": list(self.fold.val),
            "test": list(self.fold.test),
            "tuned_on": list(recipe.tuned_on),
        }
        return {**values, "seed": self.seed, "data": {**values.get("data", {}), **data}}

    def _identity(self, variant: Variant) -> dict[str, Any]:
        """What the result depends on, beside the data and with every default: no paths, no cache, no threads."""
        config = asdict(self._config(variant))
        for section, key in (("data", "datasets"), ("train", "threads")):
            del config[section][key]
        del config["segments"]["prepare"]["cache"]
        return {
            "variant": {**asdict(variant), "protocols": None, "seeds": None},
            "config": config,
            "judged": list(self.fold.judged),
            "teachers": [self._identity(other) for other in self._teachers(variant)],
        }


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings joined; where both have a value, the other's."""
    out = {k: _joined(v, {}) if isinstance(v, Mapping) else v for k, v in one.items()}
    for key, value in other.items():
        mine = out.get(key)
        # A copy of every mapping: what a variant sets must not reach the next one.
        out[key] = _joined(mine if isinstance(mine, Mapping) else {}, value) if isinstance(value, Mapping) else value
    return out


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise ConfigError(f"study: '{key}' goes through '{part}', which holds a value, not keys")
    values[last] = value
