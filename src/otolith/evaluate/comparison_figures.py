"""Figures that compare models over classes, people and disturbances, by rank, and by what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from otolith.evaluate.figures import grid, looks, names_above, sheet, style
from otolith.evaluate.summary import Value
from otolith.palette import PALETTE, colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Values = Mapping[str, Mapping[str, Value]]
"""For each model, in the order in which they are drawn, its value in each row."""


def class_bars(values: Values, x_label: str = "F1", models: Sequence[str] = ()) -> Figure:
    """A group of horizontal bars for each class, a bar for each model; the first model's worst classes on top.

    Args:
        values: Of each model, by class.
        x_label: Name of the score.
        models: In the order of their colours, so that several figures agree.
    """
    rows = list(dict.fromkeys(row for mine in values.values() for row in mine))
    if values:
        first = next(iter(values.values()))
        rows.sort(key=lambda row: first[row].mean if row in first else 2.0)
    height = max(0.18, 0.09 * len(values))
    with style():
        figure, axes = sheet(6.4, 1.0 + height * len(rows))
        width, shades = 0.8 / max(len(values), 1), colours(list(values), models)
        for number, (model, mine) in enumerate(values.items()):
            places = [rows.index(row) - 0.4 + (number + 0.5) * width for row in mine]
            axes.barh(places, [v.mean for v in mine.values()], color=shades[model], height=0.92 * width, label=model)
            for place, value in zip(places, mine.values(), strict=True):
                if value.high > value.low:
                    axes.plot([value.low, value.high], [place, place], color="black", linewidth=0.7)
        _rows(axes, rows, x_label)
        axes.set_xlim(0, 1)
        names_above(figure, list(values))
        return figure


def row_dots(
    values: Values, x_label: str, marks: Mapping[str, float] | None = None, models: Sequence[str] = ()
) -> Figure:
    """A row for each person (or disturbance), a dot for each model with its interval.

    Args:
        values: Of each model, by row.
        x_label: Name of the score.
        marks: For some models, a score that a dashed line of its colour shows in all rows.
        models: In the order of their colours, so that several figures agree.
    """
    rows = list(dict.fromkeys(row for mine in values.values() for row in mine))
    with style():
        figure, axes = sheet(6.4, 1.1 + max(0.19, 0.09 * len(values)) * len(rows))
        step, seen = 0.7 / max(len(values), 1), looks(list(values), models)
        for number, (model, mine) in enumerate(values.items()):
            colour, mark = seen[model]
            places = [rows.index(row) - 0.35 + (number + 0.5) * step for row in mine]
            for place, value in zip(places, mine.values(), strict=True):
                if value.high > value.low:
                    axes.plot([value.low, value.high], [place, place], color=colour, linewidth=1.0)
            axes.scatter([v.mean for v in mine.values()], places, s=16, c=colour, marker=mark, label=model, zorder=3)
            if marks and model in marks:
                axes.axvline(marks[model], color=colour, linewidth=0.9, linestyle=(0, (4, 3)))
        _rows(axes, rows, x_label)
        for row in range(1, len(rows)):
            axes.axhline(row - 0.5, color="#dddddd", linewidth=0.5, zorder=0)
        names_above(figure, list(values))
        return figure


def person_differences(
    people: Mapping[str, Mapping[str, float]], means: Mapping[str, Value], reference: str, x_label: str
) -> Figure:
    """How much better than the reference each model (row) does for each person (dot), with the mean and its interval.

    Args:
        people: For each model, model minus reference for each person.
        means: For each model, the mean difference and its interval, on the same scale.
        reference: Name of the model that the others are held against.
        x_label: Name of the score.
    """
    with style():
        figure, axes = sheet(6.4, 0.9 + 0.42 * len(people))
        for place, (model, mine) in enumerate(people.items()):
            found = np.array(list(mine.values()), dtype=np.float64)
            axes.scatter(found, place + 0.16 + _beside(found), s=13, c=PALETTE[4], alpha=0.8, linewidths=0)
            mean = means[model]
            axes.plot([mean.low, mean.high], [place - 0.16] * 2, color="black", linewidth=1.4)
            axes.scatter([mean.mean], [place - 0.16], s=26, c="black", marker="D", zorder=3)
        axes.axvline(0, color="black", linewidth=0.7)
        _rows(axes, list(people), f"{x_label}, model minus {reference}")
        names = {"mean and its 95 % interval over people": ("black", "D", "-"), "one person": (PALETTE[4], "o", "")}
        for name, (colour, mark, line) in names.items():
            axes.plot([], [], color=colour, marker=mark, linestyle=line, markersize=4, label=name)
        names_above(figure, list(names))
        return figure


def critical_difference(ranks: Mapping[str, float], difference: float, groups: Sequence[Sequence[str]]) -> Figure:
    """Average ranks over people (1 is best); a bar joins models whose ranks differ by less than chance explains.

    After Demšar 2006.

    Args:
        ranks: Average rank of each model.
        difference: The critical difference of the Nemenyi test.
        groups: Models that cannot be told apart; each of two or more.
    """
    order = sorted(ranks, key=lambda model: ranks[model])
    half, last = (len(order) + 1) // 2, max(2, len(order))
    bars = sorted((sorted(ranks[m] for m in group) for group in groups if len(group) > 1), key=lambda r: r[0])
    top = 0.6 + 0.28 * len(bars)  # where the first name stands
    with style():
        figure, axes = sheet(6.4, 1.2 + 0.2 * (len(bars) + half))
        _rank_axis(axes, last, difference)
        for level, found in enumerate(bars):
            height = 0.35 + 0.28 * level
            axes.plot([found[0] - 0.03, found[-1] + 0.03], [height] * 2, color="black", linewidth=3, clip_on=False)
        for number, model in enumerate(order):
            left = number < half
            depth = top + 0.4 * (number if left else len(order) - 1 - number)
            end = 1 - 0.06 * last if left else last + 0.06 * last
            axes.plot([ranks[model], ranks[model], end], [0, depth, depth], color="#555555", linewidth=0.7)
            name = f"{model}  {ranks[model]:.2f}" if left else f"{ranks[model]:.2f}  {model}"
            axes.text(end, depth, f" {name} ", ha="right" if left else "left", va="center", fontsize=8)
        axes.set(ylim=(top + 0.4 * half, -1.95), xlim=(1 - 0.1 * last, last * 1.1))
        axes.axis("off")
        return figure


def _rank_axis(axes: Axes, last: int, difference: float) -> None:
    """The line of the ranks from 1 to `last`, and above it the length of the critical difference."""
    axes.plot([1, last], [0, 0], color="black", linewidth=0.8, clip_on=False)
    for rank in range(1, last + 1, 1 + last // 11):
        axes.plot([rank, rank], [0, -0.15], color="black", linewidth=0.8, clip_on=False)
        axes.text(rank, -0.25, f"{rank}", ha="center", va="bottom", fontsize=8)
    axes.plot([1, 1 + difference], [-1.15] * 2, color="black", linewidth=1.6, clip_on=False)
    axes.text(1 + difference, -1.15, f"  critical difference {difference:.2f}", va="center", fontsize=8)
    axes.text(1, -1.65, "average rank over people; 1 is best", va="center", fontsize=8)


@dataclass(frozen=True)
class Cost:
    """What a model costs and gives; `size_mb` and `latency_ms` are None where they were not measured."""

    score: Value
    size_mb: float | None = None
    latency_ms: float | None = None


def cost_map(models: Mapping[str, Cost], y_label: str = "macro-F1", order: Sequence[str] = ()) -> Figure:
    """Score against size, the area of a mark its latency; a dotted line for each model whose size is not known.

    Args:
        models: What is to be drawn.
        y_label: Name of the score.
        order: Models in the order of their colours, so that several figures agree.
    """
    sized = {name: cost for name, cost in models.items() if cost.size_mb is not None}
    slowest = max((c.latency_ms or 0 for c in sized.values()), default=0) or 1
    with style():
        figure, axes = sheet(6.8, max(4.0, 1.2 + 0.16 * len(models)))
        shades = colours(list(sized), order)
        for name, cost in sized.items():
            size = cost.size_mb or 0.0
            axes.plot([size, size], [cost.score.low, cost.score.high], color=shades[name], linewidth=1)
            area = 16 + 240 * (cost.latency_ms or 0) / slowest
            axes.scatter([size], [cost.score.mean], s=area, c=shades[name], alpha=0.8, linewidths=0, zorder=3)
        for name, cost in models.items():
            if name not in sized:
                axes.axhline(cost.score.mean, color="#777777", linewidth=0.8, linestyle=":")
        _sizes(axes, [cost.size_mb for cost in sized.values() if cost.size_mb])
        dotted = "; dotted: without a size" if len(sized) < len(models) else ""
        axes.set(xlabel=f"size at 32 bits (MB); area of a mark: time of one answer{dotted}", ylabel=y_label)
        axes.margins(y=0.1)
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -0.02), min(high, 1.02))
        grid(axes)
        _name_at_right(axes, models)
        return figure


def _rows(axes: Axes, rows: Sequence[str], x_label: str) -> None:
    axes.set_yticks(range(len(rows)), rows)
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel=x_label)
    axes.tick_params(axis="y", length=0)
    grid(axes, "x")


def _beside(values: NDArray[np.float64], room: float = 0.07) -> NDArray[np.float64]:
    """Shifts that set equal values beside one another."""
    shifts = np.zeros(len(values))
    for value in np.unique(values.round(6)):
        same = np.flatnonzero(values.round(6) == value)
        shifts[same] = (np.arange(len(same)) - (len(same) - 1) / 2) * min(room, 0.3 / len(same))
    return shifts


def _sizes(axes: Axes, sizes: Sequence[float]) -> None:
    """A logarithmic axis with plain numbers, and a little room at both ends."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    if sizes:
        axes.set_xlim(min(sizes) / 1.6, max(sizes) * 1.6)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _name_at_right(axes: Axes, models: Mapping[str, Cost]) -> None:
    """The names in a column, highest score on top, each joined to its mark, or to its line by standing at its end."""
    low, high = axes.get_ylim()
    points = axes.get_figure(root=True).get_figheight() * 72 - 60  # type: ignore[union-attr]
    order = sorted(models, key=lambda name: -models[name].score.mean)
    wanted = [(models[name].score.mean - low) / (high - low) for name in order]
    for name, place in zip(order, _apart(wanted, 11 / points), strict=True):
        cost = models[name]
        text = name if cost.latency_ms is None else f"{name}, {cost.latency_ms:.2g} ms"
        line = {"arrowstyle": "-", "linewidth": 0.5, "color": "#777777", "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)}
        if cost.size_mb is None:
            end, frame = (1.0, cost.score.mean), ("axes fraction", "data")
        else:
            end, frame = (cost.size_mb, cost.score.mean), ("data", "data")
        axes.annotate(text, end, (1.05, place), xycoords=frame, textcoords="axes fraction", va="center", fontsize=8,
                      arrowprops=line, annotation_clip=False)  # fmt: skip


def _apart(wanted: Sequence[float], room: float) -> list[float]:
    """Places from 1 down to 0, in falling order, at least `room` apart where they fit, near those wanted."""
    from sklearn.isotonic import isotonic_regression

    steps = room * np.arange(len(wanted))
    fitted = isotonic_regression(np.asarray(wanted) + steps, increasing=False) - steps
    found: list[float] = np.clip(fitted, steps[::-1], 1 - steps).tolist()
    return found
