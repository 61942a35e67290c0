"""Zips that are read in memory, within bounds; their names are only compared, never used as paths."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import NamedTuple

from otolith.data.converters.layout import shown
from otolith.types import DataError

_MAX_RATIO = 50
_MAX_MEMBERS = 1000
_MEMBER_MARK = b"PK\x01\x02"  # each entry of a zip's list of members begins with it
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(ValueError, LookupError, ArithmeticError, RuntimeError),  # what zipfile says of nonsense, and of encryption
)
_AGAIN = "unpack the whole archive again"


class Member(NamedTuple):
    """A file in a zip.

    Attributes:
        name: Its name without folders, which a stranger has chosen.
        place: Where it is, for people.
        read: Reads up to so many bytes of it.
    """

    name: str
    place: str
    read: Callable[[int], bytes]


@dataclass
class Budget:
    """How many bytes of a zip may still be unfolded: of zips within it, which stay in memory, and in all."""

    zips: int
    total: int

    @classmethod
    def of(cls, content: bytes, zips: int) -> Budget:
        """For an outermost zip; `zips` as above."""
        return cls(zips, _MAX_RATIO * len(content))


def members(content: bytes, place: str, budget: Budget) -> Iterator[Member]:
    """The files in a zip, not yet read.

    Args:
        content: The zip.
        place: Where it is, for people.
        budget: For all that is read of it; a zip within another one has that of the outer one.

    Raises:
        DataError: It is damaged, or not what the authors could have made; also from `Member.read`.
    """
    if content.count(_MEMBER_MARK) > _MAX_MEMBERS:
        raise DataError(f"{place} holds more files than any published: {_AGAIN}")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _BROKEN as error:
        raise DataError(f"{place} is damaged or cut off: {_AGAIN}") from error
    for info in archive.infolist():
        name = PurePosixPath(info.filename).name
        if name and not info.is_dir():
            where = f"{place}/{shown(name)}"
            yield Member(name, where, partial(_read, archive, info, where, budget))


def read_zip(member: Member, budget: Budget) -> bytes:
    """A zip within a zip.

    Raises:
        DataError: It is larger than such zips may be in all, or as `members`.
    """
    content = member.read(max(0, budget.zips) + 1)
    budget.zips -= len(content)
    if budget.zips < 0:
        raise DataError(f"{member.place} and the zips beside it are larger than any published: {_AGAIN}")
    return content


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, place: str, budget: Budget, count: int) -> bytes:
    """Up to `count` bytes of a member, whatever size it declares."""
    # The other methods cannot be unfolded bit by bit.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{place} is packed in a way that the published ones are not: {_AGAIN}")
    try:
        with archive.open(info) as member:
            content = member.read(count)
    except _BROKEN as error:
        raise DataError(f"{place} is damaged, cut off or encrypted: {_AGAIN}") from error
    budget.total -= len(content)
    if budget.total < 0:
        raise DataError(f"{place} unfolds to more than {_MAX_RATIO} times the size of its zip: {_AGAIN}")
    return content
