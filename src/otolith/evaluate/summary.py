"""Results of several files as one: each measurement once, means and spreads over folds and seeds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from otolith.evaluate.counts import CountsFile
from otolith.evaluate.results import ResultsFile
from otolith.types import DataError

METRICS = {"accuracy": "accuracy", "macro_f1": "macro-F1"}
"""The scores that tables show, and what they are called there."""

UNDISTURBED = "robustness-nothing"
"""The protocol that `disturbed` gives to what was not disturbed."""

_CELL = ["model", "dataset", "protocol", "fold", "seed"]
_ORIGIN = ["commit", "config_sha256", "data_sha256"]


@dataclass(frozen=True)
class Value:
    """A number with the ends of its interval or spread; both ends are the number where it has none."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Collected:
    """The rows of several results files, each measurement once.

    Attributes:
        rows: Columns as `ResultsFile.read` gives them.
        counts: What these scores were made from, columns as `CountsFile.read` gives them; without rows where no counts
            lie beside the files.
        repeated: Measurements (model, dataset, protocol, fold, seed) that came from several configurations or commits;
            the last of each counts.
    """

    rows: pd.DataFrame
    counts: pd.DataFrame
    repeated: int


def collect(paths: Sequence[Path]) -> Collected:
    """Reads results files and the counts beside them, the later ones last.

    Raises:
        DataError: A file is not there, holds no result, is damaged or is no results file.
    """
    parts, counts = [], []
    for number, path in enumerate(paths):
        if not path.is_file():
            raise DataError(f"there is no results file at {path}: give a CSV that evaluate or study wrote")
        parts.append(ResultsFile(path).read())
        counts.append(CountsFile.beside(path).read().assign(file=number))
        if parts[-1].empty:
            raise DataError(f"{path} holds no result: run otolith evaluate or otolith study with it as --output first")
        if not np.isfinite(parts[-1]["value"]).all():
            raise DataError(f"{path} holds a value that is no number: mend or remove that line")
    rows, repeated = _latest(pd.concat(parts, ignore_index=True))
    return Collected(rows, _counts_of(rows, pd.concat(counts, ignore_index=True)), repeated)


def _latest(rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Of each measurement the rows of the last origin; and of how many there were several."""
    origin = rows[_ORIGIN].agg(" ".join, axis=1)
    last = origin.groupby([rows[name] for name in _CELL]).transform("last")
    old = rows.loc[origin != last, _CELL].drop_duplicates()
    kept = rows[origin == last].drop_duplicates([*_CELL, "metric"], keep="last", ignore_index=True)
    return kept, len(old)


def _counts_of(rows: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """The counts that the rows were made from; where several files hold them, the last file's."""
    place = [*_CELL, "config_sha256", "data_sha256"]
    counts = counts.merge(rows[place].drop_duplicates(), on=place)
    last = counts.groupby(place)["file"].transform("max") == counts["file"]
    return counts[last].drop(columns="file").reset_index(drop=True)


def classes_of(rows: pd.DataFrame) -> list[str]:
    """The classes that rows hold an F1 of, in their order there."""
    named = rows["metric"][rows["metric"].str.startswith("f1/")]
    return [name.removeprefix("f1/") for name in named.unique()]


def values_of(summary: pd.DataFrame, row: str) -> dict[str, dict[str, Value]]:
    """For each model of a summary, best first, mean and spread by what stands in the column `row`."""
    found: dict[str, dict[str, Value]] = {}
    for model in ranked(summary):
        mine = summary[summary["model"] == model].fillna({"spread": 0.0})
        found[model] = {
            str(name): Value(mean, mean - spread, mean + spread)
            for name, mean, spread in zip(mine[row], mine["mean"], mine["spread"], strict=True)
        }
    return found


COSTS = {
    "parameters": "parameters", "mflops": "MFLOP", "size_mb": "MB (32 bit)", "size_mb_int8": "MB (8 bit)",
    "latency_ms": "ms", "peak_memory_mb": "peak MB",
}  # fmt: skip
"""What an answer costs, and its names with units."""


def costs_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Median of each of `COSTS` (columns; NaN where not measured) for each model (index) that has one."""
    costs = rows[rows["metric"].isin(COSTS)].pivot_table(
        index="model", columns="metric", values="value", aggfunc="median"
    )
    return costs.reindex(columns=[name for name in COSTS if name in costs])


def is_main(protocol: str) -> bool:
    """Whether models are judged there on all that they learnt from, undisturbed."""
    return not protocol.startswith(("enrol-", "robustness-"))


def main_protocols(rows: pd.DataFrame) -> list[str]:
    """The main protocols that rows hold a score of, in their order there."""
    names = rows["protocol"][rows["metric"].isin(METRICS)].unique()
    return [str(name) for name in names if is_main(str(name))]


def summarise(rows: pd.DataFrame, metrics: Sequence[str] = tuple(METRICS)) -> pd.DataFrame:
    """Mean and spread of scores.

    The mean is over folds (or draws), then over seeds. The spread is the standard deviation over seeds or, where there
    is one seed, over folds; of draws it is over all of them; NaN where there is one value.

    Returns:
        dataset, protocol, model, metric, mean, spread, folds, seeds, n (windows or trials judged in a seed: of all
        folds together, but for draws, which are all judged on the same), in the order of the first four.
    """
    lines = []
    chosen = rows[rows["metric"].isin(metrics)]
    for key, part in chosen.groupby(["dataset", "protocol", "model", "metric"]):
        by_seed = part.groupby("seed")["value"].mean()
        draws = bool(part["fold"].str.startswith("draw-").all())
        spread = by_seed.std() if len(by_seed) > 1 and not draws else part["value"].std()
        n = part["n"].max() if draws else part.groupby("seed")["n"].sum().max()
        lines.append((*key, by_seed.mean(), spread, part["fold"].nunique(), len(by_seed), int(n)))
    columns = ["dataset", "protocol", "model", "metric", "mean", "spread", "folds", "seeds", "n"]
    return pd.DataFrame(lines, columns=columns)


def ranked(table: pd.DataFrame) -> list[str]:
    """Models of a summary, by macro-F1 (accuracy where that is all there is), the best first, then by name."""
    metric = "macro_f1" if (table["metric"] == "macro_f1").any() else "accuracy"
    mean = table[table["metric"] == metric].groupby("model")["mean"].mean()
    models = sorted(table["model"].unique(), key=lambda m: (-float(mean.get(m, -1.0)), m))
    return [str(model) for model in models]


def disturbed(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the protocols `robustness-*`, and those of the same models on the same people undisturbed."""
    changed = rows[rows["protocol"].str.startswith("robustness-")]
    same = ["model", "dataset", "fold", "seed", "config_sha256"]
    plain = rows[rows["protocol"].map(is_main)].merge(changed[same].drop_duplicates(), on=same)
    return pd.concat([plain.assign(protocol=UNDISTURBED), changed], ignore_index=True)


def by_number(name: str) -> list[Any]:
    """A key that sorts k2 before k16."""
    return [float(part) if part[:1].isdigit() else part for part in re.split(r"(\d+(?:\.\d+)?)", name)]


def file_name(name: str) -> str:
    """A name of results as part of a file's name, whatever signs it has."""
    return re.sub(r"[^A-Za-z0-9.+_-]+", "-", name)[:120]
