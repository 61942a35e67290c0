"""Figures of explanations: maps over the signal, attention through the layers, and what tests of them gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otolith.evaluate.figures import grid, sheet, style
from otolith.evaluate.signals import Trace, written
from otolith.palette import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def signal_map(
    time: ArrayLike, signal: ArrayLike, importance: ArrayLike, traces: Sequence[Trace], title: str, *, signed: bool
) -> Figure:
    """One strip for each channel: its signal, and behind it in colour what each moment means for the answer.

    Args:
        time: Seconds [T], ascending.
        signal: [T, C].
        importance: [T, C]; only the proportions are shown.
        traces: Name and unit of each channel.
        title: What was explained.
        signed: Whether a value may speak against the answer; else all values are 0 or more.
    """
    seconds, values = np.asarray(time, dtype=np.float64), np.asarray(signal)
    weight = np.asarray(importance, dtype=np.float64)
    # A single extreme moment would leave all others pale.
    most = float(np.quantile(np.abs(weight), 0.995)) or float(np.abs(weight).max()) or 1.0
    scale: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1} if signed else {
        "cmap": "Oranges", "vmin": 0, "vmax": 1.15}  # fmt: skip
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 0.9 + 0.62 * len(traces)), layout="constrained")
        strips = figure.subplots(len(traces), 1, sharex=True, squeeze=False)[:, 0]
        edges = _edges(seconds)
        for axes, trace, line, colour in zip(strips, traces, values.T, weight.T, strict=True):
            low, high = float(line.min()), float(line.max())
            room = 0.12 * max(high - low, 1e-6)
            heat = axes.pcolormesh(
                edges, [low - room, high + room], np.clip(colour / most, -1, 1)[None], rasterized=True, **scale
            )
            axes.plot(seconds, line, color="black", linewidth=0.9)
            axes.set(ylim=(low - room, high + room), xlim=(edges[0], edges[-1]))
            axes.set_ylabel(_short(trace), rotation=0, ha="right", va="center")
            axes.tick_params(labelsize=7)
        strips[0].set_title(title)
        strips[-1].set_xlabel("time (s)")
        bar = figure.colorbar(heat, ax=list(strips), fraction=0.03, pad=0.015)
        bar.ax.set_ylim(-1 if signed else 0, 1)
        bar.set_ticks([-1, 0, 1] if signed else [0, 1], labels=["against", "0", "for"] if signed else ["0", "most"])
        return figure


def rollout_matrices(matrices: ArrayLike, names: Sequence[str], tokens: Sequence[str]) -> Figure:
    """A panel for each layer: which input tokens (columns) have reached which tokens (rows); the diagonal is cut off.

    Args:
        matrices: [L, N, N], rows sum to 1.
        names: [L].
        tokens: [N]; named on the axes where they are few.
    """
    values = np.asarray(matrices, dtype=np.float64)
    count = values.shape[-1]
    # What a token keeps of itself is far above all it takes from others, and not what one looks for.
    most = float(values[:, ~np.eye(count, dtype=bool)].max(initial=1e-6))
    with style():
        from matplotlib.figure import Figure

        wide = min(len(values), 4)
        high = -(-len(values) // wide)
        figure = Figure(figsize=(0.9 + 2.6 * wide, 0.5 + 2.6 * high), layout="constrained")
        panels = figure.subplots(high, wide, squeeze=False)
        for axes, matrix, name in zip(panels.flat, values, names, strict=False):
            shown = axes.imshow(matrix, cmap="viridis", vmin=0, vmax=most)
            axes.set_title(name)
            axes.set_xticks(range(count), tokens, rotation=90, fontsize=6 if count > 12 else 7)
            axes.set_yticks(range(count), tokens, fontsize=6 if count > 12 else 7)
            if count > 40:
                axes.set(xticks=[], yticks=[])
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
        for axes in panels.flat[len(values) :]:
            axes.set_visible(False)
        figure.supxlabel("input token", fontsize=8)
        figure.supylabel("token after the layer", fontsize=8)
        figure.colorbar(shown, ax=panels, fraction=0.03, pad=0.02, label="share", extend="max")
        return figure


def removal_curves(shares: ArrayLike, curves: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """Deletion and insertion side by side.

    Args:
        shares: [J] share of the blocks that are changed.
        curves: For each method, belief in the answer as blocks are deleted and as they are inserted, [N, J] each; the
            band holds the middle half of the segments.
    """
    x = np.asarray(shares)
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.8, 3.2), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for number, (name, pair) in enumerate(curves.items()):
            colour = "#777777" if name.startswith("random") else PALETTE[number % len(PALETTE)]
            line = "--" if name.startswith("random") else "-"
            for axes, values in zip(panels, map(np.asarray, pair), strict=True):
                low, high = np.quantile(values, [0.25, 0.75], axis=0)
                axes.plot(x, values.mean(0), color=colour, linestyle=line, label=name if axes is panels[0] else None)
                axes.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)
        for axes, heading in zip(panels, ("deletion (lower is better)", "insertion (higher is better)"), strict=True):
            axes.set_title(heading)
            axes.set(xlabel="share of the blocks", xlim=(0, 1), ylim=(0, 1.02))
            grid(axes)
        panels[0].set_ylabel("belief in the answer")
        figure.legend(loc="outside upper left", ncols=4)
        return figure


def randomisation_steps(parts: Mapping[str, Mapping[str, float]]) -> Figure:
    """Correlation of a map with that of the trained model, as ever more weights become random.

    Args:
        parts: For each method, the correlation by the part that was randomised last, the answer's head first.
    """
    names = list(next(iter(parts.values()), {}))
    with style():
        figure, axes = sheet(5.6, 3.2)
        for number, (method, mine) in enumerate(parts.items()):
            values = [1.0, *mine.values()]
            axes.plot(range(len(values)), values, marker="osD^"[number % 4], markersize=4, label=method)
        axes.axhline(0, color="black", linewidth=0.6)
        axes.set_xticks(range(len(names) + 1), ["as trained", *names])
        axes.set(ylabel="rank correlation", ylim=(min(-0.3, axes.get_ylim()[0]), 1.05), xlabel="randomised down to")
        grid(axes)
        figure.legend(loc="outside upper left", ncols=4)
        return figure


def _short(trace: Trace) -> str:
    """Sensor and axis of a channel, its unit below."""
    words = trace.name.split("_")
    return f"{' '.join(words[-2:])}\n({written(trace.unit)})"


def _edges(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Borders [T + 1] of cells about places [T]."""
    if len(places) < 2:
        return np.array([places[0] - 0.5, places[0] + 0.5])
    middle = (places[1:] + places[:-1]) / 2
    return np.concatenate([[2 * places[0] - middle[0]], middle, [2 * places[-1] - middle[-1]]])
