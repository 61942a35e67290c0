"""What was done when, from a table that a person wrote: in seconds of the recording, or by the clock on the wall."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from otolith.data.importers.rows import Rows, dates, numbers, open_rows
from otolith.data.importers.session import Session
from otolith.data.recording import Annotation
from otolith.types import DataError

_NAMES = {
    "start": ("start", "start_s", "begin", "from"),
    "end": ("end", "end_s", "stop", "to"),
    "activity": ("activity", "label"),
}


@dataclass(frozen=True)
class Labels:
    """Stretches of activities.

    Attributes:
        path: The file, for sentences.
        stretches: Seconds from the beginning of the recording, or from 1970 in UTC.
        absolute: Whether they are from 1970.
    """

    path: Path
    stretches: tuple[Annotation, ...]
    absolute: bool

    def on(self, session: Session) -> Session:
        """The session with these labels in place of its own.

        Raises:
            DataError: The labels are by the clock on the wall, and nothing says when the session was.
        """
        if self.absolute and session.started is None:
            raise DataError(
                f"{self.path} has dates, and nothing in session '{session.name}' says when it was; "
                "give seconds from its beginning"
            )
        # The beginning is the first sample of any sensor; a session's clock may have begun long before.
        first = min(float(stream.times[0]) for stream in session.streams if stream.times.size)
        last = max(float(stream.times[-1]) for stream in session.streams if stream.times.size)
        zero = -(session.started or 0.0) if self.absolute else first
        moved = [Annotation(a.start + zero, a.end + zero, a.activity) for a in self.stretches]
        if self.absolute:  # they may be of a whole day, and this a part of it
            moved = [a for a in moved if a.start < last and a.end > first]
        return replace(session, annotations=tuple(moved))


def read_labels(path: Path) -> Labels:
    """Reads a CSV with the columns start, end and activity; times in seconds, or dates with a time zone or in UTC.

    Raises:
        DataError: The file cannot be read, a column is missing, or a row is not two times in order and a name.
    """
    rows = open_rows(path)
    names = {}
    lower = {name.lower(): name for name in rows.names}
    for key, known in _NAMES.items():
        found = [lower[name] for name in known if name in lower]
        if len(found) != 1:
            raise DataError(f"{path} needs one column '{key}'; the header must be start,end,activity")
        names[key] = found[0]
    table = rows.read(list(names.values()))
    start, dated = _times(rows, table, names["start"])
    end, same = _times(rows, table, names["end"])
    if dated != same:
        raise DataError(f"{path} has dates in one column and numbers in the other; give the same in both")
    activities = [str(name).strip() for name in table.column(names["activity"]).to_pylist()]
    wrong = ~(end > start) | np.array([not name for name in activities], dtype=bool)
    if wrong.any():
        raise DataError(
            f"{rows.where(int(np.argmax(wrong)))}: give a start, a later end and an activity, like 3.5,9,walking"
        )
    order = np.argsort(start, kind="stable")
    stretches = tuple(Annotation(float(start[i]), float(end[i]), activities[i]) for i in order)
    if not stretches:
        raise DataError(f"{path} has no row; give start,end,activity")
    return Labels(path, stretches, dated)


def _times(rows: Rows, table: pa.Table, name: str) -> tuple[NDArray[np.float64], bool]:
    """Seconds, and whether they count from 1970."""
    column = dates(table.column(name))
    if pa.types.is_timestamp(column.type) and column.null_count == 0:
        return column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64()).to_numpy() / 1e6, True
    return numbers(rows, table, name, "give seconds, or dates as 2024-03-01T12:00:00Z"), False
