"""Curves of a run as PNG, with the plotted numbers beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from otolith.files import atomic_file
from otolith.palette import colours

Curve = tuple[list[int], list[float]]


def curves(history: Sequence[Mapping[str, Any]]) -> dict[str, Curve]:
    """Steps and values of each metric, named `train/loss`, `val/macro_f1`, ..."""
    found: dict[str, Curve] = {}
    for row in history:
        for name, value in row.items():
            if name not in ("step", "kind"):
                steps, values = found.setdefault(f"{row['kind']}/{name}", ([], []))
                steps.append(row["step"])
                values.append(value)
    return found


def plot_run(history: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Writes `metrics.json` and, where matplotlib is installed, the PNG curves of a run: of two steps and more."""
    found = curves(history)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / "metrics.json") as temporary:
        temporary.write_text(json.dumps({k: {"step": s, "value": v} for k, (s, v) in found.items()}), encoding="utf-8")
    found = {name: curve for name, curve in found.items() if len(curve[0]) > 1}  # one point is no curve
    if find_spec("matplotlib") is None or not found:
        return
    for name, panels in _figures(found).items():
        shown = [({k: found[k] for k in keys}, label) for keys, label in panels if keys]
        if shown:
            _draw(shown, folder / f"{name}.png")


def _figures(found: Mapping[str, Curve]) -> dict[str, list[tuple[list[str], str]]]:
    """The curves of each panel of each figure, and what its axis is called."""
    plain = [k for k in found if k.startswith("train/") and k.count("/") == 1]
    others = ("train/loss", "train/learning_rate", "train/temperature")
    by_dataset = [k for k in found if k.startswith("train/") and k.count("/") == 2]
    score = "macro-F1, held-out subjects"
    figures = {
        "overall_loss": [([k for k in plain if k == "train/loss"], "loss")],
        "loss_components": [([k for k in plain if k not in others], "loss")],
        "per_dataset_losses": [(by_dataset, "loss")],
        "learning_rate": [([k for k in plain if k == "train/learning_rate"], "learning rate")],
        "temperature": [([k for k in plain if k == "train/temperature"], "temperature")],
        "held_out_macro_f1": [([k for k in found if k == "val/macro_f1"], score)],
    }
    for name in sorted({k.rsplit("/", 1)[1] for k in found if k.count("/") == 2}):
        mine = [k for k in found if k.endswith(f"/{name}")]
        losses, scores = ([k for k in mine if k.startswith(kind)] for kind in ("train/", "val/"))
        figures[f"dataset_{name}_detail"] = [(losses, "loss"), (scores, score)]
    return figures


def smooth(values: Sequence[float], share: float = 0.02) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Running mean over a share of the curve, without a lag at the ends."""
    array = np.asarray(values, dtype=np.float64)
    width = max(1, round(share * len(array)))
    kernel = np.ones(width)
    return np.convolve(array, kernel, "same") / np.convolve(np.ones(len(array)), kernel, "same")


def _draw(panels: Sequence[tuple[Mapping[str, Curve], str]], path: Path) -> None:
    """One panel above the other, on a common axis of steps."""
    from matplotlib.figure import Figure

    height = 1 + 3 * len(panels)
    figure = Figure(figsize=(7, height))
    figure.subplots_adjust(left=0.13, right=0.98, bottom=0.6 / height, top=1 - 0.1 / height, hspace=0.06)
    for axes, (found, label) in zip(
        figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0], panels, strict=True
    ):
        shades = colours(list(found))
        for name, (steps, values) in found.items():
            colour = shades[name]
            if len(values) > 100:
                axes.plot(steps, values, color=colour, alpha=0.2, linewidth=0.8)
            marker = "o" if len(values) < 30 else None
            axes.plot(steps, smooth(values), color=colour, linewidth=1.6, label=name, marker=marker)
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    axes.set_xlabel("optimiser step")
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
