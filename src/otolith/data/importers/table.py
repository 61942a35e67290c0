"""A person's own recording in a CSV or Parquet table: one row a sample, one column a channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from otolith.data.importers.clocks import MAX_REPEATED, RATE_TOLERANCE, SHORT_GAP, evened, ordinary_rate
from otolith.data.importers.mapping import TIME_UNITS, TableMapping
from otolith.data.importers.rows import MAX_VALUES, Rows, dates, numbers, open_rows, plain, require
from otolith.data.recording import MIN_SAMPLES, Annotation, Recording, refuse_implausible
from otolith.data.signal import spread, to_uniform
from otolith.types import DataError, UnitError

_EPOCH = (978_307_200.0, 4_102_444_800.0)


@dataclass(frozen=True)
class Table:
    """What a table holds, in SI.

    Attributes:
        times: [T] seconds from the first row, each its own, never going back.
        values: [T, C]; NaN where missing.
        rate: Samples per second.
        clocked: Whether there is a time column; else the rows follow each other at `rate`.
        origin: Seconds on the time column's own clock at the first row; None where there is no such column.
        utc: Whether that clock is known to be UTC in seconds since 1970.
        labels: [T] the activity of each row, or None.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    rate: float
    clocked: bool = False
    origin: float | None = None
    utc: bool = False
    labels: pa.ChunkedArray | None = None

    @property
    def gap(self) -> float:
        """The longest gap in seconds that is bridged."""
        return max(SHORT_GAP, 3 / self.rate) if self.clocked else np.inf

    def annotations(self, duration: float) -> tuple[Annotation, ...]:
        """Runs of equal labels, in seconds from the first row; an empty label is none, and a gap ends a run."""
        if self.labels is None:
            return ()
        coded = pc.utf8_trim_whitespace(self.labels.fill_null("")).combine_chunks().dictionary_encode()
        codes, names = coded.indices.to_numpy(), coded.dictionary.to_pylist()
        times = self.times
        new = np.r_[True, (codes[1:] != codes[:-1]) | (np.diff(times) > self.gap)]
        first = np.flatnonzero(new)
        after = np.r_[first[1:], len(codes)]
        following = np.r_[times, np.inf][after]
        ends = np.minimum(np.minimum(times[after - 1] + 1 / self.rate, following), duration)
        runs = zip(times[first].tolist(), ends.tolist(), codes[first].tolist(), strict=True)
        return tuple(
            Annotation(max(0.0, start), end, names[code]) for start, end, code in runs if names[code] and end > start
        )


def read_columns(path: Path | str, delimiter: str = "") -> list[str]:
    """The names of the columns of a CSV or Parquet file, for `TableMapping.standard`.

    Raises:
        DataError: The file is missing, empty, too large or no table.
    """
    return open_rows(Path(path), delimiter).names


def read_table(path: Path | str, mapping: TableMapping) -> Recording:
    """Reads one recording and turns it into SI on a uniform clock.

    With a time column the rate is that of the file's ordinary steps; gaps longer than 0.1 s (and than three samples)
    become NaN, shorter ones are filled linearly. Equal labels on neighbouring rows become one annotation.

    Args:
        path: A CSV with a header, or a Parquet file, of at most `MAX_BYTES`.
        mapping: What its columns mean.

    Raises:
        DataError: The file or one of its values cannot be used; the sentence names the line or the row.
        UnitError: The values are not what the stated unit gives.
    """
    table = load(Path(path), mapping)
    if table.clocked:
        signal, first = to_uniform(table.times, table.values, table.rate, table.gap)
        signal = signal.astype(np.float32)
        table = replace(table, times=table.times - first)
    else:
        signal = table.values.astype(np.float32)
    annotations = table.annotations(len(signal) / table.rate)
    recording = Recording(signal, table.rate, mapping.channels(), mapping.subject, Path(path).stem, annotations)
    refuse_implausible(recording)
    return recording


def load(path: Path, mapping: TableMapping) -> Table:
    """The rows of a table in SI, on its own times.

    Raises:
        DataError: The file or one of its values cannot be used; the sentence names the line or the row.
        UnitError: The time column has no unit.
    """
    rows = open_rows(
        path, mapping.delimiter, above=mapping.above, below=mapping.below, header=mapping.header,
        decimal=mapping.decimal,
    )  # fmt: skip
    added = [column.plus for column in mapping.columns.values()]
    wanted = list(dict.fromkeys([*mapping.columns, *added, mapping.time, mapping.label]))
    wanted = [name for name in wanted if name]
    require(rows, wanted)
    table = rows.read(wanted)
    if table.num_rows < MIN_SAMPLES:
        raise DataError(
            f"{path} has too few samples to recognise anything ({table.num_rows} below its header); "
            f"give at least {MIN_SAMPLES}"
        )
    values = np.stack([numbers(rows, table, name) for name in mapping.columns], axis=1)
    for index, name in enumerate(added):
        if name:
            values[:, index] += numbers(rows, table, name)
    few = np.flatnonzero((~np.isnan(values)).sum(axis=0) < MIN_SAMPLES)
    if few.size:
        raise DataError(
            f"{path}: column '{list(mapping.columns)[few[0]]}' has fewer than {MIN_SAMPLES} values; leave it out"
        )
    values *= np.array(mapping.factors())
    labels = _words(rows, table, mapping.label) if mapping.label else None
    if not mapping.time:
        rate = float(mapping.rate or np.nan)
        return Table(np.arange(len(values)) / rate, values, rate, labels=labels)
    times, rate, origin, utc = _clock(rows, table, mapping, values)
    return Table(times, values, rate, True, origin, utc, labels)


def _words(rows: Rows, table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column as text."""
    try:
        return table.column(name).cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{rows.path}: the labels in column '{name}' are no words; give text") from error


def _times(rows: Rows, table: pa.Table, name: str) -> tuple[NDArray[np.float64], float, bool, bool]:
    """The time column [T], counted from its first row, never going back, in its own unit; what that row says; whether
    it is of dates, in nanoseconds; and whether these have a time zone.
    """
    column = _dates(rows, table.column(name), name)
    stamped = pa.types.is_timestamp(column.type)
    zoned = stamped and column.type.tz is not None
    if stamped:
        column = column.cast(pa.int64())
    if pa.types.is_signed_integer(column.type) and column.null_count == 0:
        # Subtracted as integers: nanoseconds since 1970 do not fit a float64 exactly.
        ticks = plain(column.cast(pa.int64()))
        first = float(ticks[0])
        times: NDArray[np.float64] = (ticks - ticks[0]).astype(np.float64)
    else:
        times = numbers(rows, pa.table({name: column}), name, "give numbers, or dates as 2024-03-01T12:00:00.020")
        first = float(times[0])
        times = times - first
    back = np.r_[False, np.diff(times) < 0]
    for wrong, what in ((np.isnan(times), "there is no time"), (back, "the time goes back")):
        if wrong.any():
            raise DataError(
                f"{rows.where(int(np.argmax(wrong)))}: {what} in column '{name}'; "
                "remove this row or sort the rows by time"
            )
    return times, first, stamped, zoned


def _dates(rows: Rows, column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Dates in nanoseconds, also from text; others as they are."""
    column = dates(column)
    if pa.types.is_timestamp(column.type):
        try:
            return column.cast(pa.timestamp("ns", column.type.tz))
        except pa.ArrowInvalid as error:
            raise DataError(
                f"{rows.path}: a date in column '{name}' is beyond the years 1677 to 2262; correct it"
            ) from error
    return column


def _clock(
    rows: Rows, table: pa.Table, mapping: TableMapping, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, float, bool]:
    """Seconds [T] from the first row, the rate, seconds at the first row, and whether these are UTC since 1970."""
    name = mapping.time
    times, first, stamped, zoned = _times(rows, table, name)
    rate, tolerance = _rate(times, values), RATE_TOLERANCE
    if rate == 0:
        raise DataError(
            f"{rows.path}: the time in column '{name}' does not advance; choose another time column, "
            "or leave it out and give the rate"
        )
    even = None if np.isnan(values).any() else evened(times)  # sensors that write by turns have clocks of their own
    if even:
        times, rate = even
    elif _coarse(rows, mapping, times, values):
        tolerance = max(tolerance, 1 / len(np.unique(times)))
        times, rate = spread(times)
    unit = "ns" if stamped else mapping.time_unit or _unit_of(rows, mapping, rate, tolerance)
    seconds = times * TIME_UNITS[unit]
    measured = rate / TIME_UNITS[unit]
    if mapping.rate is not None and abs(measured / mapping.rate - 1) > tolerance:
        raise DataError(
            f"{rows.path}: the time column '{name}' (in {unit}) gives {measured:.4g} Hz, not the "
            f"stated {mapping.rate:g} Hz; correct the rate or the time unit, or leave the rate out"
        )
    if not 1 <= measured <= 10_000:
        raise DataError(
            f"{rows.path}: the time column '{name}' (in {unit}) gives {measured:.4g} Hz, which no motion "
            "sensor has; correct the time unit"
        )
    if seconds[-1] * measured * values.shape[1] > MAX_VALUES:
        raise DataError(
            f"{rows.path}: the time column '{name}' spans {seconds[-1] / 86_400:.3g} days, more than can be read at "
            "once; cut the file at its gaps"
        )
    origin = first * TIME_UNITS[unit]
    # Numbers count from 1970 in UTC where they say a year from 2001 to 2100; a date without a zone is local time.
    utc = zoned if stamped else _EPOCH[0] < origin < _EPOCH[1]
    return seconds, float(mapping.rate or measured), origin, utc


def _coarse(rows: Rows, mapping: TableMapping, times: NDArray[np.float64], values: NDArray[np.float64]) -> bool:
    """Whether so many samples share a time that averaging them would destroy the signal.

    Raises:
        DataError: They do, and no rate is stated or two sensors write by turns, so that nobody knows their order.
    """
    clocks = _clocks(times, values)
    clock = max(clocks, key=lambda clock: len(clock) / len(np.unique(clock)))
    share = len(clock) / len(np.unique(clock))
    if 1 - 1 / share <= MAX_REPEATED:
        return False
    said = f"{rows.path}: {share:.3g} rows share each time in column '{mapping.time}'"
    if mapping.rate is None:
        raise DataError(f"{said}; give the samples per second (rate) to spread them, or a finer time column")
    if max(map(len, clocks)) < (1 - MAX_REPEATED) * len(times):
        raise DataError(f"{said}, and sensors write by turns; give a finer time column, or one file for each sensor")
    return True


def _rate(times: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Samples per unit of time in the column that has most of them.

    Rows alone are wrong where accelerometer and gyroscope write by turns, each leaving the other's columns empty.
    """
    return max(map(ordinary_rate, _clocks(times, values)))


def _clocks(times: NDArray[np.float64], values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The times of the rows in which a column has a value; columns that have theirs in the same rows count once."""
    known = {column.tobytes(): column for column in ~np.isnan(values).T}
    return [times[rows] for rows in known.values()]


def _unit_of(rows: Rows, mapping: TableMapping, rate: float, tolerance: float) -> str:
    """The one time unit in which the stated rate fits the column."""
    stated = mapping.rate
    if stated is None:
        raise UnitError(f"time column '{mapping.time}' has no unit; give it (s, ms, us or ns), or give the rate")
    for unit, seconds in TIME_UNITS.items():
        if abs(rate / seconds / stated - 1) <= tolerance:
            return unit
    raise UnitError(
        f"{rows.path}: in no unit does the time column '{mapping.time}' give the stated {stated:g} Hz "
        f"(in s it gives {rate:.4g} Hz); correct the rate or give the time unit (s, ms, us or ns)"
    )
