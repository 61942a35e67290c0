"""Which figures a set of results gives: each is drawn and saved with the numbers that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from otolith.evaluate import comparison_figures as compared
from otolith.evaluate import figures
from otolith.evaluate.comparison_figures import Cost, Values
from otolith.evaluate.comparisons import Comparison
from otolith.evaluate.counts import confusion_of
from otolith.evaluate.summary import (
    UNDISTURBED,
    Collected,
    Value,
    classes_of,
    costs_of,
    disturbed,
    file_name,
    is_main,
    ranked,
    summarise,
    values_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_MODELS = 6
"""In a figure with a mark for each model and person: the best ones are shown."""


@dataclass
class Gallery:
    """A folder of figures; no two take the same name."""

    folder: Path
    saved: list[str] = field(default_factory=list)

    def add(self, name: str, figure: Figure, data: Mapping[str, Any]) -> None:
        """Saves a figure as PNG and PDF, with its data beside it."""
        figures.save(figure, self.folder / f"{self.take(name)}.png", data, pdf=True)

    def take(self, name: str) -> str:
        """A file name without an ending that is not taken yet."""
        plain, number = file_name(name), 1
        free = plain
        while free in self.saved:
            number += 1
            free = f"{plain}-{number}"
        self.saved.append(free)
        return free


def draw(found: Collected, people: Sequence[Comparison], gallery: Gallery, chosen: Sequence[str] = ()) -> None:
    """All figures of results and counts.

    Args:
        found: What they are of.
        people: Comparisons of the same results.
        gallery: Where they go.
        chosen: Models whose confusions and classes are shown; without them, the best of each dataset and protocol.
    """
    order = _order(found.rows)
    for one in people:
        draw_people(one, gallery, order)
    for (dataset, protocol), rows in found.rows.groupby(["dataset", "protocol"], sort=False):
        if is_main(str(protocol)):
            counts = found.counts[(found.counts["dataset"] == dataset) & (found.counts["protocol"] == protocol)]
            _protocol(rows, counts, gallery, chosen, order, "-".join(map(str, (dataset, protocol))))
    for dataset, rows in found.rows.groupby("dataset", sort=False):
        shots = summarise(rows[rows["protocol"].str.startswith("enrol-k")], ["macro_f1"])
        if len(shots):
            _shots(shots, gallery, order, "few-examples-" + str(dataset))
        changed = summarise(disturbed(rows), ["macro_f1"])
        if len(changed):
            _robustness(changed, gallery, order, "robustness-" + str(dataset))


def _order(rows: pd.DataFrame) -> list[str]:
    """Models in the order of their colours: those in the most figures have the most distinct ones."""
    main = rows[rows["protocol"].map(is_main)]
    places = main[["model", "dataset", "protocol"]].drop_duplicates()["model"].value_counts()
    return sorted(ranked(summarise(main)), key=lambda model: -int(places[model]))


def shown_models(rows: pd.DataFrame, chosen: Sequence[str], most: int) -> list[str]:
    """Those of the chosen models that rows are of; without a choice the best ones, but chance."""
    models = ranked(summarise(rows))
    wanted = [model for model in models if model in chosen]
    return wanted or [model for model in models if model != "chance"][:most]


def _protocol(
    rows: pd.DataFrame,
    counts: pd.DataFrame,
    gallery: Gallery,
    chosen: Sequence[str],
    order: Sequence[str],
    place: str,
) -> None:
    """What one dataset gives in one protocol."""
    table, classes = summarise(rows), classes_of(rows)
    score = values_of(table[table["metric"] == "macro_f1"].assign(row="macro-F1"), "row")
    bars = {model: mine["macro-F1"] for model, mine in score.items()}
    spread = {model: (value.low, value.high) for model, value in bars.items()}
    if bars:
        figure = figures.bars({model: value.mean for model, value in bars.items()}, spread)
        gallery.add(f"scores-{place}", figure, _long(score))
    best = rows[rows["model"].isin(shown_models(rows, chosen, 3))]
    if classes and len(best):
        of_classes = summarise(best, [f"f1/{name}" for name in classes])
        of_classes["class"] = of_classes["metric"].str.removeprefix("f1/")
        values = {m: v for m in ranked(summarise(best)) for n, v in values_of(of_classes, "class").items() if n == m}
        gallery.add(f"classes-{place}", compared.class_bars(values, models=order), _long(values))
    costs = costs_of(rows)
    if "size_mb" in costs:
        _costs(bars, costs, gallery, order, f"cost-{place}")
    for model in shown_models(rows, chosen, 1):
        mine = counts[counts["model"] == model]
        if len(mine):
            matrix = confusion_of(mine, classes)
            data = {"classes": classes, "matrix": matrix}
            gallery.add(f"confusion-{place}-{model}", figures.confusion_matrix(matrix, classes), data)


def draw_people(one: Comparison, gallery: Gallery, order: Sequence[str] = ()) -> None:
    """Each person's accuracy, the differences between models, and their ranks; `order` is that of models' colours."""
    place = f"{one.dataset}-{one.protocol}"
    table = one.accuracy.iloc[:, :_MOST_MODELS]
    dots = {str(m): {str(who): Value(v, v, v) for who, v in table[m].dropna().items()} for m in table.columns}
    gallery.add(f"people-{place}", compared.row_dots(dots, "accuracy", models=order), _long(dots))
    if one.against:
        gaps = {model: one.differences(model) for model in one.against}
        means = {m: Value(r.difference, r.low, r.high) for m, r in one.against.items()}
        figure = compared.person_differences(gaps, means, one.reference, "accuracy")
        lines = [(model, who, gap) for model, mine in gaps.items() for who, gap in mine.items()]
        columns = zip(("model", "person", "difference"), zip(*lines, strict=True), strict=True)
        gallery.add(f"differences-{place}", figure, dict(columns))
    ranks = one.ranking
    if ranks:
        average = dict(zip(ranks.models, ranks.ranks, strict=True))
        bars = [" ".join(str(i) for i, group in enumerate(ranks.groups) if m in group) for m in ranks.models]
        data = {"model": ranks.models, "rank": ranks.ranks, "groups": bars, "people": [ranks.n] * len(bars),
                "critical_difference": [ranks.cd] * len(bars)}  # fmt: skip
        gallery.add(f"ranks-{place}", compared.critical_difference(average, ranks.cd, ranks.groups), data)


def _shots(table: pd.DataFrame, gallery: Gallery, order: Sequence[str], name: str) -> None:
    """Curves over k, with the spread over draws."""
    table = table.assign(k=table["protocol"].str.removeprefix("enrol-k").astype(int)).sort_values("k")
    values = {model: {int(k): v for k, v in mine.items()} for model, mine in values_of(table, "k").items()}
    curves = {m: (list(v), [x.mean for x in v.values()]) for m, v in values.items()}
    ends = {m: ([x.low for x in v.values()], [x.high for x in v.values()]) for m, v in values.items()}
    data = _long({m: {str(k): x for k, x in v.items()} for m, v in values.items()})
    gallery.add(name, figures.kshot_curves(curves, ends, models=order), data)


def _robustness(table: pd.DataFrame, gallery: Gallery, order: Sequence[str], name: str) -> None:
    """Dots for each disturbance; the undisturbed score as a line."""
    values = values_of(table, "protocol")
    plain = {model: mine[UNDISTURBED].mean for model, mine in values.items() if UNDISTURBED in mine}
    dots = {
        model: {what.removeprefix("robustness-"): v for what, v in mine.items() if what != UNDISTURBED}
        for model, mine in values.items()
    }
    figure = compared.row_dots(dots, "macro-F1 (dashed: undisturbed)", plain, order)
    gallery.add(name, figure, _long(values))


def _costs(scores: Mapping[str, Value], costs: pd.DataFrame, gallery: Gallery, order: Sequence[str], name: str) -> None:
    models = {
        model: Cost(value, _known(costs, model, "size_mb"), _known(costs, model, "latency_ms"))
        for model, value in scores.items()
    }
    data = {
        "model": list(models),
        **{end: [getattr(c.score, end) for c in models.values()] for end in ("mean", "low", "high")},
        "size_mb": [c.size_mb for c in models.values()],
        "latency_ms": [c.latency_ms for c in models.values()],
    }
    gallery.add(name, compared.cost_map(models, order=order), data)


def _known(costs: pd.DataFrame, model: str, metric: str) -> float | None:
    value = costs[metric].get(model, np.nan) if metric in costs else np.nan
    return None if np.isnan(value) else float(value)


def _long(values: Values) -> dict[str, list[Any]]:
    """One line for each mark of a figure."""
    lines = [(model, row, v.mean, v.low, v.high) for model, mine in values.items() for row, v in mine.items()]
    return {name: [line[i] for line in lines] for i, name in enumerate(("model", "row", "mean", "low", "high"))}
