"""Figures for papers and run folders: arrays in, a matplotlib figure out. No window system is touched."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otolith.evaluate.signals import Span, Trace, envelope, line_name, panels
from otolith.files import atomic_file
from otolith.palette import PALETTE, colours, ink, places
from otolith.types import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "savefig.dpi": 150,
    "grid.color": "#cccccc",
    "grid.linewidth": 0.4,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    # A label is text of the user's: a dollar sign in it is a dollar sign.
    "text.parse_math": False,
}


def loss_curves(
    history: Mapping[str, tuple[ArrayLike, ArrayLike]], x_label: str = "step", y_label: str = "loss"
) -> Figure:
    """One line for each name in `history` (steps [N], values [N])."""
    with style():
        figure, axes = sheet(6.4, 3.6)
        for name, (steps, values) in history.items():
            steps, values = np.asarray(steps), np.asarray(values)
            axes.plot(steps, values, label=name, marker="o" if len(steps) < 12 else None, markersize=3)
        axes.set(xlabel=x_label, ylabel=y_label)
        grid(axes)
        names_above(figure, list(history))
        return figure


def kshot_curves(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    intervals: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    y_label: str = "macro-F1",
    models: Sequence[str] = (),
) -> Figure:
    """Score against the number of examples a class.

    Args:
        curves: For each method, k [N] and score [N] (0 to 1).
        intervals: For some methods, lower [N] and upper [N] ends, drawn as a band.
        y_label: Name of the score.
        models: Methods in the order of their colours, so that several figures agree.
    """
    with style():
        figure, axes = sheet(5.2, 3.8)
        seen, crowded = looks(list(curves), models), len(curves) > 4  # more bands than that hide one another
        for number, (name, (shots, values)) in enumerate(curves.items()):
            x = np.asarray(shots, dtype=np.float64) * (1 + 0.025 * (number - len(curves) / 2) if crowded else 1)
            colour, mark = seen[name]
            axes.plot(x, np.asarray(values), marker=mark, markersize=4, color=colour, label=name)
            if intervals and name in intervals:
                low, high = (np.asarray(end) for end in intervals[name])
                if crowded:
                    axes.vlines(x, low, high, color=colour, linewidth=0.8)
                else:
                    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        ticks = sorted({float(k) for shots, _ in curves.values() for k in np.atleast_1d(np.asarray(shots))})
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [f"{k:g}" for k in ticks])
        axes.set_xticks([], minor=True)
        axes.set(xlabel="examples for each activity", ylabel=y_label, ylim=(0, 1.03))
        grid(axes)
        names_above(figure, list(curves))
        return figure


def confusion_matrix(matrix: ArrayLike, classes: Sequence[str], other: str = "none of these") -> Figure:
    """Heat map of counts, shaded by share of the true class.

    Args:
        matrix: [L, L], or [L, L + 1] as `metrics.confusion` gives it; an empty last column is left out.
        classes: Names of the rows.
        other: Heading of the last column.
    """
    counts, columns = trimmed(np.asarray(matrix), classes, other)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    many = len(columns) > 12  # so that the figure still fits on a page
    wide, high = (0.19, 0.18) if many else (0.55, 0.45)
    longest = max(len(f"{count}") for count in counts.flat)
    names = (0.055 if many else 0.065) * max(map(len, [*classes, *columns]))  # room for the longest name, in inches
    size = (0.7 + names + wide * len(columns), 0.8 + names * (1 if many else 0.6) + high * len(classes))
    with style():
        figure, axes = sheet(max(size[0], 4.4), size[1])
        shown = axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), count in np.ndenumerate(counts):
            if count:
                axes.text(column, row, f"{count}", ha="center", va="center", color=_ink_on(shown, share[row, column]),
                          fontsize=min(7 if many else 8, wide * 100 / longest))  # fmt: skip
        turn = {"rotation": 90} if many else {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(len(columns)), columns, fontsize=7 if many else 8, **turn)
        axes.set_yticks(range(len(classes)), classes, fontsize=7 if many else 8)
        axes.set(xlabel="predicted", ylabel="true")
        figure.supxlabel("numbers: windows; shade: share of the true activity", fontsize=8)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        return figure


def embedding_map(
    points: ArrayLike, labels: Sequence[str], classes: Sequence[str] = (), axis: str = "component"
) -> Figure:
    """Scatter of `points` [N, 2], one colour and mark for each label.

    Args:
        points: [N, 2].
        labels: [N].
        classes: Labels in the order of their colours, so that several figures agree.
        axis: What the axes are called, before their number.
    """
    points = np.asarray(points)
    with style():
        figure, axes = sheet(6.4, 4.4)
        names = np.asarray(labels)
        for label, (colour, mark) in looks(labels, classes).items():
            mine = points[names == label]
            axes.scatter(mine[:, 0], mine[:, 1], s=12, c=colour, marker=mark, label=label, alpha=0.75, linewidths=0)
        # Distances are what the map is about, so both axes have one scale.
        axes.set_aspect("equal", adjustable="box")
        axes.set(xlabel=f"{axis} 1", ylabel=f"{axis} 2")
        figure.legend(loc="outside right upper", markerscale=1.6)
        return figure


def bars(
    values: Mapping[str, float], intervals: Mapping[str, tuple[float, float]] | None = None, x_label: str = "macro-F1"
) -> Figure:
    """Horizontal bars from 0 to 1, the first on top, with whiskers where an interval is given."""
    with style():
        figure, axes = sheet(6.4, 0.9 + 0.3 * len(values))
        names = list(values)
        axes.barh(range(len(names)), list(values.values()), color=PALETTE[0], height=0.62)
        for place, name in enumerate(names):
            low, high = (intervals or {}).get(name, (values[name], values[name]))
            if high > low:
                axes.plot([low, high], [place, place], color="black", linewidth=1.2)
            axes.annotate(f"{values[name]:.3f}", (max(high, values[name]), place), (4, 0), textcoords="offset points",
                          va="center", fontsize=8)  # fmt: skip
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set(xlabel=x_label, xlim=(0, 1.08))
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.tick_params(axis="y", length=0)
        return figure


def timeline(
    time: ArrayLike,
    signal: ArrayLike,
    traces: Sequence[tuple[str, str]],
    segments: Sequence[tuple[float, float, str, float] | Span],
    truth: Sequence[tuple[float, float, str] | Span] | None = None,
    classes: Sequence[str] = (),
) -> Figure:
    """The recognised activities as coloured bars, over the signal they come from.

    Args:
        time: Seconds [T].
        signal: [T, C].
        traces: Name and unit of each column; the axes of one sensor share a panel.
        segments: Start and end in seconds, label, confidence (0 to 1; a pale bar is unsure).
        truth: The true activities, drawn above.
        classes: Labels in the order of their colours, so that several figures agree.
    """
    seconds, values = np.asarray(time, dtype=np.float64), np.asarray(signal)
    named = [Trace(*trace) for trace in traces]
    rows = {"true": [Span(*s) for s in truth]} if truth is not None else {}
    rows["recognised"] = [Span(*s) for s in segments]
    shades = colours([span.label for spans in rows.values() for span in spans], classes)
    groups = panels(named)
    with style():
        from matplotlib.figure import Figure

        heights = [0.34 * len(rows), *[1.15] * len(groups)]
        figure = Figure(figsize=(9.6, 0.9 + sum(heights) + 0.18 * len(heights)), layout="constrained")
        all_axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        _label_rows(all_axes[0], rows, shades, seconds)
        for axes, (heading, columns) in zip(all_axes[1:], groups.items(), strict=True):
            _panel(axes, heading, columns, named, seconds, values)
        all_axes[-1].set_xlabel("time (s)")
        handles = [_patch(colour, label) for label, colour in shades.items()]
        if handles:
            figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5))
        return figure


def save(figure: Figure, path: Path, data: Mapping[str, Any] | None = None, pdf: bool = False) -> None:
    """Writes `path` (PNG), on request the PDF, and the plotted data beside it.

    Args:
        figure: The figure.
        path: The PNG file; the others take its name with another ending.
        data: Columns of one length become CSV, anything else JSON.
        pdf: Whether to write the PDF as well.
    """
    with style():
        for target in [path.with_suffix(".png"), *([path.with_suffix(".pdf")] if pdf else [])]:
            with atomic_file(target) as temporary:
                figure.savefig(temporary, format=target.suffix[1:])
    if data is not None:
        _save_data(path, {name: np.asarray(values).tolist() for name, values in data.items()})


def trimmed(matrix: NDArray[Any], classes: Sequence[str], other: str) -> tuple[NDArray[Any], list[str]]:
    """A confusion matrix and the names of its columns, without an empty column of other predictions."""
    rows, columns = matrix.shape
    if rows != len(classes) or columns not in (rows, rows + 1):
        raise ValueError(f"a matrix {list(matrix.shape)} does not belong to {len(classes)} classes")
    if columns > rows and not matrix[:, -1].any():
        matrix = matrix[:, :-1]
    return matrix, [*classes, other][: matrix.shape[1]]


def style() -> AbstractContextManager[None]:
    """What all figures look like, while they are drawn and while they are saved.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from cycler import cycler
    except ImportError as error:
        raise MissingExtraError("matplotlib", "eval", "drawing figures") from error
    values: dict[Any, Any] = {**_STYLE, "axes.prop_cycle": cycler(color=PALETTE)}
    return mpl.rc_context(values)


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure of this size in inches, with one pair of axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def names_above(figure: Figure, names: Sequence[str]) -> None:
    """A legend over all axes, in as many columns as the names leave room for."""
    if names:
        room = figure.get_figwidth() * 72 / (30 + 5 * max(map(len, names)))  # an entry, in points of letters of size 8
        figure.legend(loc="outside upper left", ncols=max(1, min(len(names), 4, int(room))))


_MARKS = "osD^vPX*"


def looks(names: Sequence[str], classes: Sequence[str] = ()) -> dict[str, tuple[str, str]]:
    """Colour and mark of each name, together unlike all others, also where the colours begin again.

    Args:
        names: What is to be drawn.
        classes: Names whose looks come first, so that several figures agree (`palette.colours`).
    """
    return {
        name: (PALETTE[place % len(PALETTE)], _MARKS[(place + place // len(PALETTE)) % len(_MARKS)])
        for name, place in places(names, classes).items()
    }


def grid(axes: Axes, axis: Literal["x", "y", "both"] = "y") -> None:
    """Faint lines across an axis, behind all else."""
    axes.grid(axis=axis)
    axes.set_axisbelow(True)


def _save_data(path: Path, columns: dict[str, Any]) -> None:
    flat = all(isinstance(v, list) and not any(isinstance(x, list) for x in v) for v in columns.values())
    table = flat and len({len(v) for v in columns.values()}) == 1
    with atomic_file(path.with_suffix(".csv" if table else ".json")) as temporary:
        if table:
            with temporary.open("w", newline="", encoding="utf-8") as handle:
                writer = csv.writer(handle)
                writer.writerow(columns)
                writer.writerows(zip(*columns.values(), strict=True))
        else:
            temporary.write_text(json.dumps(columns, ensure_ascii=False), encoding="utf-8")


def _ink_on(shown: AxesImage, value: float) -> str:
    """What reads best on a value's colour in an image."""
    red, green, blue = (255 * shown.to_rgba(np.array([value]))[0, :3]).round().astype(int)
    return ink(f"#{red:02x}{green:02x}{blue:02x}")


def _patch(colour: str, label: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour, label=label)


def _label_rows(
    axes: Axes, rows: Mapping[str, Sequence[Span]], shades: Mapping[str, str], seconds: NDArray[np.float64]
) -> None:
    from matplotlib.textpath import TextPath

    first, last = (float(seconds[0]), float(seconds[-1])) if len(seconds) else (0.0, 1.0)
    # The axes take all of the figure's width but the row names and margins.
    points = (axes.get_figure(root=True).get_figwidth() - 1.4) * 72  # type: ignore[union-attr]
    for height, spans in enumerate(reversed(list(rows.values()))):
        for start, end, label, confidence in spans:
            colour, alpha = shades[label], 0.3 + 0.7 * min(max(confidence, 0.0), 1.0)
            axes.barh(height, end - start, left=start, height=0.82, color=(colour, alpha),
                      edgecolor="white", linewidth=0.8)  # fmt: skip
            room = (end - start) / max(last - first, 1e-9) * points - 6
            if label and TextPath((0, 0), label, size=7.5).get_extents().width < room:
                paper = ink(colour) if alpha > 0.6 else "#000000"
                axes.text((start + end) / 2, height, label, ha="center", va="center", fontsize=7.5, color=paper,
                          clip_on=True)  # fmt: skip
    axes.set_yticks(range(len(rows)), list(rows)[::-1])
    axes.set(xlim=(first, last), ylim=(-0.5, len(rows) - 0.5))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelbottom=False)


def _panel(
    axes: Axes,
    heading: str,
    columns: Sequence[int],
    traces: Sequence[Trace],
    seconds: NDArray[np.float64],
    values: NDArray[Any],
) -> None:
    for place, column in enumerate(columns):
        positions, kept = envelope(values[:, column], 1500)
        times = seconds[positions.astype(int)]
        axes.plot(times, kept, color=PALETTE[(0, 1, 2)[place % 3]], linewidth=0.7, label=line_name(traces[column]))
    axes.set_title(heading)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1)
    grid(axes)
