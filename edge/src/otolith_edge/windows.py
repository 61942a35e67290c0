"""Windows from stretches without a missing sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Cut:
    """Windows of one stretch that are complete.

    Attributes:
        starts: [n] rows since the beginning of the stream's clock.
        windows: [n, L, C].
        ended: First row and the row after the last of the stretch, if it has ended.
    """

    starts: NDArray[np.int64]
    windows: Floats
    ended: tuple[int, int] | None = None


class Windower:
    """Every stretch is covered from its first row to its last: windows begin with it, and one more ends with it.

    Args:
        length: L, rows of a window.
        step: Rows from one window to the next.
        channels: C.
    """

    def __init__(self, length: int, step: int, channels: int) -> None:
        self.length, self.step = length, step
        self._rows: Floats = np.empty((0, channels), np.float32)  # of the stretch, from `_first` on
        self._first = 0
        self._begin = 0
        self._next = 0  # start of the next window
        self._count = 0  # rows so far
        self._covered = 0  # row after the last window

    def push(self, rows: Floats) -> list[Cut]:
        """Rows [k, C], NaN where missing, to the windows that they complete."""
        if not len(rows):
            return []
        missing: NDArray[np.bool_] = np.any(np.isnan(rows), axis=1)
        edges = np.flatnonzero(np.diff(missing, prepend=not missing[0]))
        out = []
        for first, after in zip(edges, [*edges[1:], len(rows)], strict=True):
            if missing[first]:
                out.extend(self.finish())
                self._count += int(after - first)
                self._first = self._begin = self._next = self._covered = self._count
            else:
                out.extend(self._extend(rows[first:after]))
        return out

    def finish(self) -> list[Cut]:
        """Ends the stretch, if one is open."""
        begin, end = self._begin, self._count
        if begin == end:
            return []
        last = end - self.length
        flush = last >= begin and self._covered < end
        starts = np.array([last] if flush else [], np.int64)
        windows = self._take(starts)
        self._rows = self._rows[:0]
        self._first = self._begin = self._next = self._covered = end
        return [Cut(starts, windows, (begin, end))]

    def _extend(self, rows: Floats) -> list[Cut]:
        self._rows = np.concatenate([self._rows, rows])
        self._count += len(rows)
        starts = np.arange(self._next, self._count - self.length + 1, self.step)
        if not len(starts):
            return []
        windows = self._take(starts)
        self._next = int(starts[-1]) + self.step
        self._covered = int(starts[-1]) + self.length
        # The last window of the stretch may begin right after the last that was cut.
        kept = min(self._next, self._count - self.length)
        self._rows, self._first = self._rows[kept - self._first :], kept
        return [Cut(starts, windows)]

    def _take(self, starts: NDArray[np.int64]) -> Floats:
        out: Floats = self._rows[(starts - self._first)[:, None] + np.arange(self.length)]
        return out
