"""Reading the tables of numbers that archives are made of: fast when they are sound, precise when they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
from numpy.typing import NDArray

from otolith.types import DataError


def find_folder(raw_dir: Path, candidates: Sequence[str], marker: str, dataset: str) -> Path:
    """The first of `raw_dir / candidate` that holds a file or folder matching the glob `marker`.

    Raises:
        DataError: None does.
    """
    for candidate in candidates:
        folder = raw_dir / candidate
        if next(folder.glob(marker), None) is not None:
            return folder
    raise DataError(
        f"no {marker} of dataset '{dataset}' in {raw_dir}: give the folder into which its archive was unpacked"
    )


def read_numbers(
    path: Path, columns: Sequence[str], *, delimiter: str = ",", header: bool = False
) -> NDArray[np.float64]:
    """A text file of numbers as [rows, columns].

    Args:
        path: The file.
        columns: Names of the columns in order. With a header the file must have exactly these names.
        delimiter: One character between numbers.
        header: Whether the first line names the columns.

    Raises:
        DataError: The file is missing or empty, or a line has another number of columns or something that is no finite
            number; the sentence names the file and the line.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing: unpack the whole archive again")
    try:
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(column_names=list(columns), skip_rows=int(header), use_threads=False),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.float64()), null_values=[]),
        )
        numbers = np.column_stack([column.to_numpy() for column in table.columns])
    except pa.ArrowInvalid as error:
        raise _explain(path, columns, delimiter, header) from error
    sound = bool(np.isfinite(numbers).all()) and len(numbers) > 0
    if not sound or (header and _fields(path, delimiter) != list(columns)):
        raise _explain(path, columns, delimiter, header)
    return numbers


def read_joined(paths: Sequence[Path], columns: Sequence[str], rows: int) -> NDArray[np.float32]:
    """Comma-separated files of `rows` lines each, one below the other, as [len(paths) * rows, columns].

    One call of the parser for all of them: a call costs more than the few lines of a small file.

    Raises:
        DataError: As `read_numbers`, or a file has another number of lines.
    """
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path} is missing: unpack the whole archive again")
    parts = [path.read_bytes().rstrip(b"\r\n") for path in paths]
    try:
        table = csv.read_csv(
            pa.BufferReader(b"\n".join(parts)),
            read_options=csv.ReadOptions(column_names=list(columns), use_threads=False),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.float32()), null_values=[]),
        )
    except pa.ArrowInvalid as error:
        raise _explain_joined(paths, columns, rows) from error
    numbers = np.empty((table.num_rows, len(columns)), np.float32)
    for index, column in enumerate(table.columns):
        numbers[:, index] = column
    whole = len(numbers) == len(paths) * rows and all(part.count(b"\n") + 1 == rows for part in parts)
    if not whole or not np.isfinite(numbers).all():
        raise _explain_joined(paths, columns, rows)
    return numbers


def _explain_joined(paths: Sequence[Path], columns: Sequence[str], rows: int) -> DataError:
    for path in paths:
        found = len(read_numbers(path, columns))
        if found != rows:
            return DataError(f"{path} has {found} lines of numbers instead of {rows}: unpack the archive again")
    return DataError(f"{paths[0].parent} holds a damaged file: unpack the archive again")


def read_columns(
    path: Path, kinds: Mapping[str, pa.DataType], *, header: bool = False, ending: str = ""
) -> dict[str, NDArray[np.generic]]:
    """A comma-separated file whose columns are of several kinds.

    Args:
        path: The file.
        kinds: For each column, in order, `pa.float64()`, `pa.int64()` (64-bit times lose digits as float) or
            `pa.string()`.
        header: Whether the first line names the columns; it must have exactly these names.
        ending: A mark that may stand at the end of a line.

    Raises:
        DataError: As `read_numbers`.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing: unpack the whole archive again")
    content = path.read_bytes()
    if ending:
        mark = ending.encode()
        content = content.replace(mark + b"\r", b"\r").replace(mark + b"\n", b"\n").removesuffix(mark)
    texts = [name for name, kind in kinds.items() if kind == pa.string()]
    try:
        table = csv.read_csv(
            pa.BufferReader(content),
            read_options=csv.ReadOptions(column_names=list(kinds), skip_rows=int(header), use_threads=False),
            convert_options=csv.ConvertOptions(column_types=dict(kinds), null_values=[]),
        )
    except pa.ArrowInvalid as error:
        raise _explain(path, list(kinds), ",", header, texts, ending) from error
    columns = {name: table[name].to_numpy() for name in kinds}
    sound = table.num_rows > 0 and all(np.isfinite(columns[name]).all() for name in kinds if name not in texts)
    if not sound or (header and _fields(path, ",") != list(kinds)):
        raise _explain(path, list(kinds), ",", header, texts, ending)
    return columns


def _fields(path: Path, delimiter: str) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        return [field.strip().strip('"') for field in lines.readline().split(delimiter)]


def _explain(
    path: Path, columns: Sequence[str], delimiter: str, header: bool, texts: Sequence[str] = (), ending: str = ""
) -> DataError:
    """Looks for the first line that is wrong; slow, and only ever run on a file that is known to be damaged."""
    if header and path.stat().st_size > 0 and (found := _fields(path, delimiter)) != list(columns):
        absent = [name for name in columns if name not in found]
        return DataError(
            f"{path}, line 1: "
            + (f"column '{absent[0]}' is missing" if absent else f"columns are {', '.join(found)}")
            + f"; expected {', '.join(name or '(no name)' for name in columns)}"
        )
    rows = 0
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            text = line.strip("\r\n")
            if (header and number == 1) or not text:
                continue
            rows += 1
            fields = text.removesuffix(ending).split(delimiter)
            if len(fields) != len(columns):
                return DataError(f"{path}, line {number}: {len(fields)} columns instead of {len(columns)}")
            numbers = (field for name, field in zip(columns, fields, strict=True) if name not in texts)
            bad = next((field for field in numbers if not _finite(field)), None)
            if bad is not None:
                return DataError(f"{path}, line {number}: '{bad}' is not a number")
    if rows == 0:
        return DataError(f"{path} is empty: unpack the archive again")
    what = "columns" if texts else "numbers"
    return DataError(f"{path} cannot be read as a table of {len(columns)} {what} a line: unpack the archive again")


def _finite(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
