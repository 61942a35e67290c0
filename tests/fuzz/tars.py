"""Tars that are made to harm, plain and compressed. Bytes of a sound one come in."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache

import numpy as np

from fuzz.mutations import Mutation
from fuzz.zips import BAIT, BOMB_BYTES, NAMES, zipped

PACKERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": lambda plain: gzip.compress(plain, 1, mtime=0),
    b"\xfd7": lambda plain: lzma.compress(plain, preset=0),
    b"BZ": lambda plain: bz2.compress(plain, 1),
}
"""What compresses, by its first bytes."""
_OPENERS = {b"\x1f\x8b": gzip.decompress, b"\xfd7": lzma.decompress, b"BZ": bz2.decompress}


def opened(data: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    """A tar without its compression, and what compresses it again."""
    head = data[:2]
    if head not in PACKERS:
        return data, bytes
    try:
        return _OPENERS[head](data), PACKERS[head]
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError):
        return b"", bytes


Member = tuple[tarfile.TarInfo, bytes]


def untarred(plain: bytes) -> list[Member]:
    """The members of a tar that is not compressed, as far as they can be read."""
    members: list[Member] = []
    damage = (tarfile.TarError, ValueError, OSError, EOFError, IndexError, RecursionError)
    with suppress(*damage), tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
        for info in archive:
            content = archive.extractfile(info) if info.isreg() and info.size < 10**7 else None
            members.append((info, content.read() if content else b""))
    return members


def tarred(members: Sequence[Member], form: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as archive:
        for info, content in members:
            with suppress(ValueError, OSError):  # what a header of the sound one cannot say is left out
                archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> Member:
    info = tarfile.TarInfo(name.encode("utf-8", "replace").decode())
    info.size, info.type, info.linkname = len(content), kind, link
    return info, content


def tar_names(plain: bytes, rng: np.random.Generator) -> bytes:
    members = untarred(plain) or [member("a.txt", b"1")]
    name = NAMES[rng.integers(len(NAMES))].replace("\0", "") or "x/"
    some = members[rng.integers(len(members))]
    ways = [
        [*members, member(name, b"more")],
        [member(name, b"first"), *members],
        [*members, some],
        [*members, member(some[0].name.upper(), b"again")],
        [*members, member(some[0].name + "/x", b"under a file")],
        [member(some[0].name, kind=tarfile.DIRTYPE), *members],
    ]
    forms = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]
    return tarred(ways[rng.choice(len(ways), p=[0.35, 0.25, 0.1, 0.1, 0.1, 0.1])], forms[rng.integers(2)])


def tar_kinds(plain: bytes, rng: np.random.Generator) -> bytes:
    """Links, devices and kinds that nobody knows; and a file behind a link."""
    kinds = [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.FIFOTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.CONTTYPE,
        b"Z",
    ]
    target = str(rng.choice(["..", "/etc/passwd", BAIT, "link", "../outside", "/"]))
    link = member("link", kind=kinds[rng.integers(len(kinds))], link=target)
    return tarred([link, member("link/escaped", b"behind"), *untarred(plain)][: int(rng.choice([1, 2, 99]))])


_TAR_FIELDS = (
    (0, 100),
    (100, 8),
    (108, 8),
    (124, 12),
    (124, 12),
    (136, 12),
    (156, 1),
    (157, 100),
    (257, 8),
    (345, 155),
)


def tar_header(plain: bytes, rng: np.random.Generator) -> bytes:
    """A field of a header says something else, and the header's check sum agrees."""
    starts = [place for place in range(0, len(plain) - 511, 512) if plain[place + 257 : place + 262] == b"ustar"]
    if not starts:
        return plain[:-1]
    changed = bytearray(plain)
    start = starts[rng.integers(len(starts))]
    offset, size = _TAR_FIELDS[rng.integers(len(_TAR_FIELDS))]
    values = [
        b"7" * 11, b"\x80" + b"\0" * 3 + b"\xff" * 8, b"\xff" * 12, b"-1", b"99", b" " * 12, b"", b"\xff\xfe",
        b"../escaped", b"S", b"x", b"g", b"L", b"K", b"2", b"5", b"D", b"\0", b"00000000017",
    ]  # fmt: skip
    changed[start + offset : start + offset + size] = values[rng.integers(len(values))][:size].ljust(size, b"\0")
    return _summed(changed, start)


def _summed(changed: bytearray, start: int) -> bytes:
    changed[start + 148 : start + 156] = b" " * 8
    changed[start + 148 : start + 156] = b"%06o\0 " % sum(changed[start : start + 512])
    return bytes(changed)


def extended(records: bytes, kind: bytes = tarfile.XHDTYPE, size: int | None = None) -> bytes:
    """An extended header as blocks; `size` is what it says of itself."""
    info = tarfile.TarInfo("extended")
    info.type, info.size = kind, len(records) if size is None else size
    return info.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)


def record(text: bytes) -> bytes:
    """One record of a pax header, its length in front."""
    size = len(text) + 3
    while len(b"%d %s\n" % (size, text)) != size:
        size += 1
    return b"%d %s\n" % (size, text)


@cache
def _extensions() -> tuple[bytes, ...]:
    return (
        extended(record(b"path=../escaped")),
        extended(record(b"path=" + BAIT.encode())),
        extended(record(b"path=a\0b")),
        extended(record(b"size=1000000000000000")),
        extended(record(b"size=-1")),
        extended(record(b"size=nan")),
        extended(record(b"mtime=1e400")),
        extended(record(b"hdrcharset=BINARY") + record(b"path=\xff\xfe")),
        extended(b"999999999 path=x\n"),
        extended(b"5 a\n\n"),
        extended(b"0 =\n"),
        extended(b"\xff" * 600),
        extended(b"", size=10**9),
        extended(b"", size=8**11 - 1),
        extended(b"9" * 6000 + b" path=x\n"),
        extended(record(b"path=" + b"x" * 100_000)),
        extended(record(b"path=sub/x.txt")) * 1500,
        extended(b"../escaped\0", tarfile.GNUTYPE_LONGNAME),
        extended(b"x\0", tarfile.GNUTYPE_LONGNAME) * 1500,
        extended(b"", tarfile.GNUTYPE_LONGNAME, size=10**9),
        extended(record(b"comment=" + b"x" * (3 << 20))),
        extended(record(b"path=../escaped"), tarfile.XGLTYPE),
        extended(record(b"size=5"), tarfile.XGLTYPE),
        extended(
            record(b"GNU.sparse.major=1") + record(b"GNU.sparse.minor=0") + record(b"GNU.sparse.realsize=99999999999")
        ),
        extended(record(b"GNU.sparse.map=0,1,99999999999,1") + record(b"GNU.sparse.size=999999999999")),
        extended(record(b"GNU.sparse.map=0") + record(b"GNU.sparse.size=-9")),
        extended(record(b"GNU.sparse.numblocks=x") + record(b"GNU.sparse.offset=1")),
    )


def tar_extended(plain: bytes, rng: np.random.Generator) -> bytes:
    """Extended headers that rename, resize, are endless, very many, or say what is no record."""
    ways = _extensions()
    starts = [
        0,
        *(place for place in range(512, len(plain) - 511, 512) if plain[place + 257 : place + 262] == b"ustar"),
    ]
    place = starts[rng.integers(len(starts))]
    return plain[:place] + ways[rng.integers(len(ways))] + plain[place:]


def tar_sparse(plain: bytes, rng: np.random.Generator) -> bytes:
    """A file of holes: it says that it is very large, and has a few bytes."""
    info = tarfile.TarInfo("sparse.bin")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    large = int(rng.choice([2**20, 2**33, 2**40, 2**62]))
    for place, number in ((386, 0), (398, 1), (410, large - 1), (422, 1)):
        block[place : place + 12] = b"\x80" + number.to_bytes(11, "big")
    block[482] = int(rng.choice([0, 0, 1]))
    block[483:495] = b"\x80" + large.to_bytes(11, "big")
    return _summed(block, 0) + bytes(512) + plain


def tar_ends(plain: bytes, rng: np.random.Generator) -> bytes:
    """Cut at a block, followed by something, holes in between, two in one."""
    cut = 512 * int(rng.integers(0, len(plain) // 512 + 1))
    ways = [
        plain[:cut],
        plain[: cut + 100],
        plain + b"\x01" * 5000,
        plain[:cut] + bytes(1024) + plain[cut:],
        plain + plain,
        plain.rstrip(b"\0"),
        bytes(512) + plain,
        tarred([member("inner.tar", plain)]),
        tarred([member("inner.zip", zipped([("b.txt", b"2")]))]),
    ]
    return ways[rng.integers(len(ways))]


@cache
def _bomb(head: bytes) -> bytes:
    return PACKERS[head](tarred([member("zeros.txt", bytes(BOMB_BYTES))]))


def tar_bombs(data: bytes, rng: np.random.Generator) -> bytes:
    """Much from little, or very many files."""
    packed = PACKERS.get(data[:2])
    if packed and rng.random() < 0.5:
        return _bomb(data[:2])
    return (packed or bytes)(tarred([member(f"{number}.txt") for number in range(600)]))


def _packed_as_before(change: Mutation) -> Mutation:
    def changed(data: bytes, rng: np.random.Generator) -> bytes:
        plain, packed = opened(data)
        return packed(change(plain, rng))

    changed.__name__ = change.__name__
    return changed


TARS: tuple[Mutation, ...] = (
    *map(_packed_as_before, (tar_names, tar_names, tar_kinds, tar_header, tar_header)),
    *map(_packed_as_before, (tar_extended, tar_extended, tar_sparse, tar_ends)),
    tar_bombs,
)
