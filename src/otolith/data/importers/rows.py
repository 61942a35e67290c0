"""Bounded reading of CSV and Parquet: names first, then the wanted columns, and the place of a row for a sentence."""

from __future__ import annotations

import csv
import difflib
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from otolith.types import DataError

MAX_BYTES = 512 * 1024**2
"""The largest file that is read: a day of acceleration and angular rate at 50 Hz takes about 300 MiB."""

MAX_VALUES = 2 * 10**8
"""The most values that a (compressed) Parquet file may unfold to."""

BEGINNING = 32 * 1024**2
"""Bytes of a CSV that are looked at when only its beginning is; of a Parquet file a row for each 256 of them."""

_HEADER_BYTES = 65536
_WRONG_ROW = re.compile(r"Expected (\d+) columns, got (\d+): (.*)")


class Rows(ABC):
    """A table that is open: its column names, its rows.

    Attributes:
        path: The file.
        names: The names of its columns, without blanks around them; they may repeat.
        decimal: What stands before the decimals of a number in text.
    """

    path: Path
    names: list[str]
    decimal: str = "."

    @abstractmethod
    def read(self, wanted: list[str], *, beginning: bool = False) -> pa.Table:
        """The columns `wanted`, in this order; of all rows, or of the first `BEGINNING` bytes or rows."""

    @abstractmethod
    def where(self, row: int) -> str:
        """The place of data row `row` (from 0), as a person would look it up."""


def open_rows(
    path: Path, delimiter: str = "", *, above: int = 0, below: int = 0, header: bool = True, decimal: str = "."
) -> Rows:
    """Opens a CSV or Parquet file, told apart by its first bytes.

    Args:
        path: The file.
        delimiter: What separates the columns of a CSV; empty finds it from the first line.
        above: Lines of a CSV before the line of column names.
        below: Lines of a CSV between the names and the first row, such as units.
        header: Whether a CSV has a line of column names; else they are `column 1`, `column 2`, ...
        decimal: `.` or `,`.

    Raises:
        DataError: The file is missing, a folder, empty, too large, or neither.
    """
    try:
        if path.is_dir():
            raise DataError(f"{path} is a folder; give one CSV or Parquet file")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; check the path") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    if size > MAX_BYTES:
        raise DataError(
            f"{path} has {size / 1024**2:.0f} MiB, at most {MAX_BYTES / 1024**2:g} MiB are read; "
            "cut it into shorter recordings"
        )
    if not head.strip():
        raise DataError(f"{path} is empty; give a table with a header and one row a sample")
    if head.startswith(b"PAR1") or path.suffix.lower() in (".parquet", ".pq"):
        return ParquetRows(path)
    return CsvRows(path, head, delimiter, above, below, header, decimal)


class CsvRows(Rows):
    """A CSV file in UTF-8; the arguments are those of `open_rows`."""

    def __init__(
        self, path: Path, head: bytes, delimiter: str, above: int, below: int, header: bool, decimal: str
    ) -> None:
        self.path, self.decimal = path, decimal
        lines = head.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True)
        first = next((number for number, line in enumerate(lines) if number >= above and line.strip()), len(lines))
        if first + below >= len(lines):
            raise DataError(f"{path} ends within its header, it is cut off; export it again")
        self._skip = first + header + below
        self._bare = len(head) < _HEADER_BYTES and not any(line.strip() for line in lines[self._skip :])
        text = self._text(lines[first], whole=lines[first].endswith((b"\n", b"\r")) or len(head) < _HEADER_BYTES)
        self._delimiter = delimiter or max(",;\t|" if decimal == "." else ";\t|", key=text.count)
        cells = [cell.strip() for cell in next(csv.reader([text], delimiter=self._delimiter))]
        self.names = cells if header else [f"column {number}" for number in range(1, len(cells) + 1)]

    def _text(self, line: bytes, *, whole: bool) -> str:
        try:
            text = line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path} is not text in UTF-8; give a CSV or Parquet file") from error
        if not whole or not text.replace("\t", "").isprintable():
            raise DataError(f"{self.path} does not begin with a line of column names; give a CSV or Parquet file")
        return text

    def read(self, wanted: list[str], *, beginning: bool = False) -> pa.Table:
        """The columns `wanted`, in this order, as text.

        Raises:
            DataError: A line has more or fewer values than the header, or is not text.
        """
        if self._bare:
            return pa.table({name: pa.array([], pa.string()) for name in wanted})
        places = [str(self.names.index(name)) for name in wanted]
        with ExitStack() as stack:
            return self._read(places, stack, beginning=beginning).rename_columns(wanted)

    def _read(self, places: list[str], stack: ExitStack, *, beginning: bool) -> pa.Table:
        try:
            # Opened here: pyarrow does not take a path that is no text in UTF-8.
            table = pv.read_csv(
                self._beginning() if beginning else stack.enter_context(self.path.open("rb")),
                # One thread, so that a bad row comes with its number.
                read_options=pv.ReadOptions(
                    column_names=[str(i) for i in range(len(self.names))], skip_rows=self._skip, use_threads=False
                ),
                parse_options=pv.ParseOptions(delimiter=self._delimiter),
                # As text: a number that cannot be read is then told with its line.
                convert_options=pv.ConvertOptions(
                    include_columns=places, column_types=dict.fromkeys(places, pa.string()), strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            # Not by a handler of invalid rows: it fails aloud where such a row is no text.
            if wrong := _WRONG_ROW.search(str(error)):
                raise DataError(
                    f"{self.path}: a line has {wrong[2]} values where the header has {wrong[1]} columns: "
                    f"{wrong[3][:60]!r}; correct it"
                ) from error
            raise DataError(f"{self.path} cannot be read as CSV in UTF-8; save it as CSV or Parquet again") from error
        return table

    def _beginning(self) -> pa.BufferReader:
        """The first lines, as far as they are whole."""
        with self.path.open("rb") as file:
            content = file.read(BEGINNING)
            cut = len(content) if not file.read(1) else max(content.rfind(b"\n"), content.rfind(b"\r")) + 1
        return pa.BufferReader(content[:cut])

    def where(self, row: int) -> str:
        """The line of data row `row`; blank lines are counted, though they are no rows."""
        with self.path.open(encoding="utf-8", errors="replace") as file:
            filled = (number for number, line in enumerate(file, 1) if number > self._skip and line.rstrip("\r\n"))
            line = next(islice(filled, row, None), row + 1 + self._skip)
        return f"{self.path}, line {line}"


_NOTHING = r"(?i)^(na|n/a|null|none)?$"


def read_numbers(rows: Rows, wanted: list[str]) -> NDArray[np.float64]:
    """The columns `wanted` as numbers [T, C]; what is empty or says NaN is NaN.

    Raises:
        DataError: A column is missing or there twice, or a value is no number, infinite or far too large; the sentence
            names the line.
    """
    require(rows, wanted)
    table = rows.read(wanted)
    return np.stack([numbers(rows, table, name) for name in wanted], axis=1)


def require(rows: Rows, wanted: list[str]) -> None:
    """Refuses a table that does not have each of the columns `wanted` exactly once.

    Raises:
        DataError: It does not.
    """
    for name in wanted:
        if name not in rows.names:
            raise DataError(
                f"{rows.path} has no column '{name}'{nearest(name, rows.names)}; its columns are {listed(rows.names)}"
            )
        if name in repeated(rows.names):
            raise DataError(f"{rows.path} has more than one column '{name}'; give each column its own name")


def numbers(rows: Rows, table: pa.Table, name: str, mend: str = "correct it or leave it empty") -> NDArray[np.float64]:
    """One column of a table that was read from `rows`, as `read_numbers`."""
    column = table.column(name)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        # Some files end each line with a semicolon though commas separate their columns (WISDM).
        text = pc.utf8_rtrim(pc.utf8_trim_whitespace(column), "; ")
        text = pc.replace_substring(text, ",", ".") if rows.decimal == "," else text
        column = pc.replace_substring_regex(text, _NOTHING, "nan")
    try:
        values: NDArray[np.float64] = plain(column.cast(pa.float64()))
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


def plain(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column of numbers as an array of its own; of float64 where there are nulls, which become NaN."""
    if column.null_count:
        return np.array(pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy())
    # Not by `to_numpy`, for which Arrow imports pandas: that takes as long as to read an hour of samples.
    return np.array(np.from_dlpack(column.combine_chunks()))


def dates(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text such as 2024-03-01T12:00:00.020 (ISO 8601, time zone or none) as timestamps; any other column as it is."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        text = pc.utf8_trim_whitespace(column)
        text = pc.if_else(pc.match_substring_regex(text, "^$"), pa.nulls(1, text.type)[0], text)
        for zone in (None, "UTC"):
            with suppress(pa.ArrowInvalid):
                return text.cast(pa.timestamp("ns", zone))
    return column


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return value is None
    return True


def nearest(name: str, names: Iterable[str]) -> str:
    """` (did you mean 'x'?)` when one of `names` is near, or nothing."""
    by_lower = {n.lower(): n for n in names}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return f" (did you mean '{by_lower[near[0]]}'?)" if near else ""


def repeated(names: Iterable[str]) -> list[str]:
    """The names that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


def listed(names: Iterable[str]) -> str:
    """The first twenty names, for a sentence."""
    names = list(names)
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")


class ParquetRows(Rows):
    """A Parquet file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pq.ParquetFile(path)
            self.names = [name.strip() for name in self._file.schema_arrow.names]
        except (OSError, UnicodeError, pa.ArrowException) as error:
            raise DataError(f"{path} cannot be read as Parquet, it is cut off or damaged; write it again") from error

    def read(self, wanted: list[str], *, beginning: bool = False) -> pa.Table:
        """The columns `wanted`, in this order.

        Raises:
            DataError: The file is damaged, or unfolds to more than `MAX_VALUES`.
        """
        if not beginning and self._file.metadata.num_rows * len(wanted) > MAX_VALUES:
            raise DataError(
                f"{self.path} has {self._file.metadata.num_rows} rows, more than can be read at once; "
                "cut it into shorter recordings"
            )
        stored = self._file.schema_arrow.names
        try:
            columns = [stored[self.names.index(name)] for name in wanted]
            if beginning:
                batch = next(self._file.iter_batches(BEGINNING // 256, columns=columns), None)
                table = self._file.read(columns=columns) if batch is None else pa.Table.from_batches([batch])
            else:
                table = self._file.read(columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.path} cannot be read as Parquet, it is damaged; write it again") from error
        return table.rename_columns([name.strip() for name in table.column_names]).select(wanted)

    def where(self, row: int) -> str:
        """The row, counted from 1."""
        return f"{self.path}, row {row + 1}"
