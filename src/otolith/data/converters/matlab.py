"""Reading the one array of numbers in a MATLAB 5 file, and nothing else that such a file may hold."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith.data.converters.tables import opened
from otolith.data.signal import LARGEST
from otolith.types import DataError

# MATLAB MAT-File Format, R2015b, chapter 1. `scipy.io.loadmat` admits every kind of content, and crashes the
# interpreter on some damaged files; so the published files are read by what they are.
_HEADER_BYTES = 128
_TAG = struct.Struct("<II")
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_STORED = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
_NUMERIC_CLASSES = range(6, 16)  # double, single, and integers of 1 to 8 bytes


def read_array(path: Path, name: str, *, limit: int) -> NDArray[np.float64]:
    """The real array `name` [rows, columns] or [rows, columns, pages] of a file that holds nothing else.

    MATLAB stores whole numbers in as few bytes as they need, and may compress them; both are undone.

    Args:
        path: The file.
        name: What the array is called in it.
        limit: Most bytes to read, and most bytes to unpack them to.

    Raises:
        DataError: The file is missing, is larger than `limit`, is damaged, holds something else, or holds values that
            are no numbers, or larger ones than any sensor gives; the sentence names it.
    """
    with opened(path) as file:
        content = file.read(limit + 1)
    try:
        values = _array(_variable(content, limit), name)
    except ValueError as error:
        raise DataError(f"{path} is not a MATLAB file as published, {error}: unpack the archive again") from error
    if not (np.abs(values) < LARGEST).all():
        raise DataError(f"{path}: {name} has values that are not numbers of a sensor: unpack the archive again")
    return values


class _Elements:
    """The elements of a stretch of bytes, one after another; what is cut off raises a ValueError."""

    def __init__(self, content: bytes | memoryview) -> None:
        self._rest = memoryview(content)

    def take(self) -> tuple[int, memoryview]:
        """Type and content of the next element."""
        tag = self._cut(_TAG.size)
        kind, size = _TAG.unpack(tag)
        if kind >> 16:  # up to four bytes lie within the tag, behind a type and a size of two bytes each
            return kind & 0xFFFF, tag[4 : 4 + (kind >> 16)]
        data = self._cut(size)
        if kind != _COMPRESSED:
            self._rest = self._rest[-size % 8 :]
        return kind, data

    def end(self) -> None:
        """Says that nothing may follow."""
        if len(self._rest):
            raise ValueError("it holds more than it says")

    def _cut(self, size: int) -> memoryview:
        if size > len(self._rest):
            raise ValueError("it is cut off")
        head, self._rest = self._rest[:size], self._rest[size:]
        return head


def _variable(content: bytes, limit: int) -> memoryview:
    """What the only variable of a file consists of, unpacked."""
    if len(content) > limit:
        raise ValueError(f"it is larger than {limit} bytes")
    if not content.startswith(b"MATLAB 5.0") or content[_HEADER_BYTES - 2 : _HEADER_BYTES] != b"IM":
        raise ValueError("its header is another")
    elements = _Elements(memoryview(content)[_HEADER_BYTES:])
    kind, data = elements.take()
    elements.end()
    if kind == _COMPRESSED:
        inside = _Elements(_unpack(data, limit))
        kind, data = inside.take()
        inside.end()
    if kind != _MATRIX:
        raise ValueError("it holds no array")
    return data


def _unpack(data: memoryview, limit: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(data, limit)
    except zlib.error as error:
        raise ValueError("its compressed data is damaged") from error
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError(f"its compressed data is cut off or unpacks to more than {limit} bytes")
    return content


def _array(data: memoryview, name: str) -> NDArray[np.float64]:
    elements = _Elements(data)
    kind, flags = elements.take()
    if (kind, len(flags)) != (_UINT32, 8) or _TAG.unpack(flags)[0] not in _NUMERIC_CLASSES:  # no bit for complex
        raise ValueError("it holds no real numbers")
    kind, sizes = elements.take()
    if kind != _INT32 or len(sizes) not in (8, 12):
        raise ValueError("its array has neither two nor three dimensions")
    shape = struct.unpack(f"<{len(sizes) // 4}i", sizes)
    kind, label = elements.take()
    if kind != _INT8 or bytes(label) != name.encode():
        raise ValueError(f"its array is not called {name}")
    kind, numbers = elements.take()
    elements.end()
    stored = np.dtype(_STORED.get(kind, "V1"))
    if stored.kind == "V" or min(shape) < 1 or len(numbers) != math.prod(shape) * stored.itemsize:
        raise ValueError("the size of its array does not fit its content")
    return np.frombuffer(numbers, stored).reshape(shape, order="F").astype(np.float64, copy=False)
