"""Lines of text to samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from otolith_edge.description import Channel
from otolith_edge.errors import EdgeError

Doubles = NDArray[np.float64]

TIME_NAMES = ("time", "timestamp", "t", "seconds", "time_s")
"""Names of the column of times."""

_NOTHING = ("", "nan", "na", "null", "none")


class LineParser:
    """Comma-, semicolon-, tab- or space-separated numbers; a first line of names says which column is which.

    Without names the columns are the time and the model's channels in their order.

    Args:
        channels: C channels that are wanted.
        columns: Names of the time and of each channel's column, in this order, where they differ from the channels'.
        interval: Units of time from one sample to the next, if the lines have no time.
    """

    def __init__(
        self, channels: Sequence[Channel], columns: Sequence[str] | None = None, interval: float | None = None
    ) -> None:
        if columns is not None and len(columns) != len(channels) + 1:
            raise EdgeError(
                f"{len(columns)} columns are named and the model takes a time and {len(channels)} channels "
                f"({', '.join(c.name for c in channels)}): name the time first, then each channel's column"
            )
        self._channels, self._columns, self._interval = tuple(channels), columns, interval
        self._places: list[int] | None = None  # column of the time (-1: none) and of each channel
        self._fields = 0
        self._delimiter: str | None = None
        self._count = 0
        self.malformed = 0
        """Lines so far that were no sample."""

    def parse(self, lines: Sequence[str]) -> tuple[Doubles, Doubles]:
        """Lines to times [n] and values [n, C], NaN where a field is empty.

        Raises:
            EdgeError: The names lack a channel, or there is no time.
        """
        rows = []
        for line in lines:
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            if self._places is None:
                self._delimiter = next((d for d in ",;\t" if d in text), None)
                fields = [field.strip() for field in text.split(self._delimiter)]
                if self._learn(fields):
                    continue
            row = self._row(text)
            if row is None:
                self.malformed += 1
            else:
                rows.append(row)
        table = np.array(rows, np.float64).reshape(-1, len(self._channels) + 1)
        return table[:, 0], table[:, 1:]

    def _learn(self, fields: list[str]) -> bool:
        """Finds out which column is which from the first line; whether that was names."""
        named = any(_number(field) is None for field in fields)
        self._fields = len(fields)
        if named:
            self._places = self._by_name([field.strip("\"' ").lower() for field in fields])
        elif self._columns is not None:
            raise EdgeError("columns are named and the data has no line of names: leave the names out")
        else:
            self._places = self._by_order(len(fields))
        if self._places[0] < 0 and self._interval is None:
            raise EdgeError(f"the data has no column of times ({', '.join(TIME_NAMES)}): give the rate")
        return named

    def _by_name(self, names: list[str]) -> list[int]:
        if self._columns is not None:
            wanted = [name.strip().lower() for name in self._columns]
            lacking = [name for name in wanted if name not in names]
            if lacking:
                raise EdgeError(f"the data has no column '{lacking[0]}': it has {', '.join(names)}")
            return [names.index(name) for name in wanted]
        time = next((names.index(name) for name in TIME_NAMES if name in names), -1)
        return [time, *(self._find(channel, names) for channel in self._channels)]

    def _find(self, channel: Channel, names: list[str]) -> int:
        """The column of a channel: of its own name, or of its sensor and axis if the model has them once."""
        short = "_".join(filter(None, (channel.sensor, channel.axis)))
        alone = sum((c.sensor, c.axis) == (channel.sensor, channel.axis) for c in self._channels) == 1
        for name in (channel.name.lower(), *([short] if alone else [])):
            if name in names:
                return names.index(name)
        raise EdgeError(
            f"the data has no column '{channel.name}': it has {', '.join(names)}; say which is which by naming the "
            "columns"
        )

    def _by_order(self, fields: int) -> list[int]:
        count = len(self._channels)
        if fields == count + 1:
            return list(range(fields))
        if fields == count and self._interval is not None:
            return [-1, *range(count)]
        raise EdgeError(
            f"a line has {fields} numbers and the model takes a time and {count} channels: "
            f"{', '.join(c.name for c in self._channels)}"
        )

    def _row(self, text: str) -> list[float] | None:
        fields = text.split(self._delimiter)
        if len(fields) != self._fields or self._places is None:
            return None
        numbers = [_number(fields[place].strip()) if place >= 0 else math.nan for place in self._places]
        if any(number is None for number in numbers):
            return None
        if self._places[0] < 0:
            numbers[0] = self._count * (self._interval or 0.0)
        self._count += 1
        return [math.nan if number is None else number for number in numbers]


def _number(field: str) -> float | None:
    """The number in a field, NaN if it is empty, None if it is something else."""
    try:
        return float(field)
    except ValueError:
        return math.nan if field.lower() in _NOTHING else None
