"""The curves of training runs, from what the runs wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from otolith.evaluate import figures
from otolith.evaluate.study_figures import Gallery
from otolith.train.plots import Curve, curves, smooth
from otolith.types import DataError

Runs = Mapping[str, Mapping[str, Curve]]
"""For each run its curves, steps and values by name: `train/loss`, `val/macro_f1`."""

SHOWN = {"train/loss": "loss in training (running mean)", "val/macro_f1": "macro-F1 of people held out"}
"""The curves that are drawn, and the names of their axes."""

_MOST_LINES = 8


def read_runs(folder: Path) -> dict[str, dict[str, Curve]]:
    """The curves of every run below a folder, by the run's place in it.

    Raises:
        DataError: The folder is not there or holds no run, or the metrics of one are damaged.
    """
    files = sorted(folder.rglob("metrics.jsonl")) if folder.is_dir() else []
    if not files:
        raise DataError(f"{folder} holds no training run: give a folder with a metrics.jsonl in it or below it")
    return {_name(file, folder): _told(curves(_history(file))) for file in files}


def charts_of(runs: Runs) -> dict[str, dict[str, Mapping[str, Curve]]]:
    """The runs of each chart by a short name: those in one folder, in several charts where they are many.

    Folders that all places have in common are left out of the names, and so are the hashes of configurations where the
    names are distinct without.
    """
    folders: dict[str, dict[str, Mapping[str, Curve]]] = {}
    for short, found in zip(_short(list(runs)), runs.values(), strict=True):
        folder, name = short.split("/", 1) if "/" in short else ("runs", short)
        folders.setdefault(folder, {})[name] = found
    charts = {}
    for folder, mine in folders.items():
        names = list(mine)
        for number, first in enumerate(range(0, len(names), _MOST_LINES), start=1):
            some = {name: mine[name] for name in names[first : first + _MOST_LINES]}
            charts[folder if number == 1 else f"{folder}, {number}"] = some
    return charts


def draw_runs(runs: Runs, gallery: Gallery) -> None:
    """Figures of the shown curves, a line a run."""
    for folder, some in charts_of(runs).items():
        for kind, y_label in SHOWN.items():
            lines = {name: smoothed(kind, found[kind]) for name, found in some.items() if kind in found}
            if lines:
                figure = figures.loss_curves(lines, "optimiser step", y_label)
                data = {"run": [n for n, (steps, _) in lines.items() for _ in steps],
                        "step": [s for steps, _ in lines.values() for s in steps],
                        "value": [v for _, values in lines.values() for v in values]}  # fmt: skip
                gallery.add(f"training-{kind.rpartition('/')[2]}-{folder}", figure, data)


def _short(places: Sequence[str]) -> list[str]:
    """Places without the folders that all have in common, and without hashes where they are distinct so."""
    parts = [place.split("/") for place in places]
    common = set.intersection(*(set(one[:-1]) for one in parts)) if parts else set()
    names = ["/".join([*(part for part in one[:-1] if part not in common), one[-1]]) for one in parts]
    plain = [re.sub(r"-[0-9a-f]{8}$", "", name) for name in names]
    return plain if len(set(plain)) == len(plain) else names


def smoothed(kind: str, curve: Curve) -> Curve:
    """Training losses as their running mean over 2 %, at most about 400 points; scores as they are."""
    steps, values = curve
    if not kind.startswith("train/"):
        return curve
    every = max(1, len(steps) // 400)
    return steps[::every], smooth(values)[::every].tolist()


def _told(found: dict[str, Curve]) -> dict[str, Curve]:
    """The curves without that of people held out where there were none: such a run writes zeros."""
    return {name: curve for name, curve in found.items() if name != "val/macro_f1" or any(curve[1])}


def _name(file: Path, folder: Path) -> str:
    place = file.parent.relative_to(folder).as_posix()
    return file.parent.absolute().name if place == "." else place


def _history(file: Path) -> list[dict[str, Any]]:
    """The lines of the metrics; a last one that a killed run left unfinished does not count."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            rows.append({"step": int(row["step"]), "kind": str(row["kind"]),
                         **{k: float(v) for k, v in row.items() if k not in ("step", "kind")}})  # fmt: skip
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if number < len(lines):
                raise DataError(f"{file}, line {number} is damaged: remove that line or leave the run out") from error
    return rows
