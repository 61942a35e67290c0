"""The beginning of a table as numbers, dates and words, and which of its columns is the time, the label, the person."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from otolith.data.importers.guess.evidence import Clock, clock, is_counter
from otolith.data.importers.guess.layout import Layout
from otolith.data.importers.guess.naming import meaning
from otolith.data.importers.rows import dates, repeated
from otolith.data.recording import MIN_SAMPLES
from otolith.types import DataError

_MOST_COLUMNS = 500
_TIME_WORDS = {
    "time",
    "timestamp",
    "timestamps",
    "ts",
    "t",
    "datetime",
    "date",
    "epoch",
    "unix",
    "utc",
    "elapsed",
    "clock",
}
_TIME_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "milli", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "µs", "usec", "micros", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanosecond", "nanoseconds"), "ns"),
}
_LABEL_WORDS = {"label", "labels", "activity", "activities", "class", "annotation", "behavior", "behaviour", "exercise",
                "gesture", "task", "action"}  # fmt: skip
_SUBJECT_WORDS = {"subject", "user", "participant", "person", "volunteer", "wearer"}
_NUMBER = r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"


@dataclass(frozen=True)
class Series:
    """One column: its values if they are numbers (NaN where empty) or dates (seconds since 1970), else its words."""

    name: str
    kind: str
    values: NDArray[np.float64]
    words: tuple[str, ...] = ()
    runs: int = 0

    @property
    def tokens(self) -> list[str]:
        """The words in its name."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", self.name).replace("_", " ").lower().split()


@dataclass
class Sample:
    """The beginning of a table.

    Attributes:
        path: The file.
        layout: How it is laid out.
        rows: Number of rows looked at.
        series: Its columns, less those whose names repeat.
        twice: Names that repeat.
    """

    path: Path
    layout: Layout
    rows: int
    series: list[Series]
    twice: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path, layout: Layout) -> Sample:
        """Reads the beginning.

        Raises:
            DataError: It has too few rows or too many columns, or is damaged.
        """
        rows = layout.open(path)
        twice = repeated(rows.names)
        names = [name for name in rows.names if name not in twice]
        if not names or len(names) > _MOST_COLUMNS:
            raise DataError(f"{path} has {len(names)} columns, and 1 to {_MOST_COLUMNS} can be looked at")
        table = rows.read(names, beginning=True)
        if table.num_rows < MIN_SAMPLES:
            raise DataError(f"{path} has {table.num_rows} rows of values, too few to guess from")
        series = [_series(name, table.column(name), rows.decimal) for name in names]
        return cls(path, layout, table.num_rows, series, twice)

    def time(self) -> tuple[Series | None, Clock | None, list[str]]:
        """The column of time, what is known of it, and what else there is to say."""
        notes, found = [], []
        for series in self.series:
            named = _named_time(series)
            plain = series.kind == "number" and not named and meaning(series.name).sensor
            if series.kind not in ("number", "date") or plain or np.isnan(series.values).any():
                continue
            times = series.values - series.values[0]
            back = np.flatnonzero(np.diff(times) < 0)
            if back.size and (named or _nearly_time(series)):
                notes.append(
                    f"'{series.name}' looks like a time and goes back at row {back[0] + 2} of {self.rows}: "
                    f"sort the rows, or cut the file there{_forward(times)}"
                )
            unit = "" if series.kind == "date" else _said_unit(series)
            if is_counter(times) and unit != "ms":
                if named:
                    notes.append(f"'{series.name}' goes up by one from row to row: the number of a row, not a time")
                continue
            known = clock(times, float(series.values[0]), "s" if series.kind == "date" else unit)
            if known and (named or known.unit):
                found.append((series.kind == "date" or named, known.unit != "", len(np.unique(times)), series, known))
        if not found:
            return None, None, notes
        found.sort(key=lambda item: item[:3], reverse=True)
        notes += [f"'{other[3].name}' could be the time as well: {other[4].why}" for other in found[1:4]]
        return found[0][3], found[0][4], notes

    def nearly_times(self) -> set[str]:
        """Columns without a telling name that go up in nearly all steps, as no sensor does."""
        return {series.name for series in self.series if _nearly_time(series)}

    def label(self) -> tuple[Series | None, str]:
        """The column that says the activity, and why."""
        for series in self.series:
            distinct = len(series.words)
            named = not _LABEL_WORDS.isdisjoint(series.tokens)
            if not 1 <= distinct <= min(200, self.rows // MIN_SAMPLES + 1) or series.kind == "date":
                continue
            if named or (series.kind == "text" and distinct > 1 and series.runs <= max(50, 3 * distinct)):
                some = ", ".join(word[:30] for word in series.words[:5])
                why = f"{distinct} different values in {series.runs} runs: {some}{', ...' if distinct > 5 else ''}"
                if series.kind == "number":
                    why += "; these are numbers: the model reads words, so replace them"
                return series, why
        return None, ""

    def subject(self) -> Series | None:
        """The column that says who it was."""
        named = (s for s in self.series if not _SUBJECT_WORDS.isdisjoint(s.tokens) and 1 <= len(s.words) <= 1000)
        return next(named, None)


def _named_time(series: Series) -> bool:
    words = re.split(r"[^a-zµ]+", " ".join(series.tokens))
    return (
        series.kind == "date"
        or not _TIME_WORDS.isdisjoint(words)
        or bool(words[0] in _TIME_UNITS and len(words[0]) > 1)
    )


def _forward(times: NDArray[np.float64]) -> str:
    """The usual rate of a column that goes back here and there, if one unit makes it likely."""
    steps = np.diff(times)
    known = clock(np.cumsum(np.r_[0.0, np.where(steps > 0, steps, np.median(steps))]), 0.0)
    return f"; elsewhere it is likely in {known.unit}, {known.rate:.4g} Hz" if known and known.unit else ""


def _nearly_time(series: Series) -> bool:
    steps = np.diff(series.values[np.isfinite(series.values)]) if series.kind == "number" else np.zeros(0)
    return bool(steps.size and (steps >= 0).mean() > 0.99 and (steps > 0).mean() > 0.5)


def _said_unit(series: Series) -> str:
    words = re.split(r"[^a-zµ]+", " ".join(series.tokens))
    return next((_TIME_UNITS[word] for word in reversed(words) if word in _TIME_UNITS), "")


def _series(name: str, column: pa.ChunkedArray, decimal: str) -> Series:
    """A column as what most of it is."""
    empty = np.full(len(column), np.nan)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        text = pc.utf8_trim(column, " ;")
        dated = dates(text)
        if pa.types.is_timestamp(dated.type) and dated.null_count < len(dated):
            return _of_dates(name, dated)
        text = pc.replace_substring(text, ",", ".") if decimal == "," else text
        filled = pc.invert(pc.is_in(pc.utf8_lower(text), pa.array(["", "nan", "na", "n/a", "null", "none"])))
        number = pc.and_(filled, pc.match_substring_regex(text, _NUMBER))
        share = (pc.sum(number).as_py() or 0) / max(1, pc.sum(filled).as_py() or 0)
        if share < 0.98:
            return Series(name, "text" if share < 0.5 else "mixed", empty, *_runs(text))
        column = pc.if_else(number, text, None)
    elif pa.types.is_timestamp(column.type):
        return _of_dates(name, column)
    elif pa.types.is_dictionary(column.type):
        return Series(name, "text", empty, *_runs(column.cast(pa.string())))
    try:
        values = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy().copy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return Series(name, "other", empty)
    values[~(np.abs(values) <= np.finfo(np.float32).max)] = np.nan
    if np.isfinite(values).sum() < MIN_SAMPLES:
        return Series(name, "empty", empty)
    few = len(np.unique(values[:20_000])) <= 200 and bool((np.nan_to_num(values) % 1 == 0).all())
    return Series(name, "number", values, *(_runs(pa.chunked_array([pa.array(values)])) if few else ((), 0)))


def _of_dates(name: str, column: pa.ChunkedArray) -> Series:
    ticks = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
    return Series(name, "date", pc.fill_null(ticks.cast(pa.float64(), safe=False), np.nan).to_numpy() / 1e6)


def _runs(column: pa.ChunkedArray) -> tuple[tuple[str, ...], int]:
    """The different values as words, most frequent first, and the number of runs of equal ones."""
    coded = column.combine_chunks().dictionary_encode()
    codes = pc.fill_null(coded.indices, -1).to_numpy()
    counts = np.bincount(codes[codes >= 0], minlength=len(coded.dictionary))
    order = np.argsort(-counts, kind="stable")[:1001]
    names = [coded.dictionary[int(i)].as_py() for i in order]
    words = [f"{name:g}" if isinstance(name, float) else str(name) for name in names]
    return tuple(word for word in words if word.strip()), int((np.diff(codes) != 0).sum()) + 1
