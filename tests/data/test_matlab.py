"""The reader of MATLAB files, with files as MATLAB writes them."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from archives.matlab import HEADER, element, mat_file, matrix, packed
from otolith.data.converters.matlab import read_array
from otolith.types import DataError

LIMIT = 1 << 20
GOOD = np.arange(12.0).reshape(4, 3)


def read(folder: Path, content: bytes, name: str = "x") -> np.ndarray:
    (folder / "x.mat").write_bytes(content)
    return read_array(folder / "x.mat", name, limit=LIMIT)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_every_type_of_number_and_both_dimensions(kind: str, compress: bool, tmp_path: Path):
    for shape in ((5, 3), (2, 3, 4), (1, 1), (1, 3)):  # the last two lie within their tags, in types of one byte
        values = np.arange(np.prod(shape)).reshape(shape).astype(kind) + 1
        found = read(tmp_path, mat_file(values, b"x", compress=compress))
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, values)


def test_whole_numbers_in_fewer_bytes(tmp_path: Path):
    """As in UniMiB SHAR's labels: an array of doubles, stored as bytes."""
    values = np.array([[1.0, 30.0, 6.0], [17.0, 2.0, 1.0]])
    np.testing.assert_array_equal(read(tmp_path, mat_file(values, b"x", stored="u1")), values)


def test_columns_come_first_in_the_file(tmp_path: Path):
    content = mat_file(GOOD, b"x", compress=False)
    assert content.endswith(GOOD.T.tobytes())
    np.testing.assert_array_equal(read(tmp_path, content), GOOD)


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_cut_off_anywhere(compress: bool, tmp_path: Path):
    content = mat_file(GOOD, b"x", compress=compress)
    for end in range(len(content)):
        with pytest.raises(DataError, match=r"x\.mat is not a MATLAB file as published, .*: unpack the archive again$"):
            read(tmp_path, content[:end])


@pytest.mark.parametrize("compress", [False, True])
def test_a_flipped_bit_anywhere_is_refused_or_changes_one_number(compress: bool, tmp_path: Path):
    content = mat_file(GOOD, b"x", compress=compress)
    refused = 0
    for position in range(128, len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 8)
        try:
            found = read(tmp_path, bytes(damaged))
        except DataError:
            refused += 1
            continue
        assert not compress and found.size == GOOD.size
    assert refused > (len(content) - 128 - (0 if compress else GOOD.nbytes)) * 0.7


def _array(flags: int = 6, sizes: tuple[int, ...] = (4, 3), stored: int = 9, rest: bytes = b"") -> bytes:
    parts = [
        element(6, struct.pack("<2I", flags, 0)),
        element(5, struct.pack(f"<{len(sizes)}i", *sizes)),
        element(1, b"x"),
        element(stored, GOOD.tobytes("F")),
    ]
    return element(14, b"".join(parts) + rest)


BOMB = struct.pack("<2I", 14, 100 << 20) + bytes(100 << 20)
OTHERS = {
    "its header is another": [
        b"",
        b"MATLAB 7.3" + mat_file(GOOD, b"x")[10:],
        mat_file(GOOD, b"x").replace(b"IM", b"MI"),  # big-endian
    ],
    "it holds no array": [HEADER + element(9, GOOD.tobytes()), HEADER + packed(element(9, GOOD.tobytes()))],
    "its array is not called x": [mat_file(GOOD, b"y"), mat_file(GOOD, b"xx"), mat_file(GOOD, b"a_longer_name")],
    "it holds no real numbers": [
        HEADER + _array(flags=1),  # a cell array
        HEADER + _array(flags=2),  # a struct
        HEADER + _array(flags=6 | 0x800),  # complex
        HEADER + element(14, element(5, bytes(8))),
    ],
    "its array has neither two nor three dimensions": [
        HEADER + _array(sizes=(12,)),
        HEADER + _array(sizes=(2, 2, 3, 1)),
    ],
    "the size of its array does not fit its content": [
        HEADER + _array(sizes=(4, 4)),
        HEADER + _array(sizes=(0, 3)),
        HEADER + _array(sizes=(-4, -3)),
        HEADER + _array(sizes=(1 << 30, 1 << 30)),
        HEADER + _array(stored=7),
        HEADER + _array(stored=16),  # text
        HEADER + _array(stored=99),
    ],
    "it holds more than it says": [
        mat_file(GOOD, b"x") + matrix(GOOD, b"y"),
        HEADER + packed(_array() + _array()),
        HEADER + _array(rest=element(9, GOOD.tobytes())),  # an imaginary part
    ],
    "it is cut off": [HEADER, HEADER + struct.pack("<2I", 14, 1 << 31)],
    "its compressed data is damaged": [HEADER + element(15, b"no zlib at all, this")[: 8 + 20]],
    "its compressed data is cut off or unpacks to more than 1048576 bytes": [
        HEADER + packed(BOMB),
        HEADER + struct.pack("<2I", 15, 20) + zlib.compress(bytes(5000))[:20],
    ],
    "it is larger than 1048576 bytes": [mat_file(np.ones((LIMIT // 8, 1)), b"x", compress=False)],
}


@pytest.mark.parametrize(("why", "content"), [(why, content) for why in OTHERS for content in OTHERS[why]])
def test_other_content_is_named(why: str, content: bytes, tmp_path: Path):
    with pytest.raises(DataError, match=rf"x\.mat is not a MATLAB file as published, {re.escape(why)}: unpack"):
        read(tmp_path, content)


def test_missing_file(tmp_path: Path):
    with pytest.raises(DataError, match=r"x\.mat is missing: unpack the whole archive again"):
        read_array(tmp_path / "x.mat", "x", limit=LIMIT)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_no_number(value: float, tmp_path: Path):
    with pytest.raises(DataError, match=r"x\.mat: x has values that are not numbers"):
        read(tmp_path, mat_file(np.array([[1.0, value]]), b"x"))
