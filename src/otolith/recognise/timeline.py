"""From probabilities of overlapping windows to a timeline of segments. Pure functions on arrays."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otolith.recognise.calibrate import UNKNOWN

_GAP = -1  # cell that no window covers


@dataclass
class _Run:
    """Cells from `first` to before `after` of equal value; an empty one has been swallowed."""

    first: int
    after: int
    cell: int
    left: _Run | None = None
    right: _Run | None = None

    def __len__(self) -> int:
        return self.after - self.first

    def swallow_right(self) -> None:
        """Takes over the cells of the run on the right."""
        gone = self.right
        assert gone is not None
        self.after, self.right, gone.after = gone.after, gone.right, gone.first
        if self.right:
            self.right.left = self


@dataclass(frozen=True)
class Segment:
    """One activity from `start` to `end` in seconds.

    Attributes:
        start: First second.
        end: Last second.
        label: The activity, or `unknown`.
        confidence: Mean probability of the label; of `unknown`, that of the most probable activities.
    """

    start: float
    end: float
    label: str
    confidence: float


def timeline(
    starts: NDArray[np.float64],
    seconds: float,
    probabilities: NDArray[np.floating],
    labels: Sequence[str],
    *,
    threshold: float = 0.0,
    grid_seconds: float = 0.5,
    minimum_seconds: float = 0.0,
) -> list[Segment]:
    """Segments in order of time; time that no window covers lies between them.

    The windows over each cell of a time grid are averaged, which smooths already; the most probable activity names
    the cell; neighbours of equal name are one segment. Nothing is ever bridged: equal activities before and after
    missing time are two segments.

    Args:
        starts: [N] seconds.
        seconds: Duration of each window.
        probabilities: [N, L].
        labels: L names.
        threshold: Cells whose largest probability is below it are `unknown`.
        grid_seconds: Duration of a cell.
        minimum_seconds: Segments shorter than this go to the longer of the segments that touch them, the earlier if
            equal, the shortest first; one that touches none stays.
    """
    mean = on_grid(starts, seconds, probabilities, grid_seconds)
    if not len(mean):
        return []
    names = [*labels, UNKNOWN]
    confidence = mean.max(axis=1)
    cells = np.where(confidence < threshold, len(labels), np.nan_to_num(mean).argmax(axis=1))
    cells[np.isnan(confidence)] = _GAP
    runs = _absorb(_runs(cells), minimum_seconds / grid_seconds - 1e-9)
    origin, end = float(starts.min()), float(starts.max() + seconds)
    beliefs = np.column_stack([mean, confidence])
    return [
        Segment(
            origin + run.first * grid_seconds,
            min(origin + run.after * grid_seconds, end),
            names[run.cell],
            float(beliefs[run.first : run.after, run.cell].mean()),
        )
        for run in runs
    ]


def on_grid(
    starts: NDArray[np.float64], seconds: float, probabilities: NDArray[np.floating], grid_seconds: float
) -> NDArray[np.float64]:
    """Mean probabilities [G, L] of the windows over each cell, from the first start on; NaN where there is none.

    A window is over a cell if it holds the cell's middle.
    """
    if len(starts) != len(probabilities):
        raise ValueError(f"{len(starts)} starts but {len(probabilities)} rows of probabilities")
    if not grid_seconds > 0:
        raise ValueError(f"cells of {grid_seconds} s")
    if not len(starts):
        return np.empty((0, probabilities.shape[1]))
    begin = starts - starts.min()
    cells = max(1, int(_cell(begin.max() + seconds, grid_seconds)))
    # Each window is added where it begins and taken away where it ends; the running sum is the sum over each cell.
    change = np.zeros((cells + 1, probabilities.shape[1] + 1))
    values = np.column_stack([np.ones(len(starts)), probabilities])
    np.add.at(change, np.minimum(_cell(begin, grid_seconds), cells), values)
    np.add.at(change, np.minimum(_cell(begin + seconds, grid_seconds), cells), -values)
    total = change[:-1].cumsum(axis=0)
    count = np.rint(total[:, :1])
    mean = np.full((cells, probabilities.shape[1]), np.nan)
    np.divide(total[:, 1:], count, out=mean, where=count > 0)
    return mean


def uncovered(
    starts: NDArray[np.float64], seconds: float, duration: float, tolerance: float = 0.0
) -> tuple[tuple[float, float], ...]:
    """Stretches (start, end) of [0, duration], longer than `tolerance`, that no window covers."""
    ordered = np.sort(starts)
    ends = np.r_[0.0, ordered + seconds]
    begins = np.r_[ordered, duration]
    return tuple((float(a), float(b)) for a, b in zip(ends, begins, strict=True) if b - a > tolerance)


def _cell(times: NDArray[np.float64] | np.float64, grid_seconds: float) -> NDArray[np.int64]:
    """Number of the first cell whose middle is not before each time."""
    # Less a billionth of a cell, so that 0.1 + 0.2 is no later than 0.3.
    return np.ceil(np.asarray(times) / grid_seconds - 0.5 - 1e-9).astype(np.int64)


def _runs(cells: NDArray[np.int64]) -> list[_Run]:
    """Runs of equal cells, linked to the runs beside them; gaps are none."""
    first = np.flatnonzero(np.r_[True, cells[1:] != cells[:-1]])
    after = np.r_[first[1:], len(cells)]
    runs: list[_Run] = []
    for a, b, cell in zip(first.tolist(), after.tolist(), cells[first].tolist(), strict=True):
        if cell == _GAP:
            continue
        run = _Run(a, b, cell)
        if runs and runs[-1].after == a:
            run.left, runs[-1].right = runs[-1], run
        runs.append(run)
    return runs


def _absorb(runs: list[_Run], minimum: float) -> list[_Run]:
    """Gives each run of fewer cells than `minimum` to a neighbour, the shortest first."""
    short = [(len(run), run.first, run) for run in runs if len(run) < minimum]
    heapq.heapify(short)
    while short:
        length, _, run = heapq.heappop(short)
        near = [neighbour for neighbour in (run.left, run.right) if neighbour]
        if len(run) != length or not near:  # it has grown or is gone, or there is nothing to give it to
            continue
        run.cell = max(near, key=len).cell
        if run.right and run.right.cell == run.cell:
            run.swallow_right()
        if run.left and run.left.cell == run.cell:
            run = run.left
            run.swallow_right()
        if len(run) < minimum:
            heapq.heappush(short, (len(run), run.first, run))
    return [run for run in runs if len(run)]
