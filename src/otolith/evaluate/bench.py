"""Runs a study: one cell is one variant in one fold of one protocol at one seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from otolith.config import build
from otolith.data.leaks import check_leak
from otolith.data.segments import SegmentConfig
from otolith.data.store import Dataset
from otolith.data.windows import WindowIndex
from otolith.evaluate.controls import control_predictions
from otolith.evaluate.costs import cost_of_classes
from otolith.evaluate.counts import CountsFile, counts_of
from otolith.evaluate.disturbances import DISTURBANCES
from otolith.evaluate.metrics import scores
from otolith.evaluate.results import Provenance, ResultsFile, Row, rows
from otolith.evaluate.splits import SUPERVISION, Fold, folds
from otolith.evaluate.study import StudyConfig, Variant, check_normaliser, predictions
from otolith.models.registry import load_model
from otolith.train.distil import DistilConfig, distil
from otolith.train.finetune import FineTuneConfig, finetune
from otolith.train.reconstruct import ReconstructConfig, reconstruct
from otolith.train.sources import split_sources
from otolith.train.supervised import SegmentRun, as_seen_by
from otolith.train.teach import TeachConfig, teach
from otolith.types import ConfigError

_STAGES: dict[str, tuple[type[SegmentRun], Any]] = {
    "teach": (TeachConfig, teach),
    "distil": (DistilConfig, distil),
    "finetune": (FineTuneConfig, finetune),
    "reconstruct": (ReconstructConfig, reconstruct),
    "control": (SegmentRun, None),
}


@dataclass(frozen=True)
class Bench:
    """One fold of one protocol of one dataset at one seed.

    Attributes:
        plan: The study.
        dataset: Whose people are judged.
        protocol: Of the study.
        fold: Of the protocol.
        seed: Of weights, order, augmentation and draws.
        runs: Folder of the training runs.
        results: Rows are added here; what is there is not measured again.
    """

    plan: StudyConfig
    dataset: Dataset
    protocol: str
    fold: Fold
    seed: int
    runs: Path
    results: ResultsFile

    def measure(self, variant: Variant) -> str:
        """Trains and judges a variant where some of its rows are not there; says in a line what came out."""
        place = f"{self.dataset.name:10s} {self.protocol:20s} {self.fold.name:12s} seed {self.seed}  {variant.name:24s}"
        if variant.stage == "reconstruct":
            return f"{place} {self.checkpoint(variant)}"
        provenance = self._provenance(variant)
        found = self._known(variant, provenance)
        there = {row.protocol for row in found}
        absent = [what for what in self._measures(variant) if self._named(what) not in there]
        known = "" if absent else " (known)"
        if absent:
            new = self._judge(variant, provenance, absent)
            self.results.append(new)
            found += new
        value = {(row.protocol, row.metric): row.value for row in found}
        accuracy, f1 = value[self.protocol, "accuracy"], value[self.protocol, "macro_f1"]
        return f"{place} accuracy {accuracy:.3f}  macro-F1 {f1:.3f}{known}"

    def _measures(self, variant: Variant) -> list[str]:
        """What is done to the segments: nothing (`""`), and in the study's first protocol also the disturbances."""
        robust = variant.robustness and self.protocol == self.plan.protocols[0]
        return ["", *DISTURBANCES] if robust else [""]

    def _named(self, what: str) -> str:
        """The protocol of the rows of segments to which that was done."""
        return f"robustness-{what}" if what else self.protocol

    def _provenance(self, variant: Variant) -> Provenance:
        return Provenance.collect(self._identity(variant), [self.dataset.sha256])

    def _known(self, variant: Variant, provenance: Provenance) -> list[Row]:
        """Rows of this cell that the results hold already, whatever the commit: a study outlives a commit.

        Those of another protocol with the same fold, as a group of one person, are among them.
        """
        wanted = (variant.name, self.fold.name, self.seed, provenance.config_sha256, provenance.data_sha256)
        return [r for r in self.results.rows() if (r.model, r.fold, r.seed, r.config_sha256, r.data_sha256) == wanted]

    def _judge(self, variant: Variant, provenance: Provenance, absent: Sequence[str]) -> list[Row]:
        """Rows of what is `absent` (`_measures`); counts of who was called what go to the file beside the results."""
        config = self._config(variant)
        judged_config = _worn(config.segments, self.fold.judged_worn)
        sources = split_sources(config.data, config.segments.index)
        index = judged_config.index(self.dataset).of_subjects(self.fold.judged).labelled(sources.labels)
        train = sources.splits[0].train.labelled(sources.labels)
        # People by name, and the samples themselves (those without a label teach too): a copy has another name.
        check_leak(contents=True, train=[sources.splits[0].train], judged=[index])
        disturbed = [what for what in absent if what]
        costs: dict[str, float] = {}
        if variant.stage == "control":
            said = control_predictions(
                variant.name, train, index, config.segments, self.seed,
                judged_config=judged_config, disturbances=disturbed,
            )  # fmt: skip
        else:
            model: Any = load_model(self.checkpoint(variant))
            check_normaliser(model, [train], config.segments)
            said = predictions(model, index, judged_config, disturbances=disturbed)
            if "" in absent:
                costs = cost_of_classes(model, as_seen_by(model, [index], judged_config))
        return self._rows(variant, index, {what: said[what] for what in absent}, sources.labels, costs, provenance)

    def _rows(
        self,
        variant: Variant,
        index: WindowIndex,
        said: Mapping[str, list[str]],
        labels: Sequence[str],
        costs: Mapping[str, float],
        provenance: Provenance,
    ) -> list[Row]:
        truth, counts, out = index.label.tolist(), CountsFile.beside(self.results.path), []
        where = {"model": variant.name, "dataset": self.dataset.name, "fold": self.fold.name, "seed": self.seed}
        for name, predicted in said.items():
            place: dict[str, Any] = {**where, "protocol": self._named(name)}
            values = {**scores(truth, predicted, labels), **({} if name else costs)}
            out += rows(values, n=len(index), provenance=provenance, **place)
            if not name:
                place |= {"config_sha256": provenance.config_sha256, "data_sha256": provenance.data_sha256}
                counts.append(counts_of(truth, predicted, index.subject.tolist(), **place))
        return out

    def checkpoint(self, variant: Variant) -> Path:
        """The trained variant; trains it, and what it learns from or begins with, where that is not done yet."""
        before = {other.name: str(self.checkpoint(other)) for other in self._before(variant)}
        config: Any = self._config(variant, before)
        # Named by the configuration too: a study that was changed does not meet its old runs.
        name = f"{variant.name}-{self._provenance(variant).config_sha256[:8]}"
        folder = self.runs / self.dataset.name / self.protocol / self.fold.name / f"seed{self.seed}" / name
        best: Path = _STAGES[variant.stage][1](config, folder, resume=True)
        return best

    def _before(self, variant: Variant) -> list[Variant]:
        return [other for other in self.plan.variants if other.name in variant.before]

    def _config(self, variant: Variant, before: Mapping[str, str] | None = None) -> SegmentRun:
        """The configuration of a variant's run here, with the checkpoints that come before it."""
        values = self._values(variant)
        if variant.stage == "control":
            values = {k: v for k, v in values.items() if k in ("data", "seed", "segments")}
        if before and variant.teachers:
            values["teachers"] = [before[name] for name in variant.teachers]
        if before and variant.parent:
            values["parent"] = before[variant.parent]
        config = build(_STAGES[variant.stage][0], values)
        return replace(config, segments=_worn(config.segments, self.fold.worn))

    def _values(self, variant: Variant) -> dict[str, Any]:
        """Plain values of the configuration, without teachers and parent."""
        recipe = self.plan.recipe(self.fold.judged)
        values = joined(self.plan.base, self.plan.stages.get(variant.stage, {}))
        own = self.plan.datasets.get(self.dataset.name, {})
        for assignments in (own, recipe.set, recipe.distil if variant.stage == "distil" else {}, variant.set):
            for key, value in assignments.items():
                assign(values, key, value)
        data: dict[str, Any] = {
            "datasets": [str(self.dataset.path)],
            "val": list(self.fold.val),
            "test": list(self.fold.test),
            "tuned_on": list(recipe.tuned_on),
        }
        if self.protocol in SUPERVISION:  # other labels at every seed
            data |= {"labelled_share": self.fold.supervision, "split_seed": self.seed}
        return {**values, "seed": self.seed, "data": {**values.get("data", {}), **data}}

    def _identity(self, variant: Variant) -> dict[str, Any]:
        """What the result depends on, beside the data and with every default: no paths, no cache, no threads."""
        config = asdict(self._config(variant))
        for section, key in (("data", "datasets"), ("train", "threads"), ("train", "accelerator")):
            del config[section][key]
        del config["segments"]["prepare"]["cache"]
        return {
            "variant": {**asdict(variant), "protocols": None, "seeds": None},
            "config": config,
            "judged": [*self.fold.judged, self.fold.judged_worn],
            "before": [self._identity(other) for other in self._before(variant)],
        }


def benches(
    plan: StudyConfig,
    dataset: Dataset,
    runs: Path,
    results: ResultsFile,
    *,
    protocols: Sequence[str],
    seeds: Sequence[int],
) -> Iterator[Bench]:
    """Every fold and seed of the protocols on a dataset.

    Raises:
        ConfigError: A protocol does not fit the dataset.
    """
    people = dataset.recordings["subject"].unique().tolist()
    values = joined(plan.base, {})
    for key, value in plan.datasets.get(dataset.name, {}).items():
        assign(values, key, value)
    view = build(SegmentConfig, values.get("segments", {})).prepare.view
    placements = sorted({c.placement for layout in dataset.layouts for c in layout if view.keeps(c)})
    for protocol in protocols:
        for fold in folds(protocol, people, dataset.split, placements):
            for seed in seeds:
                yield Bench(plan, dataset, protocol, fold, seed, runs, results)


def runs_here(variant: Variant, plan: StudyConfig, bench: Bench) -> bool:
    """Whether a variant is run in this protocol at this seed."""
    fits = not variant.protocols or bench.protocol in variant.protocols
    # Where a seed draws the labels, also what draws nothing itself gives another answer at every seed.
    seeds = 0 if bench.protocol in SUPERVISION else variant.seeds
    return fits and (not seeds or bench.seed in plan.seeds[:seeds])


def _worn(segments: SegmentConfig, placement: str) -> SegmentConfig:
    """The segments of one placement; all with an empty one."""
    if not placement:
        return segments
    view = replace(segments.prepare.view, placements=(placement,))
    return replace(segments, prepare=replace(segments.prepare, view=view))


def joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings joined; where both have a value, the other's."""
    out = {k: joined(v, {}) if isinstance(v, Mapping) else v for k, v in one.items()}
    for key, value in other.items():
        mine = out.get(key)
        # A copy of every mapping: what a variant sets must not reach the next one.
        out[key] = joined(mine if isinstance(mine, Mapping) else {}, value) if isinstance(value, Mapping) else value
    return out


def assign(values: dict[str, Any], key: str, value: Any) -> None:
    """Sets `key.sub` in nested mappings.

    Raises:
        ConfigError: The way goes through a value.
    """
    *path, last = key.split(".")
    for part in path:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise ConfigError(f"study: '{key}' goes through '{part}', which holds a value, not keys")
    values[last] = value
