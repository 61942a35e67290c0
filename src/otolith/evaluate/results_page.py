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
    Group,
    Highlight,
    Report,
    Score,
    Section,
    Series,
    Table,
    Timeline,
)
from otolith.evaluate.run_curves import SHOWN, Runs, charts_of, smoothed
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
from otolith.evaluate.tables import COMPARED, PaperTable, compared_cells, cost_table, robustness_table
from otolith.evaluate.timeline_file import RecordedTimeline


@dataclass(frozen=True)
class Extras:
    """What a report may show besides results.

    Attributes:
        runs: Training runs.
        maps: Interactive maps of embeddings.
        timelines: Recordings with their recognised activities.
    """

    runs: Runs
    maps: Sequence[EmbeddingMap] = ()
    timelines: Sequence[RecordedTimeline] = ()


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
        *_timelines(extras),
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
            note = f"{best.name}, best of {table['model'].nunique()}, {protocol}"
            tiles.append(Highlight(f"{best['mean']:.3f}", f"macro-F1 on {dataset}", note))
    return tiles[:6]


def _scores(found: Collected, protocol: str, chosen: Sequence[str]) -> Section:
    rows = found.rows[found.rows["protocol"] == protocol]
    lines: list[list[str | int | float | Score | None]] = []
    first: list[int] = []  # rows of the datasets, the best model on top
    details: list[Content] = []
    for dataset, part in rows.groupby("dataset"):
        first.append(len(lines))
        lines += _lines(str(dataset), summarise(part, ["accuracy", "macro_f1", "macro_f1_low", "macro_f1_high"]))
        details += _classes(found, str(dataset), protocol, chosen)
    head = ["dataset", "model", "accuracy", "macro-F1", "±", "n", "folds", "seeds"]
    caption = (
        "Means over folds, then seeds; ± is the standard deviation of macro-F1 over seeds, or over folds where there "
        "is one seed; an interval is the 95 % one over people where it was measured. The best of a dataset stands out."
    )
    table = Table(head, lines, caption, emphasis=first, rules=first)
    return Section(f"Protocol {protocol}", "", [table, *details])


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


def _classes(found: Collected, dataset: str, protocol: str, chosen: Sequence[str]) -> list[Content]:
    """F1 of each class and, where counts are there, the confusions of the shown models."""
    rows = found.rows[(found.rows["dataset"] == dataset) & (found.rows["protocol"] == protocol)]
    classes = classes_of(rows)
    groups: list[Content] = []
    for model in shown_models(rows, chosen, 1):
        counts = found.counts
        mine = counts[(counts["dataset"] == dataset) & (counts["protocol"] == protocol) & (counts["model"] == model)]
        table = summarise(rows[rows["model"] == model], [f"f1/{name}" for name in classes]).sort_values("mean")
        bars = [Bar(m.removeprefix("f1/"), f1) for m, f1 in zip(table["metric"], table["mean"], strict=True)]
        contents: list[Content] = [Bars(bars, "F1 of each activity, the worst on top.")] if bars else []
        if len(mine):
            caption = "Windows by true activity (row) and the one that was found (column), all folds and seeds."
            contents.append(Confusion(confusion_of(mine, classes), classes, caption))
        if contents:
            groups.append(Group(f"{dataset}: activity by activity", contents, model))
    return groups


def _people(people: Sequence[Comparison]) -> list[Section]:
    groups = [
        Group(
            f"{one.dataset}, {one.protocol}",
            [*_against(one), _each(one)],
            f"{len(one.accuracy)} {'person' if len(one.accuracy) == 1 else 'people'}",
        )
        for one in people
    ]
    text = "People differ more than models do, so models are compared person by person."
    return [Section("People", text, groups)] if groups else []


def _against(one: Comparison) -> list[Content]:
    """The other models against the reference."""
    rows = [[model, *cells] for model, cells in compared_cells(one).items()]
    bold = [(row, 1) for row, model in enumerate(one.against) if one.holm[model] < 0.05]
    caption = (
        f"Accuracy, model minus {one.reference}: mean over people, bootstrap interval, signed-rank test, and its p "
        "after Holm's correction; bold where that is below 0.05."
    )
    numeric = [False, *[True] * len(COMPARED)]
    return [Table(["model", *COMPARED], rows, caption, bold=bold, numeric=numeric)] if rows else []


def _each(one: Comparison) -> Table:
    """The accuracy of each person."""
    lines = [[str(who), *(None if v != v else float(v) for v in values)] for who, values in
             zip(one.accuracy.index, one.accuracy.to_numpy(), strict=True)]  # fmt: skip
    caption = "Accuracy of each person."
    if one.ranking:
        ranks = ", ".join(f"{m} {r:.2f}" for m, r in zip(one.ranking.models, one.ranking.ranks, strict=True))
        caption += f" Average ranks: {ranks}; critical difference {one.ranking.cd:.2f}."
    return Table(["person", *map(str, one.accuracy.columns)], lines, caption)


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
        charts.append(
            Curves(series, "examples of each activity", "macro-F1", f"On {dataset}.", log_x=True, y_range=(0, 1))
        )
    text = "Learnt from k examples of each activity, of other people than those judged: means and spread of the draws."
    return [Section("A few examples", text, charts)]


def _robustness(rows: pd.DataFrame) -> list[Section]:
    table = robustness_table(rows)
    if table is None:
        return []
    groups: list[Content] = []
    for dataset, part in disturbed(rows).groupby("dataset"):
        found = values_of(summarise(part, ["macro_f1"]), "protocol")
        bars = [
            Bars([Bar(name.removeprefix("robustness-"), v.mean, v.low, v.high) for name, v in mine.items()],
                 f"Macro-F1 of {model}.")
            for model, mine in found.items()
        ]  # fmt: skip
        groups.append(Group(f"{dataset}: model by model", bars))
    text = (
        "What is left when the sensor is not as in training: noise, in standard deviations of a channel; a lost share "
        "of the window; another angle of up to so many degrees; half the rate; no gyroscope."
    )
    return [Section("Disturbed recordings", text, [_plain(table), *groups])]


def _costs(rows: pd.DataFrame) -> list[Section]:
    table = cost_table(rows)
    text = "Of one answer, on the machine that measured it; compare only what one machine measured."
    return [Section("Cost", text, [_plain(table)])] if table else []


def _training(extras: Extras) -> list[Section]:
    groups: list[Content] = []
    for folder, runs in charts_of(extras.runs).items():
        contents: list[Content] = []
        for kind, y_label in SHOWN.items():
            series = [Series(name, *smoothed(kind, found[kind])) for name, found in runs.items() if kind in found]
            if series:
                contents.append(Curves(series, "optimiser step", y_label))
        if contents:
            groups.append(Group(folder, contents, open=not groups))
    return [Section("Training", "What the runs wrote while they trained.", groups)] if groups else []


def _maps(extras: Extras) -> list[Section]:
    text = "Windows in the space of the model's features, laid out in two dimensions; near is alike."
    return [Section("How a model sees the windows", text, extras.maps)] if extras.maps else []


def _timelines(extras: Extras) -> list[Section]:
    spans = [span for one in extras.timelines for span in (*(one.truth or ()), *one.segments)]
    classes = sorted({span.label for span in spans})
    charts = [
        Timeline(one.lines, one.ends, one.segments, one.truth, f"{one.name}.", classes) for one in extras.timelines
    ]
    text = "What was recognised in a recording, second by second; a pale bar is unsure."
    return [Section("Timeline", text, charts)] if charts else []


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
    return Table(table.columns, table.rows, table.caption, (), table.bold, table.rules, table.numeric())


def _provenance(rows: pd.DataFrame, paths: Sequence[Path]) -> dict[str, Any]:
    files = {f"{path.name} (SHA-256)": hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return {**files, "commits": ", ".join(sorted(rows["commit"].unique())), "rows": f"{len(rows)}"}
