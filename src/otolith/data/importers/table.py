"""A person's own recording in a CSV or Parquet table: one row a sample, one column a channel."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from otolith.data.importers.mapping import TIME_UNITS, TableMapping, listed, nearest, repeated
from otolith.data.importers.rows import MAX_VALUES, Rows, open_rows
from otolith.data.recording import MIN_SAMPLES, Annotation, Recording, refuse_implausible
from otolith.data.signal import spread, to_uniform
from otolith.types import DataError, UnitError

RATE_TOLERANCE = 0.02
"""Relative difference above which a stated rate contradicts the time column."""

MAX_REPEATED = 0.05
"""Share of samples with the time of the one before, above which the clock is coarse or the samples came in packets."""


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
    rows = open_rows(Path(path), mapping.delimiter)
    wanted = [*mapping.columns, *(name for name in (mapping.time, mapping.label) if name)]
    _require(rows, wanted)
    table = rows.read(wanted)
    if table.num_rows < MIN_SAMPLES:
        raise DataError(
            f"{path} has too few samples to recognise anything ({table.num_rows} below its header); "
            f"give at least {MIN_SAMPLES}"
        )
    values = np.stack([_numbers(rows, table, name) for name in mapping.columns], axis=1)
    few = np.flatnonzero((~np.isnan(values)).sum(axis=0) < MIN_SAMPLES)
    if few.size:
        raise DataError(
            f"{path}: column '{list(mapping.columns)[few[0]]}' has fewer than {MIN_SAMPLES} values; leave it out"
        )
    values *= np.array(mapping.factors())
    labels = table.column(mapping.label) if mapping.label else None
    if mapping.time:
        times, rate = _clock(rows, table, mapping, values)
        gap = max(0.1, 3 / rate)
        signal, first = to_uniform(times, values, rate, gap)
        signal = signal.astype(np.float32)
        times = times - first
    else:
        rate, gap, signal = float(mapping.rate or np.nan), np.inf, values.astype(np.float32)
        times = np.arange(len(values)) / rate
    annotations = () if labels is None else _annotations(labels, times, rate, gap, len(signal) / rate)
    recording = Recording(signal, rate, mapping.channels(), mapping.subject, rows.path.stem, annotations)
    refuse_implausible(recording)
    return recording


def _require(rows: Rows, wanted: list[str]) -> None:
    for name in wanted:
        if name not in rows.names:
            raise DataError(
                f"{rows.path} has no column '{name}'{nearest(name, rows.names)}; its columns are {listed(rows.names)}"
            )
        if name in repeated(rows.names):
            raise DataError(f"{rows.path} has more than one column '{name}'; give each column its own name")


def _numbers(rows: Rows, table: pa.Table, name: str, mend: str = "correct it or leave it empty") -> NDArray[np.float64]:
    """One column as numbers; what is empty or says NaN is NaN."""
    column = table.column(name)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        text = pc.utf8_trim_whitespace(column)
        column = pc.if_else(pc.is_in(pc.utf8_lower(text), pa.array(["", "na", "n/a", "null", "none"])), None, text)
    try:
        values: NDArray[np.float64] = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy().copy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        bad = next((i for i, value in enumerate(column.to_pylist()) if not _is_number(value)), 0)
        raise DataError(
            f"{rows.where(bad)}: {column[bad].as_py()!r} in column '{name}' is not a number; {mend}"
        ) from error
    large = np.abs(values) > np.finfo(np.float32).max
    if large.any():
        bad = int(np.argmax(large))
        raise DataError(
            f"{rows.where(bad)}: {values[bad]:.4g} in column '{name}' is infinite or far too large; "
            "leave it empty where the value is missing"
        )
    return values


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return value is None
    return True


def _times(rows: Rows, table: pa.Table, name: str) -> tuple[NDArray[np.float64], bool]:
    """The time column [T], counted from its first row, never going back, and whether it is of dates, in nanoseconds."""
    column = _dates(table.column(name))
    stamped = pa.types.is_timestamp(column.type)
    if stamped:
        column = column.cast(pa.timestamp("ns")).cast(pa.int64())
    if pa.types.is_integer(column.type) and column.null_count == 0:
        # Subtracted as integers: nanoseconds since 1970 do not fit a float64 exactly.
        ticks = column.cast(pa.int64()).to_numpy()
        times: NDArray[np.float64] = (ticks - ticks[0]).astype(np.float64)
    else:
        times = _numbers(rows, pa.table({name: column}), name, "give numbers, or dates as 2024-03-01T12:00:00.020")
        times = times - times[0]
    back = np.r_[False, np.diff(times) < 0]
    for wrong, what in ((np.isnan(times), "there is no time"), (back, "the time goes back")):
        if wrong.any():
            raise DataError(
                f"{rows.where(int(np.argmax(wrong)))}: {what} in column '{name}'; "
                "remove this row or sort the rows by time"
            )
    return times, stamped


def _dates(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text such as 2024-03-01T12:00:00.020 (ISO 8601, time zone or none) as timestamps; others as they are."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        text = pc.utf8_trim_whitespace(column)
        text = pc.if_else(pc.equal(text, ""), None, text)
        for zone in (None, "UTC"):
            with suppress(pa.ArrowInvalid):
                return text.cast(pa.timestamp("ns", zone))
    return column


def _clock(
    rows: Rows, table: pa.Table, mapping: TableMapping, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Seconds [T] from the first row, and the rate."""
    name = mapping.time
    times, stamped = _times(rows, table, name)
    rate, tolerance = _rate(times, values), RATE_TOLERANCE
    if rate == 0:
        raise DataError(
            f"{rows.path}: the time in column '{name}' does not advance; choose another time column, "
            "or leave it out and give the rate"
        )
    if _coarse(rows, mapping, times, values):
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
    return seconds, float(mapping.rate or measured)


def _coarse(rows: Rows, mapping: TableMapping, times: NDArray[np.float64], values: NDArray[np.float64]) -> bool:
    """Whether so many samples share a time that averaging them would destroy the signal.

    Raises:
        DataError: They do, and no rate is stated or two sensors write by turns, so that nobody knows their order.
    """
    clocks = [times[known] for known in np.unique(~np.isnan(values), axis=1).T]
    clock = max(clocks, key=lambda clock: len(clock) / len(np.unique(clock)))
    share = len(clock) / len(np.unique(clock))
    if 1 - 1 / share <= MAX_REPEATED:
        return False
    said = f"{rows.path}: {share:.3g} rows share each time in column '{mapping.time}'"
    if mapping.rate is None:
        raise DataError(f"{said}; give the samples per second (--rate) to spread them, or a finer time column")
    if max(map(len, clocks)) < (1 - MAX_REPEATED) * len(times):
        raise DataError(f"{said}, and sensors write by turns; give a finer time column, or one file for each sensor")
    return True


def _rate(times: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Samples per unit of time: the mean of the steps that are no gap, in the column that has most.

    The median step alone is wrong where the clock is coarse: 60 Hz in whole milliseconds has steps of 16 and 17. And
    rows alone are wrong where accelerometer and gyroscope write by turns, each leaving the other's columns empty.
    """
    rates = [0.0]
    for known in np.unique(~np.isnan(values), axis=1).T:
        steps = np.diff(times[known])
        steps = steps[steps > 0]
        if steps.size:
            rates.append(float(1 / steps[steps < 1.75 * np.median(steps)].mean()))
    return max(rates)


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


def _annotations(
    labels: pa.ChunkedArray, times: NDArray[np.float64], rate: float, gap: float, duration: float
) -> tuple[Annotation, ...]:
    """Runs of equal labels, in seconds; an empty label is none, and a gap ends a run."""
    coded = pc.utf8_trim_whitespace(labels.cast(pa.string()).fill_null("")).combine_chunks().dictionary_encode()
    codes, names = coded.indices.to_numpy(), coded.dictionary.to_pylist()
    new = np.r_[True, (codes[1:] != codes[:-1]) | (np.diff(times) > gap)]
    first = np.flatnonzero(new)
    after = np.r_[first[1:], len(codes)]
    following = np.r_[times, np.inf][after]
    ends = np.minimum(np.minimum(times[after - 1] + 1 / rate, following), duration)
    runs = zip(times[first].tolist(), ends.tolist(), codes[first].tolist(), strict=True)
    return tuple(
        Annotation(max(0.0, start), end, names[code]) for start, end, code in runs if names[code] and end > start
    )
