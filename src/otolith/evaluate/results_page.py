"""The page of a study: results, people, examples, disturbances, cost, training and embeddings, all read from files."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from otolith.evaluate.comparisons import Comparison
from otolith.evaluate.counts import confusion_of
from otolith.evaluate.report import (
    Bar,
    Bars,
    Confusion,
    Content,
    Curves,
    EmbeddingMap,
    Highlight,
    Report,
    Score,
    Section,
    Series,
    Span,
    Table,
    Timeline,
)
from otolith.evaluate.run_curves import SHOWN, Runs, smoothed
from otolith.evaluate.study_figures import shown_models
from otolith.evaluate.summary import (
    Collected,
    classes_of,
    disturbed,
    is_main,
    main_protocols,
    ranked,
    summarise,
    values_of,
)
from otolith.evaluate.tables import PaperTable, comparison_table, cost_table, robustness_table


@dataclass(frozen=True)
class Extras:
    """What a report may show besides results.

    Attributes:
        runs: Training runs.
        maps: Interactive maps of embeddings.
        segments: A recording's recognised activities, in seconds.
    """

    runs: Runs
    maps: Sequence[EmbeddingMap] = ()
    segments: Sequence[Span] = ()


def results_page(
    found: Collected, people: Sequence[Comparison], paths: Sequence[Path], chosen: Sequence[str], extras: Extras
) -> Report:
    """The whole page.

    Args:
        found: Of the results files `paths`.
        people: Comparisons of the same results.
        paths: Named, with their SHA-256, at the end.
        chosen: Models whose confusions and classes are shown; without them, the best ones.
        extras: What else there is to show.
    """
    rows = found.rows
    sections = [_scores(found, protocol, chosen) for protocol in main_protocols(rows)]
    sections += [
        *_people(people),
        *_shots(rows),
        *_robustness(rows),
        *_costs(rows),
        *_training(extras),
        *_maps(extras),
        *_timeline(extras),
        *_missing(found),
    ]
    models, datasets = rows["model"].nunique(), sorted(rows["dataset"].unique())
    summary = (
        f"{models} models on {', '.join(datasets)}. Every number comes from the results files named at the end; "
        "the figures and tables beside this page show the same for print."
    )
    return Report("Results", summary, sections, _highlights(rows), _provenance(rows, paths))


def _highlights(rows: pd.DataFrame) -> list[Highlight]:
    tiles = []
    for (dataset, protocol), part in rows.groupby(["dataset", "protocol"], sort=False):
        table = summarise(part, ["macro_f1"])
        if is_main(str(protocol)) and len(table):
            best = table.set_index("model").loc[ranked(table)[0]]
            tiles.append(Highlight(f"{best['mean']:.3f}", "best macro-F1", f"{best.name}, {dataset}, {protocol}"))
    return tiles[:6]


def _scores(found: Collected, protocol: str, chosen: Sequence[str]) -> Section:
    rows = found.rows[found.rows["protocol"] == protocol]
    lines: list[list[str | int | float | Score | None]] = []
    strong: list[int] = []
    contents: list[Content] = []
    for dataset, part in rows.groupby("dataset"):
        strong.append(len(lines))
        lines += _lines(str(dataset), summarise(part, ["accuracy", "macro_f1", "macro_f1_low", "macro_f1_high"]))
        contents += _classes(found, str(dataset), protocol, chosen)
    head = ["dataset", "model", "accuracy", "macro-F1", "±", "n", "folds", "seeds"]
    caption = (
        "Means over folds, then seeds; ± is the standard deviation of macro-F1 over seeds, or over folds where there "
        "is one seed; an interval is the 95 % one over people where it was measured. The best of a dataset stands out."
    )
    return Section(f"Protocol {protocol}", _about(rows), [Table(head, lines, caption, strong), *contents])


def _lines(dataset: str, table: pd.DataFrame) -> list[list[str | int | float | Score | None]]:
    """A line of the table for each model of a summary, the best first."""
    lines: list[list[str | int | float | Score | None]] = []
    for model in ranked(table):
        mine = table[table["model"] == model].set_index("metric")
        value = mine["mean"].to_dict()
        ends = [value.get(f"macro_f1_{end}") for end in ("low", "high")]
        score = Score(value["macro_f1"], *ends) if "macro_f1" in value else None
        spread = mine["spread"].get("macro_f1", math.nan)
        counted = [int(mine[name].iloc[0]) for name in ("n", "folds", "seeds")]
        lines.append([dataset, model, value.get("accuracy"), score, None if math.isnan(spread) else spread, *counted])
    return lines


def _about(rows: pd.DataFrame) -> str:
    parts = []
    for dataset, part in rows.groupby("dataset"):
        best = shown_models(part, (), 1)
        if best:
            parts.append(f"On {dataset} {best[0]} is best.")
    return " ".join(parts)


def _classes(found: Collected, dataset: str, protocol: str, chosen: Sequence[str]) -> list[Content]:
    """Confusion (where counts are there) or F1 of each class, of the shown models."""
    rows = found.rows[(found.rows["dataset"] == dataset) & (found.rows["protocol"] == protocol)]
    classes = classes_of(rows)
    contents: list[Content] = []
    for model in shown_models(rows, chosen, 1):
        counts = found.counts
        mine = counts[(counts["dataset"] == dataset) & (counts["protocol"] == protocol) & (counts["model"] == model)]
        table = summarise(rows[rows["model"] == model], [f"f1/{name}" for name in classes]).sort_values("mean")
        bars = [Bar(m.removeprefix("f1/"), f1) for m, f1 in zip(table["metric"], table["mean"], strict=True)]
        contents.append(Bars(bars, f"{dataset}: F1 of each activity, {model}, the worst on top."))
        if len(mine):
            caption = f"{dataset}: windows by true activity (row) and the one that {model} found, all folds and seeds."
            contents.append(Confusion(confusion_of(mine, classes), classes, caption))
    return contents


def _people(people: Sequence[Comparison]) -> list[Section]:
    contents: list[Content] = []
    for one in people:
        lines = [[str(who), *(None if v != v else float(v) for v in values)] for who, values in
                 zip(one.accuracy.index, one.accuracy.to_numpy(), strict=True)]  # fmt: skip
        caption = f"{one.dataset}, {one.protocol}: accuracy of each person."
        if one.ranking:
            ranks = ", ".join(f"{m} {r:.2f}" for m, r in zip(one.ranking.models, one.ranking.ranks, strict=True))
            caption += f" Average ranks: {ranks}; critical difference {one.ranking.cd:.2f}."
        contents.append(Table(["person", *map(str, one.accuracy.columns)], lines, caption))
    table = comparison_table(people)
    text = "People differ more than models do, so models are compared person by person."
    return [Section("People", text, [*([_plain(table)] if table else []), *contents])] if contents else []


def _shots(rows: pd.DataFrame) -> list[Section]:
    table = summarise(rows[rows["protocol"].str.startswith("enrol-k")], ["macro_f1"])
    if table.empty:
        return []
    table["k"] = table["protocol"].str.removeprefix("enrol-k").astype(int)
    charts: list[Content] = []
    for dataset, part in table.sort_values("k").groupby("dataset"):
        series = []
        for model, mine in values_of(part, "k").items():
            ends = [[getattr(v, end) for v in mine.values()] for end in ("mean", "low", "high")]
            series.append(Series(model, [int(k) for k in mine], *ends))
        charts.append(Curves(series, "examples of each activity", "macro-F1", str(dataset), log_x=True, y_range=(0, 1)))
    text = "Learnt from k examples of each activity, of other people than those judged: means and spread of the draws."
    return [Section("A few examples", text, charts)]


def _robustness(rows: pd.DataFrame) -> list[Section]:
    table = robustness_table(rows)
    if table is None:
        return []
    changed = disturbed(rows)
    series: list[Content] = []
    for dataset, part in changed.groupby("dataset"):
        for model in ranked(summarise(part)):
            mine = values_of(summarise(part[part["model"] == model], ["macro_f1"]), "protocol")[model]
            bars = [Bar(name.removeprefix("robustness-"), v.mean, v.low, v.high) for name, v in mine.items()]
            series.append(Bars(bars, f"{dataset}: macro-F1 of {model}."))
    return [Section("Disturbed recordings", "What is left when the sensor is not as in training.",
                    [_plain(table), *series])]  # fmt: skip


def _costs(rows: pd.DataFrame) -> list[Section]:
    table = cost_table(rows)
    text = "Of one answer, on the machine that measured it; compare only what one machine measured."
    return [Section("Cost", text, [_plain(table)])] if table else []


def _training(extras: Extras) -> list[Section]:
    contents: list[Content] = []
    for kind, y_label in SHOWN.items():
        series = [Series(run, *smoothed(kind, found[kind])) for run, found in extras.runs.items() if kind in found]
        if series:
            contents.append(Curves(series, "optimiser step", y_label))
    return [Section("Training", "What the runs wrote while they trained.", contents)] if contents else []


def _maps(extras: Extras) -> list[Section]:
    text = "Windows in the space of the model's features, laid out in two dimensions; near is alike."
    return [Section("How a model sees the windows", text, extras.maps)] if extras.maps else []


def _timeline(extras: Extras) -> list[Section]:
    if not extras.segments:
        return []
    import numpy as np

    start, end = extras.segments[0].start, max(span.end for span in extras.segments)
    blank = np.zeros((max(1, round(end - start)), 0), np.float32)  # of the activities alone; one sample a second
    chart = Timeline(blank, len(blank) / (end - start), (), extras.segments, start=start)
    return [Section("Timeline", "What was recognised, in seconds; a pale bar is unsure.", [chart])]


def _missing(found: Collected) -> list[Section]:
    said = []
    if found.counts.empty:
        said.append(
            "No counts lie beside the results files: confusion matrices, scores of people, comparisons and ranks are "
            "left out. Evaluate again to have them written."
        )
    if found.repeated:
        said.append(
            f"{found.repeated} measurements (model, dataset, protocol, fold, seed) are there more than once, from "
            "other configurations or commits: the last of each counts."
        )
    return [Section("What is not here", "\n\n".join(said))] if said else []


def _plain(table: PaperTable) -> Table:
    return Table(table.columns, table.rows, table.caption)


def _provenance(rows: pd.DataFrame, paths: Sequence[Path]) -> dict[str, Any]:
    files = {f"{path.name} (SHA-256)": hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return {**files, "commits": ", ".join(sorted(rows["commit"].unique())), "rows": f"{len(rows)}"}
