"""Where things lie on the charts of a report: arrays in, positions and texts for the template out."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otolith.evaluate.signals import Span, Thinned, line_name, nice_ticks, panels, written
from otolith.palette import PALETTE, colours, ink

WIDTH = 860
_MOST_BANDS = 4
_LEFT, _RIGHT = 84, WIDTH - 8  # of a timeline, in px
_LETTER = 6.2  # usual width of an 11 px letter, in px


@dataclass(frozen=True)
class Scale:
    """A straight (or logarithmic) way from data to pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        part = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + part * (self.end - self.start), 1)

    def ticks(self, count: int = 5) -> list[tuple[float, str]]:
        """Pixel and text of round numbers along the way."""
        return [(self(v), f"{v:.10g}") for v in nice_ticks(self.low, self.high, count)]


def path(xs: Sequence[float], ys: Sequence[float]) -> str:
    """SVG path through the points, lifted where a value is NaN."""
    parts, drawing = [], False
    for x, y in zip(xs, ys, strict=True):
        if math.isnan(y):
            drawing = False
            continue
        parts.append(f"{'L' if drawing else 'M'}{x:g} {y:g}")
        drawing = True
    return "".join(parts)


@dataclass(frozen=True)
class Series:
    """One line: values `y` [N] at `x` [N], with an optional band from `low` to `high`."""

    name: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None


def curves(
    series: Sequence[Series], x_label: str, y_label: str, log_x: bool, y_range: tuple[float, float] | None
) -> dict[str, Any]:
    """Lines with axes; marks on the points where they are few."""
    xs = [np.atleast_1d(np.asarray(s.x, dtype=float)) for s in series]
    ys = [np.atleast_1d(np.asarray(s.y, dtype=float)) for s in series]
    every = np.concatenate([*xs, np.empty(0)])
    x_ends = (float(every.min()), float(every.max())) if every.size else (0.0, 1.0)
    values = np.concatenate([v[np.isfinite(v)] for v in ys] + [np.empty(0)])
    span = y_range or ((float(values.min()), float(values.max())) if values.size else (0.0, 1.0))
    margin = 0 if y_range else 0.05 * (span[1] - span[0])
    x = Scale(*x_ends, 56, WIDTH - 16, log_x)
    y = Scale(span[0] - margin, span[1] + margin, 260, 12)
    shades = colours([s.name for s in series])
    lines = []
    for s, sx, sy in zip(series, xs, ys, strict=True):
        px, py = [x(v) for v in sx], [y(v) if math.isfinite(v) else math.nan for v in sy]
        marks = [(a, b, f"{s.name}: {w:.4g} at {x_label} {v:g}") for a, b, v, w in zip(px, py, sx, sy, strict=True)]
        lines.append({"name": s.name, "colour": shades[s.name], "path": path(px, py),
                      **_spread(s, px, y, crowded=len(series) > _MOST_BANDS),
                      "marks": marks if len(marks) <= 80 else [], "dots": len(marks) <= 16})  # fmt: skip
    x_ticks = [(x(v), f"{v:g}") for v in sorted(set(every.tolist()))] if log_x else x.ticks(7)
    return {"width": WIDTH, "height": 300, "x": x, "y": y, "x_ticks": x_ticks, "y_ticks": y.ticks(7),
            "x_label": x_label, "y_label": y_label, "lines": lines, "legend": shades}  # fmt: skip


def _spread(series: Series, px: Sequence[float], y: Scale, crowded: bool) -> dict[str, str]:
    """A band from low to high, or a stroke at each point where bands would hide one another."""
    if series.low is None or series.high is None:
        return {"band": "", "whiskers": ""}
    low = [y(v) for v in np.atleast_1d(np.asarray(series.low, dtype=float))]
    high = [y(v) for v in np.atleast_1d(np.asarray(series.high, dtype=float))]
    if crowded:
        strokes = [f"M{x:g} {a:g}V{b:g}" for x, a, b in zip(px, low, high, strict=True)]
        return {"band": "", "whiskers": "".join(strokes)}
    return {"band": path([*px, *reversed(px)], [*low, *reversed(high)]) + "Z", "whiskers": ""}


def scatter(
    points: ArrayLike, labels: Sequence[str], details: Sequence[str], classes: Sequence[str], most: int = 1500
) -> dict[str, Any]:
    """Points of an embedding map on one scale for both axes; at most `most` of them, evenly thinned."""
    xy = np.asarray(points, dtype=float)
    if len(xy) != len(labels) or (len(details) and len(details) != len(labels)):
        raise ValueError(f"{len(xy)} points, {len(labels)} labels, {len(details)} details")
    keep = np.unique(np.linspace(0, len(xy) - 1, min(most, len(xy))).round().astype(int))
    width, height = WIDTH, 480
    middle = (xy.max(axis=0) + xy.min(axis=0)) / 2
    extent = np.maximum(np.ptp(xy, axis=0), 1e-9)
    factor = float(min((width - 32) / extent[0], (height - 32) / extent[1]))
    placed = (xy[keep] - middle) * factor * [1, -1] + [width / 2, height / 2]
    shades = colours(labels, classes)
    names = list(shades)
    dots = [
        {"x": round(float(a), 1), "y": round(float(b), 1), "of": names.index(labels[i]),
         "tip": f"{labels[i]}\n{details[i]}" if len(details) else labels[i]}
        for (a, b), i in zip(placed, keep, strict=True)
    ]  # fmt: skip
    return {"width": width, "height": height, "dots": dots, "legend": shades, "shown": len(keep), "total": len(xy)}


def timeline(
    lines: Sequence[Thinned],
    ends: tuple[float, float],
    segments: Sequence[Span],
    truth: Sequence[Span] | None,
    classes: Sequence[str],
) -> dict[str, Any]:
    """Coloured bars over panels of signal, and the values that the page shows under the pointer."""
    x = Scale(*ends, _LEFT, _RIGHT)
    spans = ([("true", truth)] if truth is not None else []) + [("recognised", segments)]
    shades = colours([span.label for _, row in spans for span in row], classes)
    rows = [_row(name, row, x, 4 + 30 * i, shades) for i, (name, row) in enumerate(spans)]
    top = 30 * len(rows) + 26
    drawn = []
    for heading, columns in panels([line.trace for line in lines]).items():
        drawn.append(_panel(heading, [lines[column] for column in columns], x, top))
        top += 128
    return {"width": WIDTH, "height": top + 10, "bottom": top - 24, "left": _LEFT, "right": _RIGHT,
            "x_ticks": x.ticks(9), "rows": rows, "panels": drawn, "legend": shades,
            "pointer": _pointer(lines, spans, x)}  # fmt: skip


def _row(name: str, spans: Sequence[Span], x: Scale, top: float, shades: dict[str, str]) -> dict[str, Any]:
    bars = []
    for span in spans:
        left, right = x(max(span.start, x.low)), x(min(span.end, x.high))
        if right <= left:
            continue
        sure = min(max(span.confidence, 0.0), 1.0)
        opacity = round(0.3 + 0.7 * sure, 2)
        text = span.label if _width(span.label) < right - left - 4 else ""
        colour = shades[span.label]
        bars.append({"x": left, "width": round(right - left, 1), "colour": colour, "opacity": opacity,
                     "text": text, "label": span.label,
                     "ink": ink(colour) if opacity > 0.75 else "currentColor"})  # fmt: skip
    return {"name": name, "top": top, "bars": bars}


def _width(text: str) -> float:
    """Estimated width in px; letters of East Asian scripts are nearly twice as wide."""
    return _LETTER * sum(1.8 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _panel(heading: str, lines: Sequence[Thinned], x: Scale, top: float) -> dict[str, Any]:
    finite = np.concatenate([line.values[np.isfinite(line.values)] for line in lines])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    y = Scale(low, high, top + 96, top) if high > low else Scale(low - 1, high + 1, top + 96, top)
    drawn = []
    for place, line in enumerate(lines):
        ys = [y(v) if math.isfinite(v) else math.nan for v in line.values.tolist()]
        drawn.append({"name": line_name(line.trace), "colour": PALETTE[place % 3],
                      "path": path([x(t) for t in line.times.tolist()], ys)})  # fmt: skip
    return {"heading": heading, "top": top, "lines": drawn, "y_ticks": y.ticks(4)}


def _pointer(lines: Sequence[Thinned], rows: Sequence[tuple[str, Sequence[Span]]], x: Scale) -> dict[str, Any]:
    """What lies at each place along the time axis, for the page's script."""
    count = max((len(line.times) for line in lines), default=0)
    columns = [
        {"name": line.trace.name, "unit": written(line.trace.unit),
         "values": [_short(v) for v in line.values[_nearest(line.times, np.linspace(x.low, x.high, count))]]}
        for line in lines
    ]  # fmt: skip
    spans = [
        {"name": name, "spans": [[round(s.start, 3), round(s.end, 3), s.label, round(s.confidence, 3)] for s in row]}
        for name, row in rows
    ]
    return {"start": x.low, "end": x.high, "left": x.start, "right": x.end, "columns": columns, "rows": spans}


def _nearest(times: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of each wanted time, the place of the nearest of the ascending times."""
    return np.searchsorted((times[1:] + times[:-1]) / 2, wanted)


def _short(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None
