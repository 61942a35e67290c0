"""Bounded reading of CSV and Parquet: names first, then the wanted columns, and the place of a row for a sentence."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from otolith.types import DataError

MAX_BYTES = 512 * 1024**2
"""The largest file that is read: a day of acceleration and angular rate at 50 Hz takes about 300 MiB."""

MAX_VALUES = 2 * 10**8
"""The most values that a (compressed) Parquet file may unfold to."""

_HEADER_BYTES = 65536


class Rows(ABC):
    """A table that is open: its column names, its rows.

    Attributes:
        path: The file.
        names: The names of its columns, without blanks around them; they may repeat.
    """

    path: Path
    names: list[str]

    @abstractmethod
    def read(self, wanted: list[str]) -> pa.Table:
        """The columns `wanted`, in this order."""

    @abstractmethod
    def where(self, row: int) -> str:
        """The place of data row `row` (from 0), as a person would look it up."""


def open_rows(path: Path, delimiter: str = "") -> Rows:
    """Opens a CSV or Parquet file, told apart by its first bytes.

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
    return CsvRows(path, head, delimiter)


class CsvRows(Rows):
    """A CSV file in UTF-8 with a header."""

    def __init__(self, path: Path, head: bytes, delimiter: str) -> None:
        self.path = path
        lines = head.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True)
        self._skip = next(number for number, line in enumerate(lines, 1) if line.strip())
        header = lines[self._skip - 1]
        self._bare = len(head) < _HEADER_BYTES and not any(line.strip() for line in lines[self._skip :])
        try:
            text = header.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not text in UTF-8; give a CSV or Parquet file") from error
        if (not header.endswith((b"\n", b"\r")) and len(head) == _HEADER_BYTES) or (
            not text.isprintable() and (not text.replace("\t", "").isprintable())
        ):
            raise DataError(f"{path} does not begin with a line of column names; give a CSV or Parquet file")
        self._delimiter = delimiter or max(",;\t|", key=text.count)
        self.names = [name.strip() for name in next(csv.reader([text], delimiter=self._delimiter))]

    def read(self, wanted: list[str]) -> pa.Table:
        """The columns `wanted`, in this order, as text.

        Raises:
            DataError: A line has more or fewer values than the header, or is not text.
        """
        if self._bare:
            return pa.table({name: pa.array([], pa.string()) for name in wanted})
        places = [str(self.names.index(name)) for name in wanted]
        bad: list[pv.InvalidRow] = []

        def refuse(row: pv.InvalidRow) -> str:
            bad.append(row)
            return "error"

        try:
            table = pv.read_csv(
                self.path,
                # One thread, so that a bad row comes with its number.
                read_options=pv.ReadOptions(
                    column_names=[str(i) for i in range(len(self.names))], skip_rows=self._skip, use_threads=False
                ),
                parse_options=pv.ParseOptions(delimiter=self._delimiter, invalid_row_handler=refuse),
                # As text: a number that cannot be read is then told with its line.
                convert_options=pv.ConvertOptions(
                    include_columns=places, column_types=dict.fromkeys(places, pa.string()), strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            if bad:
                raise DataError(
                    f"{self.path}: a line has {bad[0].actual_columns} values where the header has "
                    f"{bad[0].expected_columns} columns: {bad[0].text[:60]!r}; correct it"
                ) from error
            raise DataError(f"{self.path} cannot be read as CSV in UTF-8; save it as CSV or Parquet again") from error
        return table.rename_columns(wanted)

    def where(self, row: int) -> str:
        """The line of data row `row`; blank lines are counted, though they are no rows."""
        with self.path.open(encoding="utf-8", errors="replace") as file:
            filled = (number for number, line in enumerate(file, 1) if number > self._skip and line.rstrip("\r\n"))
            line = next(islice(filled, row, None), row + 1 + self._skip)
        return f"{self.path}, line {line}"


class ParquetRows(Rows):
    """A Parquet file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pq.ParquetFile(path)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{path} cannot be read as Parquet, it is cut off or damaged; write it again") from error
        self.names = [name.strip() for name in self._file.schema_arrow.names]

    def read(self, wanted: list[str]) -> pa.Table:
        """The columns `wanted`, in this order.

        Raises:
            DataError: The file is damaged, or unfolds to more than `MAX_VALUES`.
        """
        if self._file.metadata.num_rows * len(wanted) > MAX_VALUES:
            raise DataError(
                f"{self.path} has {self._file.metadata.num_rows} rows, more than can be read at once; "
                "cut it into shorter recordings"
            )
        stored = self._file.schema_arrow.names
        try:
            table = self._file.read(columns=[stored[self.names.index(name)] for name in wanted])
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.path} cannot be read as Parquet, it is damaged; write it again") from error
        return table.rename_columns([name.strip() for name in table.column_names]).select(wanted)

    def where(self, row: int) -> str:
        """The row, counted from 1."""
        return f"{self.path}, row {row + 1}"
