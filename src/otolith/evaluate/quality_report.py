"""The quality of a dataset as a self-contained HTML page: findings in words, and the plots that bear them out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otolith.data.quality.findings import Concern
from otolith.data.quality.gaps import percent
from otolith.data.quality.inspection import Quality
from otolith.evaluate import charts
from otolith.evaluate.charts import Scale, Series
from otolith.evaluate.pages import template, write_page
from otolith.palette import PALETTE

_MOST_DOTS = 300
_MOST_PEOPLE = 60
_LABELS = 250  # px left of a strip
_ROW = 26


def write(quality: Quality, concerns: Sequence[Concern], path: Path) -> None:
    """Renders the page to `path`, which is replaced in one step.

    Args:
        quality: What was counted.
        concerns: What `quality.concerns()` said.
        path: The HTML file.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    write_page(render(quality, concerns), path)


def render(quality: Quality, concerns: Sequence[Concern]) -> str:
    """The page as HTML; arguments and errors as of `write`."""
    severe = [concern for concern in concerns if concern.severe]
    notes = [concern for concern in concerns if not concern.severe]
    info = quality.dataset.info
    return template("quality.html.j2").render(
        name=quality.dataset.name,
        title=info.get("title") or quality.dataset.name,
        tiles=_tiles(quality, len(severe), len(notes)),
        severe=severe,
        notes=notes,
        unjudged=quality.unjudged(),
        rest=_rest(quality),
        turning=_turning(quality),
        signs=_signs(quality),
        speeds=_speeds(quality),
        steps=_steps(quality),
        rates=_rates(quality),
        durations=_durations(quality),
        activities=_activities(quality),
        heat=_heat(quality),
        losses=_losses(quality),
        provenance={
            "dataset": quality.dataset.name,
            "content": f"sha256 {quality.dataset.sha256}",
            "licence": info.get("licence") or "not stated",
            "converted by": f"Otolith {info.get('otolith', '?')}",
        },
    )


def _tiles(quality: Quality, severe: int, notes: int) -> list[tuple[str, str]]:
    facts = quality.facts()
    rates = list(facts["rates"])
    return [
        (str(severe), "severe finding" if severe == 1 else "severe findings"),
        (str(notes), "note" if notes == 1 else "notes"),
        (f"{facts['recordings']:,}".replace(",", "\u2009"), "recordings"),
        (str(facts["subjects"]), "people"),
        (f"{facts['seconds'] / 3600:.1f} h", "of signal"),
        (f"{rates[0]} Hz" if len(rates) == 1 else str(len(rates)), "samples a second" if len(rates) == 1 else "rates"),
        (f"{1 - facts['unlabelled']:.0%}", "of the time is labelled"),
    ]


def strip(
    rows: Mapping[str, ArrayLike],
    span: tuple[float, float],
    label: str,
    band: tuple[float, float] | None = None,
    log: bool = False,
) -> dict[str, Any]:
    """Dots on a common axis, a row for each name, with a band of what is right.

    Args:
        rows: Values [N] by name; more than 300 are thinned evenly, the least and the greatest stay.
        span: Ends of the axis at least; it grows with the values.
        label: What the axis is.
        band: From where to where values are as they should be.
        log: Whether the axis is logarithmic; what is not positive lies at its low end.
    """
    values = {name: np.sort(np.asarray(v, dtype=np.float64)[np.isfinite(v)]) for name, v in rows.items()}
    every = np.concatenate([*values.values(), np.array(span)])
    every = every[every > 0] if log else every
    x = Scale(float(every.min()), float(every.max()), _LABELS, charts.WIDTH - 16, log)
    drawn = []
    for place, (name, points) in enumerate(values.items()):
        keep = points[np.unique(np.linspace(0, len(points) - 1, min(len(points), _MOST_DOTS)).round().astype(int))]
        middle = float(np.median(points))
        drawn.append(
            {
                "name": name,
                "y": 14 + _ROW * place,
                "dots": [x(max(float(value), x.low)) for value in keep],
                "colour": PALETTE[place % len(PALETTE)],
                "median": x(max(middle, x.low)),
                "text": f"{middle:.3g}",
            }
        )
    height = _ROW * len(drawn)
    return {
        "width": charts.WIDTH, "height": height + 44, "bottom": height + 6, "left": _LABELS, "rows": drawn,
        "label": label, "ticks": _log_ticks(x) if log else x.ticks(8),
        "band": (x(max(band[0], x.low)), x(band[1]) - x(max(band[0], x.low))) if band else None,
    }  # fmt: skip


def _log_ticks(x: Scale) -> list[tuple[float, str]]:
    powers = range(math.floor(math.log10(x.low)), math.ceil(math.log10(x.high)) + 1)
    wide = x.high / x.low > 300
    marks = [m * 10.0**p for p in powers for m in ((1,) if wide else (1, 2, 5))]
    return [(x(v), f"{v:g}") for v in marks if x.low * 0.999 <= v <= x.high * 1.001]


def _rest(quality: Quality) -> dict[str, Any] | None:
    rows = quality.units.rest()
    return strip(rows, (0.5, 40), "m/s² at the quietest of a recording", (9.3, 10.3), log=True) if rows else None


def _signs(quality: Quality) -> dict[str, Any] | None:
    rows = {placement: list(cosines.values()) for placement, cosines in quality.posture.known().items()}
    return strip(rows, (-1, 1), "cosine between gravity and the direction known of it", (0, 1)) if rows else None


def _speeds(quality: Quality) -> dict[str, Any] | None:
    rows = quality.units.speeds()
    label = "rad/s that a twentieth of a recording exceeds"
    return strip(rows, (0.05, 100), label, (0.0, 25), log=True) if rows else None


def _steps(quality: Quality) -> dict[str, Any] | None:
    rows = quality.cadence.steps()
    return strip(rows, (0, 6), "steps a second in time labelled as walking", (1.4, 2.5)) if rows else None


def _durations(quality: Quality) -> dict[str, Any]:
    return strip({"recordings": quality.balance.durations}, (1, 10), "seconds", log=True)


def _turning(quality: Quality) -> dict[str, Any] | None:
    series, windows = [], 0
    for body in quality.gyroscope.bodies:
        scales, misfit, count = quality.gyroscope.curve(body)
        if count:
            # Far from 1 gravity strays without end: what matters lies low, between a half and a double.
            near = misfit[(scales >= 0.5) & (scales <= 2)].max()
            shown = np.where(misfit <= 1.5 * near, misfit, np.nan)
            windows += count
            series.append(Series(body, [float(f"{s:.2g}") for s in scales], shown))
    if not series:
        return None
    top = max(float(np.nanmax(np.asarray(line.y))) for line in series)
    drawn = charts.curves(
        series, "what the rate of turn is multiplied by", "how far gravity strays, as a share of g", True, (0.0, top)
    )
    return {**drawn, "windows": windows}


def _rates(quality: Quality) -> list[dict[str, Any]]:
    counts = sorted(quality.rates.counts.items())
    most = max(count for _, count in counts)
    return [
        {"name": f"{rate:g} Hz", "text": f"{count} recording{'s' if count != 1 else ''}", "share": count / most}
        for rate, count in counts
    ]


def _activities(quality: Quality) -> list[dict[str, Any]]:
    seconds = quality.balance.activities()
    people, names, table = quality.balance.table()
    doing = dict(zip(names, (table > 0).sum(axis=0).tolist(), strict=True))
    most = max(seconds.values(), default=1.0)
    return [
        {
            "name": name,
            "text": f"{_time(s)}, {'all' if doing[name] == len(people) else f'{doing[name]} of {len(people)}'} people",
            "share": s / most,
        }
        for name, s in seconds.items()
    ]


def _heat(quality: Quality) -> dict[str, Any] | None:
    people, activities, seconds = quality.balance.table()
    if not activities:
        return None
    most = float(seconds.max())
    lines = [{"name": p, "cells": _cells(row, most)} for p, row in zip(people, seconds, strict=True)]
    return {"columns": activities, "lines": lines[:_MOST_PEOPLE], "hidden": max(0, len(lines) - _MOST_PEOPLE)}


def _cells(row: NDArray[np.float64], most: float) -> list[dict[str, Any]]:
    digits = 1 if most < 600 else 0
    return [
        {"share": float(s) / most, "text": f"{s / 60:.{digits}f}" if s else "", "tip": _time(s)} for s in row.tolist()
    ]


def _time(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.1f} s"


def _losses(quality: Quality) -> list[tuple[str, str, str]]:
    gaps = quality.gaps
    words = {"missing": "missing samples", "held": "one value held on for a second or more", "padding": "zeros"}
    rows = [
        (word, percent(gaps.share(kind)), f"{gaps.longest(kind):.3g} s")
        for kind, word in words.items()
        if gaps.share(kind)
    ]
    cut = {where: reach for where, reach in quality.saturation.reach.items() if reach.ends}
    return rows + [(f"{channel} cut off, {body}", percent(reach.share), "") for (body, channel), reach in cut.items()]
