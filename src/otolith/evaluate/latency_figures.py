"""The figure of a bench: how many times as fast as the reference each model answers, on each backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otolith.evaluate.figures import grid, sheet, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOOKS = {"PyTorch": ("C0", "o"), "ONNX Runtime": ("C1", "s"), "LiteRT": ("C2", "D")}


@dataclass(frozen=True)
class Mark:
    """One row of the figure.

    Attributes:
        model: Name of the model.
        runtime: PyTorch, ONNX Runtime or LiteRT.
        precision: In which it computes.
        ratio: How many times as long the reference takes for one answer.
        low: Lower quartile over turns.
        high: Upper quartile.
        latency_ms: Median time of one answer.
        size_mb: Of the file.
    """

    model: str
    runtime: str
    precision: str
    ratio: float
    low: float
    high: float
    latency_ms: float
    size_mb: float


def speed_ratios(marks: Sequence[Mark], reference: str) -> Figure:
    """A row for each mark, in the order given, with its ratio on a logarithmic axis; time and size stand beside it.

    Args:
        marks: Those of one model follow one another.
        reference: What all are held against, in words.
    """
    with style():
        figure, axes = sheet(7.2, 1.3 + 0.25 * len(marks))
        for place, mark in enumerate(marks):
            colour, shape = _LOOKS[mark.runtime]
            axes.plot([1, mark.ratio], [place] * 2, color=colour, linewidth=1, alpha=0.5)
            axes.plot([mark.low, mark.high], [place] * 2, color=colour, linewidth=3, solid_capstyle="butt")
            axes.scatter([mark.ratio], [place], s=28, c=colour, marker=shape, zorder=3)
        axes.axvline(1, color="black", linewidth=0.8)
        _lines_between(axes, marks)
        axes.set_yticks(range(len(marks)), [f"{m.model}, {m.runtime} {m.precision}" for m in marks])
        axes.tick_params(axis="y", length=0)
        axes.set(ylim=(len(marks) - 0.4, -0.6), xlabel=f"times as fast as {reference} (bar: quartiles)")
        _plain_log(axes, marks)
        grid(axes, "x")
        _columns_at_right(axes, marks)
        _legend(figure, marks)
        return figure


def _lines_between(axes: Axes, marks: Sequence[Mark]) -> None:
    for place in range(1, len(marks)):
        if marks[place].model != marks[place - 1].model:
            axes.axhline(place - 0.5, color="#cccccc", linewidth=0.6)


def _plain_log(axes: Axes, marks: Sequence[Mark]) -> None:
    """A logarithmic axis with plain numbers and room for all marks."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    ends = [end for mark in marks for end in (mark.low, mark.high)]
    axes.set_xlim(min(ends, default=1) / 1.3, max([*ends, 1]) * 1.3)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _columns_at_right(axes: Axes, marks: Sequence[Mark]) -> None:
    """Ratio, time and size of each row, right-aligned under their heads."""
    heads = (("ratio", 42), ("ms", 76), ("MB", 106))
    place_of: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "fontsize": 8, "annotation_clip": False}
    for row, mark in enumerate(marks):
        values = (f"{mark.ratio:.2f}", f"{mark.latency_ms:.2g}", f"{mark.size_mb:.2f}")
        for (_, x), value in zip(heads, values, strict=True):
            axes.annotate(value, (1, row), (x, 0), xycoords=("axes fraction", "data"), va="center", **place_of)
    for head, x in heads:
        axes.annotate(head, (1, 1), (x, 2), xycoords="axes fraction", va="bottom", color="#555555", **place_of)


def _legend(figure: Figure, marks: Sequence[Mark]) -> None:
    from matplotlib.lines import Line2D

    present = [runtime for runtime in _LOOKS if any(mark.runtime == runtime for mark in marks)]
    looks = [_LOOKS[runtime] for runtime in present]
    lines = [Line2D([], [], color=c, marker=m, linestyle="none", markersize=5) for c, m in looks]
    figure.legend(lines, present, loc="outside upper left", ncols=len(present))
