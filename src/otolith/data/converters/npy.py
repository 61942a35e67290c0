"""Reading the one array of doubles in a file of numpy, and nothing else that such a file may hold."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from otolith.data.converters.tables import opened
from otolith.types import DataError

_HEADER = re.compile(rb"\{'descr': '<f8', 'fortran_order': (False|True), 'shape': \((\d{1,9}(?:, \d{1,9})+)\), \} *\n")


def read_doubles(path: Path, *, limit: int) -> NDArray[np.float64]:
    """An array of two or more dimensions, as `numpy.save` writes it.

    Args:
        path: The file.
        limit: Most bytes of numbers to read.

    Raises:
        DataError: The file is missing, cut off or too large, or holds something else.
    """
    with opened(path) as file:
        shape, order = _layout(path, file)
        size = 8 * math.prod(shape)
        content = file.read(min(size, limit) + 1)
    if not size or len(content) != size:
        raise DataError(f"{path} has not the {size} bytes that it announces: unpack the archive again")
    return np.frombuffer(content, "<f8").reshape(shape, order=order)


def read_first_pair(path: Path) -> tuple[float, float]:
    """The first two numbers of the first row of a table, without the rest; zero where there are none.

    Raises:
        DataError: The file is missing or holds something else.
    """
    with opened(path) as file:
        shape, order = _layout(path, file)
        one = file.read(8)
        file.seek(8 * (0 if order == "C" else shape[0] - 1), 1)
        pair = np.frombuffer((one + file.read(8)).ljust(16, b"\0"), "<f8")
    return float(pair[0]), float(pair[1])


def _layout(path: Path, file: BinaryIO) -> tuple[list[int], Literal["C", "F"]]:
    """Shape and order of the numbers that follow.

    A header is Python, so nothing of it is evaluated: it must be exactly what numpy writes for doubles.
    """
    magic = file.read(10)
    match = _HEADER.fullmatch(file.read(int.from_bytes(magic[8:], "little")))
    if magic[:8] != b"\x93NUMPY\x01\x00" or match is None:
        raise DataError(f"{path} is not a file of numbers as published: unpack the archive again")
    return [int(size) for size in match[2].split(b", ")], "F" if match[1] == b"True" else "C"
