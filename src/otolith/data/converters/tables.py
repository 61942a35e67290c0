"""Reading the tables of numbers that archives are made of: fast when they are sound, precise when they are not.

Files are opened by the methods of their path, never by name, so that they may lie in an object store too.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
from numpy.typing import NDArray

from otolith.types import DataError

_LONGEST_NUMBER = 64  # characters with the delimiter; 17 digits, sign, point and exponent are 24
_LONGEST_LINE = 1 << 20  # characters; pyarrow refuses a line that is longer than its blocks, which have this size
_BLANK_LINES = (b"\n\n", b"\n\r\n")


def find_folder(raw_dir: Path, candidates: Sequence[str], marker: str, dataset: str) -> Path:
    """The first of `raw_dir / candidate` that holds a file or folder matching the glob `marker`.

    Raises:
        DataError: None does.
    """
    for candidate in candidates:
        # Without the dots: to an object store `a/./b` is another name than `a/b`.
        folder = raw_dir.joinpath(*(name for name in candidate.split("/") if name not in ("", ".")))
        if next(folder.glob(marker), None) is not None:
            return folder
    raise DataError(
        f"no {marker} of dataset '{dataset}' in {raw_dir}: give the folder into which its archive was unpacked"
    )


def read_numbers(
    path: Path, columns: Sequence[str], *, delimiter: str = ",", header: bool = False, missing: str | None = None
) -> NDArray[np.float64]:
    """A text file of numbers as [rows, columns].

    Args:
        path: The file.
        columns: Names of the columns in order. With a header the file must have exactly these names.
        delimiter: One character between numbers.
        header: Whether the first line names the columns.
        missing: What stands for a number that was lost, which becomes NaN.

    Raises:
        DataError: The file is missing or empty, or a line has another number of columns or something that is no finite
            number; the sentence names the file and the line.
    """
    lost = [] if missing is None else [missing]
    try:
        with _present(path), path.open("rb") as file:
            table = csv.read_csv(
                file,
                read_options=csv.ReadOptions(column_names=list(columns), skip_rows=int(header), use_threads=False),
                parse_options=csv.ParseOptions(delimiter=delimiter),
                convert_options=csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.float64()), null_values=lost),
            )
        numbers = np.column_stack([column.to_numpy() for column in table.columns])
    except pa.ArrowInvalid as error:
        raise _explain(path, columns, delimiter, header, missing=missing) from error
    known = np.isfinite(numbers) if missing is None else ~np.isinf(numbers)
    sound = bool(known.all()) and len(numbers) > 0
    if not sound or (header and _fields(path, delimiter) != list(columns)):
        raise _explain(path, columns, delimiter, header, missing=missing)
    return numbers


def read_joined(paths: Sequence[Path], columns: Sequence[str], rows: int) -> NDArray[np.float32]:
    """Comma-separated files of `rows` lines each, one below the other, as [len(paths) * rows, columns].

    One call of the parser for all of them: a call costs more than the few lines of a small file.

    Raises:
        DataError: As `read_numbers`, or a file has another number of lines.
    """
    most = rows * (len(columns) * _LONGEST_NUMBER + len(_BLANK_LINES[-1]))
    contents = [_lines(path, most) for path in paths]
    try:
        table = csv.read_csv(
            pa.BufferReader(b"".join(contents)),
            read_options=csv.ReadOptions(column_names=list(columns), use_threads=False),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.float32()), null_values=[]),
        )
    except pa.ArrowInvalid as error:
        raise _explain_joined(paths, columns, rows) from error
    numbers = np.empty((table.num_rows, len(columns)), np.float32)
    first = 0
    for batch in table.to_batches():  # by the batch, not by the column: its values are still in the cache
        for index, column in enumerate(batch.columns):
            numbers[first : first + batch.num_rows, index] = column
        first += batch.num_rows
    # NumPy counts bytes three times as fast as bytes.count, and other threads run meanwhile.
    counts = [np.count_nonzero(np.frombuffer(content, np.uint8) == ord("\n")) for content in contents]
    if len(numbers) != len(paths) * rows or set(counts) != {rows} or not np.isfinite(numbers).all():
        raise _explain_joined(paths, columns, rows)
    return numbers


def _lines(path: Path, most: int) -> bytes:
    """The content of a file of at most `most` bytes, without blank lines at its end, with an end to its last line."""
    with _present(path), path.open("rb") as file:
        if file.seek(0, io.SEEK_END) > most:
            raise DataError(f"{path} has more than {most} bytes, so it is none of the archive: unpack it again")
        file.seek(0)
        content = file.read()
    if not content.endswith(b"\n") or content.endswith(_BLANK_LINES):
        content = content.rstrip(b"\r\n") + b"\n"
    return content


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
    texts = [name for name, kind in kinds.items() if kind == pa.string()]
    last = list(kinds)[-1]
    try:
        with _present(path), path.open("rb") as file:
            table = csv.read_csv(
                file,
                read_options=csv.ReadOptions(column_names=list(kinds), skip_rows=int(header), use_threads=False),
                convert_options=csv.ConvertOptions(
                    column_types={**kinds, **({last: pa.string()} if ending else {})}, null_values=[]
                ),
            )
        if ending:
            marked = pc.ends_with(table[last], ending)
            plain = pc.if_else(marked, pc.utf8_slice_codeunits(table[last], 0, -len(ending)), table[last])
            table = table.set_column(len(kinds) - 1, last, pc.utf8_trim_whitespace(plain).cast(kinds[last]))
    except pa.ArrowInvalid as error:
        raise _explain(path, list(kinds), ",", header, texts, ending) from error
    columns = {name: table[name].to_numpy() for name in kinds}
    sound = table.num_rows > 0 and all(np.isfinite(columns[name]).all() for name in kinds if name not in texts)
    if not sound or (header and _fields(path, ",") != list(kinds)):
        raise _explain(path, list(kinds), ",", header, texts, ending)
    return columns


@contextmanager
def _present(path: Path) -> Iterator[None]:
    """The sentence for a file that is not there; asking before would cost a round trip to an object store."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise DataError(f"{path} is missing: unpack the whole archive again") from error


def _fields(path: Path, delimiter: str) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        return [field.strip().strip('"') for field in lines.readline(_LONGEST_LINE).split(delimiter)]


def _explain(
    path: Path,
    columns: Sequence[str],
    delimiter: str,
    header: bool,
    texts: Sequence[str] = (),
    ending: str = "",
    missing: str | None = None,
) -> DataError:
    """Looks for the first line that is wrong; slow, and only ever run on a file that is known to be damaged."""
    if header and path.stat().st_size > 0 and (found := _fields(path, delimiter)) != list(columns):
        absent = [name for name in columns if name not in found]
        return DataError(
            f"{path}, line 1: "
            + (f"column '{absent[0]}' is missing" if absent else f"columns are {_shown(', '.join(found))}")
            + f"; expected {', '.join(name or '(no name)' for name in columns)}"
        )
    rows = 0
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(iter(partial(lines.readline, _LONGEST_LINE), ""), start=1):
            text = line.strip("\r\n")
            if (header and number == 1) or not text:
                continue
            rows += 1
            fields = text.removesuffix(ending).split(delimiter)
            if len(fields) != len(columns):
                return DataError(f"{path}, line {number}: {len(fields)} columns instead of {len(columns)}")
            numbers = (field for name, field in zip(columns, fields, strict=True) if name not in texts)
            bad = next((field for field in numbers if field != missing and not _finite(field)), None)
            if bad is not None:
                return DataError(f"{path}, line {number}: '{_shown(bad)}' is not a number")
    if rows == 0:
        return DataError(f"{path} is empty: unpack the archive again")
    what = "columns" if texts else "numbers"
    return DataError(f"{path} cannot be read as a table of {len(columns)} {what} a line: unpack the archive again")


def _shown(text: str) -> str:
    """What a stranger wrote, on one line and not the whole of a megabyte."""
    plain = "".join(character if character.isprintable() else "?" for character in text[:80])
    return plain + ("..." if len(text) > len(plain) else "")


def _finite(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
