"""How a CSV file is laid out: what separates its columns, where its names are, what stands before decimals."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from otolith.data.importers.rows import Rows, open_rows
from otolith.types import DataError

_BYTES = 65536
_LINES = 300
_DELIMITERS = (",", ";", "\t", "|", " ")
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")
_EMPTY = ("", "nan", "na", "n/a", "null", "none")


@dataclass(frozen=True)
class Layout:
    """The layout of a CSV, as `open_rows` takes it; what stands in the lines `below` the names; why."""

    delimiter: str = ""
    above: int = 0
    below: int = 0
    header: bool = True
    decimal: str = "."
    units: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    def open(self, path: Path) -> Rows:
        """The table, by this layout."""
        return open_rows(
            path, self.delimiter, above=self.above, below=self.below, header=self.header, decimal=self.decimal
        )


def layout(path: Path) -> Layout:
    """Finds the layout of a table in its first lines; that of a Parquet file is empty.

    Raises:
        DataError: It is no text, or no lines of equally many values, most of them numbers.
    """
    open_rows(path)  # what is no file at all, too large or empty is said there
    with path.open("rb") as file:
        head = file.read(_BYTES)
    if head.startswith(b"PAR1") or path.suffix.lower() in (".parquet", ".pq"):
        return Layout()
    lines = _lines(path, head)
    delimiter, rows = max(((d, _rows(lines, d)) for d in _DELIMITERS), key=lambda item: _score(item[1]))
    if _score(rows) == (0, 0):
        raise DataError(
            f"{path} has no lines of equally many values, most of them numbers; give a CSV or Parquet table"
        )
    width, first = _data(rows)
    names = first - 1
    while names >= 0 and len(rows[names]) == width and not _numeric(rows[names]) and any(rows[names]):
        names -= 1
    names += 1
    header = names < first
    evidence = []
    above = names
    if above:
        evidence.append(f"the table begins in line {above + 1}")
    if not header:
        evidence.append("the first line is of numbers, not of names: columns are counted")
    below = max(0, first - names - 1)
    decimal = "," if delimiter != "," and _comma(rows[first:], width) else "."
    units = tuple(rows[first - 1]) if below else ()
    return Layout(delimiter, above, below, header, decimal, units, tuple(evidence))


def _lines(path: Path, head: bytes) -> list[str]:
    """The first whole lines."""
    text = head.removeprefix(b"\xef\xbb\xbf")
    if len(head) == _BYTES:
        text = text[: text.rfind(b"\n") + 1]
    try:
        return text.decode("utf-8").splitlines()[:_LINES]
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8; give a CSV or Parquet file") from error


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    except csv.Error:
        return []


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell))


def _numeric(row: list[str]) -> bool:
    """Whether a row is of data: a number in it, and more of them than words."""
    numbers = sum(map(_is_number, row))
    words = sum(cell.lower() not in _EMPTY for cell in row) - numbers
    return numbers > 0 and numbers >= words


def _data(rows: list[list[str]]) -> tuple[int, int]:
    """The usual number of values in a row, and the first row of data."""
    widths = Counter(len(row) for row in rows if _numeric(row))
    if not widths:
        return 0, 0
    width = widths.most_common(1)[0][0]
    return width, next(n for n, row in enumerate(rows) if len(row) == width and _numeric(row))


def _score(rows: list[list[str]]) -> tuple[int, int]:
    """How many rows of data agree in their width, and that width; nothing for a lone column."""
    width, _ = _data(rows)
    if width < 2:
        return 0, 0
    return sum(1 for row in rows if len(row) == width and _numeric(row)), width


def _comma(rows: list[list[str]], width: int) -> bool:
    cells = [cell for row in rows if len(row) == width for cell in row if _is_number(cell)]
    return any("," in cell for cell in cells) and not any("." in cell for cell in cells)
