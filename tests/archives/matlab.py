"""MATLAB 5 files as MATLAB writes them."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_STORED = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 9, "i8": 12, "u8": 13}
_CLASSES = {"f8": 6, "f4": 7, "i1": 8, "u1": 9, "i2": 10, "u2": 11, "i4": 12, "u4": 13, "i8": 14, "u8": 15}
HEADER = b"MATLAB 5.0 MAT-file, Platform: PCWIN64, Created on: Thu Jan 15 10:00:00 2015".ljust(124) + b"\x00\x01IM"


def element(kind: int, data: bytes) -> bytes:
    """Tag and content; up to four bytes of content lie within the tag."""
    if 0 < len(data) <= 4:
        return struct.pack("<HH", kind, len(data)) + data.ljust(4, b"\0")
    return struct.pack("<2I", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(values: np.ndarray, name: bytes, stored: str = "") -> bytes:
    """One array; `stored` is the type of its bytes where that is a smaller one than the type of the array."""
    own = values.dtype.str[1:]
    numbers = values.astype("<" + (stored or own)).tobytes("F")
    parts = [
        element(6, struct.pack("<2I", _CLASSES[own], 0)),
        element(5, struct.pack(f"<{values.ndim}i", *values.shape)),
        element(1, name),
        element(_STORED[stored or own], numbers),
    ]
    return element(14, b"".join(parts))


def packed(content: bytes) -> bytes:
    """A compressed element; it is not padded."""
    small = zlib.compress(content)
    return struct.pack("<2I", 15, len(small)) + small


def mat_file(values: np.ndarray, name: bytes, *, stored: str = "", compress: bool = True) -> bytes:
    """A file with one array."""
    content = matrix(values, name, stored)
    return HEADER + (packed(content) if compress else content)
