"""Float32 matrices as plain `.npy` files: streamed to disk row by row, checked at opening, gathered by the batch."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from otolith.types import DataError

SHARD_BYTES = 256 * 1024**2
"""Size at which a new shard begins: large enough that few files are open, small enough to copy and to map."""

_HEADER_BYTES = 128
_DTYPE = np.dtype("<f4")


def _header(rows: int, columns: int) -> bytes:
    """The 128 bytes before the data: NumPy's format 1.0, padded so that the number of rows can be put in later."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
    return b"\x93NUMPY\x01\x00" + (_HEADER_BYTES - 10).to_bytes(2, "little") + text.ljust(117).encode() + b"\n"


class ShardWriter:
    """Appends rows of `columns` float32 values to one `.npy` file; the header is true once the file is closed."""

    def __init__(self, path: Path, columns: int) -> None:
        self.rows = 0
        self._columns = columns
        self._file = path.open("wb")
        self._file.write(_header(0, columns))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def bytes(self) -> int:
        """Bytes of data so far."""
        return self.rows * self._columns * _DTYPE.itemsize

    def append(self, data: memoryview, rows: int) -> None:
        """Writes `rows` rows, given as their bytes in C order."""
        self._file.write(data)
        self.rows += rows

    def close(self) -> None:
        """Puts the number of rows into the header and closes the file."""
        with self._file:
            self._file.seek(0)
            self._file.write(_header(self.rows, self._columns))


def open_shard(path: Path, rows: int, columns: int) -> NDArray[np.float32]:
    """A read-only memory map [rows, columns] of one shard.

    Raises:
        DataError: The file is missing, cut off, or not a float32 matrix of this shape.
    """
    again = "convert the dataset again"
    expected = _HEADER_BYTES + rows * columns * _DTYPE.itemsize
    try:
        size = path.stat().st_size
        if size != expected:
            raise DataError(f"{path} has {size} bytes where {expected} belong; {again}")
        matrix = np.lib.format.open_memmap(path, mode="r")  # never unpickles
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; {again}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a NumPy array; {again}") from error
    if matrix.dtype != _DTYPE or matrix.shape != (rows, columns) or not matrix.flags.c_contiguous:
        raise DataError(
            f"{path} holds {matrix.dtype} {list(matrix.shape)} where float32 {[rows, columns]} belongs; {again}"
        )
    # A plain array over the same pages: slicing np.memmap costs several times more than slicing an array.
    plain: NDArray[np.float32] = matrix.view(np.ndarray)
    return plain


def gather_rows(matrix: NDArray[np.float32], first: NDArray[np.int64], length: int) -> NDArray[np.float32]:
    """Windows [B, length, C] of `matrix` [T, C] that begin at rows `first` [B].

    One fancy index over an overlapping view copies each window as one block: for windows of [128, 6] this was measured
    4 to 5 times faster than a loop over slices, and 12 to 15 times faster than indexing row by row. The caller has
    checked the bounds; a start beyond them would raise IndexError here, not read foreign memory.
    """
    rows, columns = matrix.shape
    row, value = matrix.strides
    windows = as_strided(matrix, (rows - length + 1, length, columns), (row, row, value), writeable=False)
    gathered: NDArray[np.float32] = windows[first]
    return gathered
