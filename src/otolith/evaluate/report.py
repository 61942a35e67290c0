"""A self-contained HTML page: words, tables and charts that a person would like to read.

Everything on the page comes from the arguments, and every text is escaped. The page asks for nothing from elsewhere and
can be read without its script, which only adds what the pointer shows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike

from otolith.evaluate import charts
from otolith.evaluate.charts import Series
from otolith.evaluate.pages import template, write_page
from otolith.evaluate.signals import Span, Thinned, Trace, thin

__all__ = [
    "Bar", "Bars", "Confusion", "Content", "Curves", "EmbeddingMap", "Group", "Highlight", "Report", "Score",
    "Section", "Series", "Span", "Table", "Thinned", "Timeline", "Trace", "render", "thin", "write",
]  # fmt: skip


class Content(Protocol):
    """Something that a section shows."""

    kind: ClassVar[str]

    @property
    def caption(self) -> str:
        """What is written under it; may be empty."""

    def drawn(self) -> dict[str, Any]:
        """What the template needs."""


@dataclass(frozen=True)
class Score:
    """A cell of a table: a fraction from 0 to 1, shown with a bar and, if given, its interval."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Table:
    """A table; cells are text, whole numbers, numbers (three decimals), `Score`s or None (left empty).

    Attributes:
        emphasis: Positions of the rows that stand out.
        bold: Row and column of the cells that stand out.
        rules: Rows that a group begins with; its name in the first column is shown once.
        numeric: Of each column, whether it stands to the right; by default where no cell is text.
    """

    kind: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float | Score | None]]
    caption: str = ""
    emphasis: Collection[int] = ()
    bold: Collection[tuple[int, int]] = ()
    rules: Collection[int] = ()
    numeric: Sequence[bool] | None = None

    def drawn(self) -> dict[str, Any]:
        """Cells as dictionaries of text, bar and looks."""
        numeric = self.numeric
        if numeric is None:
            numeric = [all(not isinstance(row[i], str) for row in self.rows) for i in range(len(self.columns))]
        lines = [
            [{**_cell(cell), "bold": (i, j) in self.bold, "again": j == 0 and self._again(i)} for j, cell in
             enumerate(row)] for i, row in enumerate(self.rows)
        ]  # fmt: skip
        return {"columns": self.columns, "rows": lines, "numeric": numeric, "emphasis": self.emphasis,
                "rules": self.rules}  # fmt: skip

    def _again(self, row: int) -> bool:
        """Whether a row repeats the name of its group."""
        return bool(self.rules) and row > 0 and row not in self.rules and self.rows[row][0] == self.rows[row - 1][0]


@dataclass(frozen=True)
class Bar:
    """One bar of `Bars`: a fraction from 0 to 1."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    emphasis: bool = False


@dataclass(frozen=True)
class Bars:
    """Horizontal bars on one scale from 0 to 1, with an optional mark (for example, chance)."""

    kind: ClassVar[str] = "bars"
    bars: Sequence[Bar]
    caption: str = ""
    mark: float | None = None
    mark_label: str = ""

    def drawn(self) -> dict[str, Any]:
        """The bars, as they are."""
        return {"bars": self.bars, "mark": self.mark, "mark_label": self.mark_label}


@dataclass(frozen=True)
class Curves:
    """Lines on common axes: losses, or scores against the number of examples (`log_x`, ticks at the points)."""

    kind: ClassVar[str] = "curves"
    series: Sequence[Series]
    x_label: str
    y_label: str
    caption: str = ""
    log_x: bool = False
    y_range: tuple[float, float] | None = None

    def drawn(self) -> dict[str, Any]:
        """Positions on the chart."""
        return charts.curves(self.series, self.x_label, self.y_label, self.log_x, self.y_range)


@dataclass(frozen=True)
class Confusion:
    """Counts by true (row) and predicted (column) class, as `metrics.confusion` gives them; [L, L] or [L, L + 1]."""

    kind: ClassVar[str] = "confusion"
    matrix: ArrayLike
    classes: Sequence[str]
    caption: str = ""
    other: str = "none of these"

    def drawn(self) -> dict[str, Any]:
        """Counts and shares of the row."""
        counts = np.asarray(self.matrix)
        rows, width = counts.shape
        if rows != len(self.classes) or width not in (rows, rows + 1):
            raise ValueError(f"a matrix {list(counts.shape)} does not belong to {len(self.classes)} classes")
        if width > rows and not counts[:, -1].any():
            counts = counts[:, :-1]
        totals = counts.sum(axis=1)
        lines = [
            {"name": name, "total": int(total), "cells": [{"count": int(c), "share": c / max(total, 1)} for c in line]}
            for name, total, line in zip(self.classes, totals, counts, strict=True)
        ]
        return {"columns": [*self.classes, self.other][: counts.shape[1]], "lines": lines}


@dataclass(frozen=True)
class EmbeddingMap:
    """Points [N, 2] coloured by label.

    Attributes:
        details: A text [N] for each point, shown under the pointer.
        classes: Labels in the order of their colours, so that several charts agree.
    """

    kind: ClassVar[str] = "embedding"
    points: ArrayLike
    labels: Sequence[str]
    details: Sequence[str] = ()
    classes: Sequence[str] = ()
    caption: str = ""

    def drawn(self) -> dict[str, Any]:
        """Positions on the chart."""
        return charts.scatter(self.points, self.labels, self.details, self.classes)


@dataclass(frozen=True)
class Timeline:
    """Recognised activities as coloured bars over the signal.

    Attributes:
        lines: The signal as `thin` gives it, or nothing; the axes of one sensor share a panel.
        ends: First and last second of what is shown.
        segments: In seconds.
        truth: The true activities, or None where they are not known.
        classes: Labels in the order of their colours, so that several charts agree.
    """

    kind: ClassVar[str] = "timeline"
    lines: Sequence[Thinned]
    ends: tuple[float, float]
    segments: Sequence[Span]
    truth: Sequence[Span] | None = None
    caption: str = ""
    classes: Sequence[str] = ()

    def drawn(self) -> dict[str, Any]:
        """Positions on the chart."""
        return charts.timeline(self.lines, self.ends, self.segments, self.truth, self.classes)


@dataclass(frozen=True)
class Group:
    """Contents under a title that opens them: detail that not every reader wants."""

    kind: ClassVar[str] = "group"
    title: str
    contents: Sequence[Content]
    note: str = ""
    open: bool = False
    caption: str = ""

    def drawn(self) -> dict[str, Any]:
        """The contents, ready for the template."""
        return {"title": self.title, "note": self.note, "open": self.open, "contents": _drawn(self.contents)}


@dataclass(frozen=True)
class Highlight:
    """A number that a reader should see first, ready as text, with what it is."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A heading, what it is about in plain words (an empty line starts a new paragraph), and what it shows."""

    heading: str
    text: str
    contents: Sequence[Content] = ()


@dataclass(frozen=True)
class Report:
    """A page."""

    title: str
    summary: str
    sections: Sequence[Section]
    highlights: Sequence[Highlight] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)


def render(report: Report) -> str:
    """The page as HTML.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    sections = [
        {"heading": s.heading, "paragraphs": [p.strip() for p in s.text.split("\n\n") if p.strip()],
         "contents": _drawn(s.contents)}
        for s in report.sections
    ]  # fmt: skip
    return template("report.html.j2").render(report=report, sections=sections, provenance=report.provenance)


def write(report: Report, path: Path) -> None:
    """Renders `report` to `path`, which is replaced in one step."""
    write_page(render(report), path)


def _drawn(contents: Sequence[Content]) -> list[dict[str, Any]]:
    return [{"kind": content.kind, "caption": content.caption, **content.drawn()} for content in contents]


def _cell(value: str | int | float | Score | None) -> dict[str, Any]:
    if isinstance(value, Score):
        interval = "" if value.low is None or value.high is None else f"{value.low:.3f} – {value.high:.3f}"
        return {"text": f"{value.value:.3f}", "interval": interval, "bar": min(max(value.value, 0.0), 1.0)}
    if value is None:
        text = ""
    elif isinstance(value, float | np.floating):
        text = f"{value:.3f}"
    elif isinstance(value, int | np.integer):
        text = f"{value:,}".replace(",", "\u2009")
    else:
        text = value
    return {"text": text, "interval": "", "bar": None}
