"""Zips that are made to harm: what leads outside, links, bombs, records that lie. Bytes of a sound one come in."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np

from fuzz.mutations import Mutation

BAIT = "/tmp/otolith-fuzz-escaped"
"""Where an absolute name leads; nothing may ever be there."""

BOMB_BYTES = 80 << 20

NAMES = (
    "../escaped", "../../escaped", "a/../../escaped", BAIT, "//" + BAIT, "C:\\escaped", "..\\escaped", "\\escaped",
    "..", ".", "/", "", " ", "./a.txt", "a//b.txt", "a/./b.txt", "A.TXT", "a.txt", "a.txt ", "a.txt.", "con", "nul.txt",
    "x\n.txt", "\x1b[31mred.txt", "a\0b.txt", "\ud800.txt", "\u202etxt.exe", "e\u0301.txt", "\u00e9.txt", "é" * 200,
    "a" * 300, "x" * 2000, "d/" * 400 + "x", "~root/x", "$(touch escaped)", "-rf", ".made.abcdefgh.part", "inner.zip",
    "inner.tar.gz", "dataset.json",
)  # fmt: skip

Files = list[tuple[str, bytes]]


def unzipped(data: bytes) -> Files:
    """The files in a zip; none where it cannot be read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(info.filename, archive.read(info)) for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        return []


def zipped(
    files: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED, modes: dict[int, int] | None = None
) -> bytes:
    """A zip of the files, alike each time; `modes` are Unix modes by number."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method, compresslevel=1) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that is there twice is meant
        for number, (name, content) in enumerate(files):
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name.encode("utf-8", "replace").decode(), method
            info.external_attr = (modes or {}).get(number, 0o644) << 16
            archive.writestr(info, content)
    return packed.getvalue()


def zip_names(data: bytes, rng: np.random.Generator) -> bytes:
    """A file has a name that leads elsewhere, cannot be, or is there twice."""
    files = unzipped(data) or [("a.txt", b"1")]
    place = int(rng.integers(len(files)))
    name = NAMES[rng.integers(len(NAMES))]
    ways: list[Files] = [
        [*files[:place], (name, files[place][1]), *files[place + 1 :]],
        [*files, (name, b"more")],
        [(name, b"first"), *files],
        [*files, files[place]],
        [*files, (files[place][0].upper(), b"again")],
        [*files, (files[place][0] + "/x", b"under a file")],
        [(files[place][0].rpartition("/")[0] or "a.txt", b"a file for a folder"), *files],
    ]
    return zipped(ways[rng.choice(len(ways), p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1])])


def zip_kinds(data: bytes, rng: np.random.Generator) -> bytes:
    """A file is a link or a device, and perhaps another one lies behind it."""
    kind = int(rng.choice([stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFDIR]))
    target = rng.choice(["..", "/etc/passwd", BAIT, "link", ".", "../outside"]).encode()
    files: Files = [("link", target), ("link/escaped", b"behind"), *unzipped(data)]
    return zipped(files, modes={0: kind | 0o777})


_RECORDS = {
    b"PK\x03\x04": (4, 6, 8, 10, 14, 18, 22, 26, 28),
    b"PK\x01\x02": (4, 6, 8, 10, 16, 20, 24, 28, 30, 32, 34, 38, 42),
}
_ENDS = {b"PK\x05\x06": (4, 6, 8, 10, 12, 16, 20)}


def _field(data: bytes, places: dict[bytes, tuple[int, ...]], rng: np.random.Generator) -> bytes:
    """Some fields of some records say something else."""
    changed = bytearray(data)
    found = [
        (start, offset)
        for mark, offsets in places.items()
        for start in _all(data, mark)
        for offset in offsets
        if start + offset + 4 <= len(data)
    ]
    for _ in range(int(rng.choice([1, 1, 2, 5])) if found else 0):
        start, offset = found[rng.integers(len(found))]
        form = "<I" if rng.random() < 0.4 else "<H"
        numbers = [0, 1, 8, 9, 12, 14, 93, 99, 0x800, 0x2041, 0xFFFF, len(data), 2**31 - 1, 2**32 - 1, 200 << 20]
        number = numbers[rng.integers(len(numbers))]
        struct.pack_into(form, changed, start + offset, number & (0xFFFF if form == "<H" else 0xFFFFFFFF))
    return bytes(changed)


def _all(data: bytes, mark: bytes) -> list[int]:
    found, start = [], data.find(mark)
    while start >= 0 and len(found) < 50:
        found.append(start)
        start = data.find(mark, start + 1)
    return found


def zip_records(data: bytes, rng: np.random.Generator) -> bytes:
    """Flags (encrypted), method, sizes, lengths, check sums, offsets that lie."""
    return _field(data, _RECORDS, rng)


def zip_ends(data: bytes, rng: np.random.Generator) -> bytes:
    """The end record lies, is there twice, is far from the end, or is of another zip."""
    other = zipped([("b.txt", b"2")])
    ways = [
        _field(data, _ENDS, rng),
        _field(data, _ENDS, rng),
        b"#!/bin/sh\nexit\n" * 3 + data,
        data + other,
        other + data,
        data + b"\0" * 70_000,
        data[: data.rfind(b"PK\x05\x06")],
        data[data.find(b"PK\x01\x02") :],
        data.replace(b"PK\x05\x06", b"PK\x06\x06" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, 2**40, 2**40, 2**60, 9) +
                     b"PK\x06\x07" + struct.pack("<IQI", 0, len(data), 1) + b"PK\x05\x06"),
    ]  # fmt: skip
    return ways[rng.integers(len(ways))]


def zip_packings(data: bytes, rng: np.random.Generator) -> bytes:
    """The same files packed in another way, or a zip in a zip in a zip."""
    files = unzipped(data)
    way = int(rng.integers(5))
    if way <= 1:
        return zipped(files, (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2)[way])
    if way == 2:
        return zipped(files[:2], zipfile.ZIP_LZMA)
    for level in range(1 if way == 3 else 40):
        data = zipped([(f"inner{level}.zip", data)], zipfile.ZIP_STORED)
    return data


@cache
def _bombs() -> tuple[bytes, ...]:
    zeros = bytes(BOMB_BYTES)
    one = zipped([("zeros.txt", zeros)])
    start = one.find(b"PK\x01\x02")
    record, end = one[start : one.find(b"PK\x05\x06")], one[one.find(b"PK\x05\x06") :]
    # Every name of the list leads to one and the same content.
    many = b"".join(record.replace(b"zeros.txt", b"z%07d." % number) for number in range(500))
    fields = list(struct.unpack("<4s4H2IH", end))
    fields[3:6] = [500, 500, len(many)]
    inner = zipped([("inner.zip", one)])
    return (
        one,
        one[:start] + many + struct.pack("<4s4H2IH", *fields),
        inner,
        zipped([("zeros.bz2.txt", zeros[: BOMB_BYTES // 4])], zipfile.ZIP_BZIP2),
        zipped([(f"{number}/empty.txt", b"") for number in range(1500)]),
    )


def zip_bombs(data: bytes, rng: np.random.Generator) -> bytes:
    """Much from little: one file, one content under 500 names, a bomb in a zip, very many files."""
    return _bombs()[rng.integers(len(_bombs()))]


ZIPS: tuple[Mutation, ...] = (
    zip_names, zip_names, zip_kinds, zip_records, zip_records, zip_records, zip_ends, zip_packings, zip_bombs
)  # fmt: skip
