"""Reading the tables that archives are made of: fast when they are sound, precise when they are not.

Files are opened by the methods of their path, never by name, so that they may lie in an object store too.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
from numpy.typing import NDArray

from otolith.data.converters.layout import Layout, Source
from otolith.data.signal import LARGEST
from otolith.types import DataError

Columns = dict[str, NDArray[Any]]
"""By name; a column of words holds where in the layout's words each is."""

BLOCK_BYTES = 1 << 20
_MOST_CELLS = 50_000_000  # of a table that is held whole; the largest, of PAMAP2, has 19 million
_LONGEST_NUMBER = 64  # characters with the delimiter; 17 digits, sign, point and exponent are 24
_LONGEST_LINE = 1 << 20  # characters; pyarrow refuses a line that is longer than its blocks, which have this size
_HEADER_BYTES = 1 << 16
_BLANK_LINES = (b"\n\n", b"\n\r\n")
_WORD = pa.dictionary(pa.int32(), pa.string())


def find_folder(raw_dir: Path, candidates: Sequence[str], marker: str, dataset: str) -> Path:
    """The first of `raw_dir / candidate` and `raw_dir / dataset / candidate` that holds something named like `marker`.

    Args:
        raw_dir: The folder that a person gave.
        candidates: Folders that an archive unpacks to, depending on the tool; `.` for none.
        marker: A glob of files or folders.
        dataset: Its name.

    Raises:
        DataError: None does.
    """
    for candidate in (f"{above}/{inner}" for above in (".", dataset) for inner in candidates):
        # Without the dots: to an object store `a/./b` is another name than `a/b`.
        folder = raw_dir.joinpath(*(name for name in candidate.split("/") if name not in ("", ".")))
        if next(folder.glob(marker), None) is not None:
            return folder
    raise DataError(
        f"no {marker} of dataset '{dataset}' in {raw_dir}: give the folder into which its archive was unpacked"
    )


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """The bytes of a file.

    Raises:
        DataError: There is none.
    """
    with _present(source), source.open("rb") as file:
        yield file


def read_numbers(
    source: Source, columns: Sequence[str], *, delimiter: str = ",", header: bool = False
) -> NDArray[np.float64]:
    """A table of numbers as [rows, columns]; see `Layout`.

    Raises:
        DataError: As `read_blocks`, or it has more rows than any table that is read whole.
    """
    layout = Layout(dict.fromkeys(columns, np.float64), delimiter, header)
    return np.column_stack(list(read_columns(source, layout).values()))


def read_columns(source: Source, layout: Layout) -> Columns:
    """A table as a whole.

    Raises:
        DataError: As `read_blocks`, or it has more rows than any table that is read whole.
    """
    blocks, cells = [], 0
    for line, block in read_blocks(source, layout):
        cells += sum(map(len, block.values()))
        if cells > _MOST_CELLS:
            raise DataError(f"{source} has more than {line} lines, so it is none of the archive: unpack it again")
        blocks.append(block)
    # Column by column out of the blocks, so that the table is not in memory twice.
    return {name: np.concatenate([block.pop(name) for block in blocks]) for name in list(blocks[0])}


def read_blocks(source: Source, layout: Layout) -> Iterator[tuple[int, Columns]]:
    """A table some thousand rows at a time, each time with the line of the first one.

    Raises:
        DataError: The file is missing or empty, its header is another, or a line has another number of columns or
            something that does not belong there; the sentence names the file and the line.
    """
    types = {name: _arrow_type(layout, name) for name, kind in layout.kinds.items() if kind is not None}
    rows = 0
    with opened(source) as file:
        names = _named(source, layout, file)
        try:
            with csv.open_csv(
                file,
                csv.ReadOptions(
                    column_names=names, skip_rows=int(layout.header), block_size=BLOCK_BYTES, use_threads=False
                ),
                csv.ParseOptions(delimiter=layout.delimiter),
                csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=list(layout.lost)),
            ) as blocks:
                for block in blocks:
                    columns = {name: _column(layout, name, block.column(name)) for name in types}
                    if block.num_rows:
                        yield rows + 1 + layout.header, columns
                    rows += block.num_rows
        except pa.ArrowInvalid as error:
            raise _explain(source, layout, names, rows) from error
    if not rows:
        raise _explain(source, layout, names, rows)


def check_order(source: Source, name: str, times: NDArray[np.float64], line: int) -> None:
    """Refuses times [T] that go back; those of the column `name`, from this line on.

    Raises:
        DataError: They do.
    """
    back = np.diff(times) < 0
    if back.any():
        raise DataError(f"{source}, line {line + int(np.argmax(back)) + 1}: {name} goes back; unpack the archive again")


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


def _arrow_type(layout: Layout, name: str) -> pa.DataType:
    kind = layout.kinds[name]
    if layout.ending and name == list(layout.kinds)[-1]:
        return pa.string()
    return pa.from_numpy_dtype(kind) if isinstance(kind, type) else _WORD


def _column(layout: Layout, name: str, column: pa.Array) -> NDArray[Any]:
    """A column of a block as it is given.

    Raises:
        pa.ArrowInvalid: Something in it does not belong there.
    """
    kind = layout.kinds[name]
    if not isinstance(kind, type):
        places = {word: place for place, word in enumerate(kind or ())}
        found = np.array([places.get(word.strip(), -1) for word in column.dictionary.to_pylist()], np.int16)
        values: NDArray[Any] = found[column.indices.to_numpy()]
        sound = values >= 0
    else:
        if pa.types.is_string(column.type):
            column = _without(layout.ending, column).cast(pa.from_numpy_dtype(kind))
        values = column.to_numpy(zero_copy_only=False)
        if issubclass(kind, np.integer):
            sound = np.array(column.null_count == 0)
        else:
            sound = ~(np.abs(values) >= LARGEST) if layout.lost else np.abs(values) < LARGEST
    if not sound.all():
        raise pa.ArrowInvalid(f"something in {name} does not belong there")
    return values


def _without(ending: str, column: pa.Array) -> pa.Array:
    """The texts without the mark that may stand at their end."""
    plain = pc.utf8_slice_codeunits(column, 0, -len(ending))
    return pc.utf8_trim_whitespace(pc.if_else(pc.ends_with(column, ending), plain, column))


@contextmanager
def _present(source: Source) -> Iterator[None]:
    """The sentence for a file that is not there; asking before would cost a round trip to an object store."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise DataError(f"{source} is missing: unpack the whole archive again") from error


def _named(source: Source, layout: Layout, file: BinaryIO) -> list[str]:
    """The names of the columns, in the order of the file."""
    if not layout.header:
        return list(layout.kinds)
    head = io.TextIOWrapper(io.BytesIO(file.read(_HEADER_BYTES)), "utf-8-sig", "replace").readline()
    file.seek(0)
    names = layout.named(head)
    if head and (fault := layout.header_fault(names)):
        raise DataError(f"{source}, line 1: {fault}")
    return names


def _explain(source: Source, layout: Layout, names: Sequence[str], sound: int) -> DataError:
    """Looks for the first line that is wrong behind so many sound rows; slow, and only run on what is damaged."""
    rows = 0
    with opened(source) as file, io.TextIOWrapper(file, "utf-8-sig", "replace") as lines:
        for number, line in enumerate(iter(partial(lines.readline, _LONGEST_LINE), ""), start=1):
            text = line.strip("\r\n")
            if (layout.header and number == 1) or not text:
                continue
            rows += 1
            if rows > sound and (fault := layout.fault(text, names)):
                return DataError(f"{source}, line {number}: {fault}")
    if rows == 0:
        return DataError(f"{source} is empty: unpack the archive again")
    return DataError(f"{source} cannot be read as a table of {len(names)} columns a line: unpack the archive again")
