"""Files that only grow, block by block, and survive a crash."""

from __future__ import annotations

import csv
import errno
import io
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, ClassVar

from otolith.types import DataError

if sys.platform != "win32":
    import fcntl

UNFINISHED = b"\0"
"""First byte of a block that is not there as a whole; no complete block begins with it."""


class AppendOnly(ABC):
    """A file of CSV lines that only grows; a kind of file says how its blocks are packed and where they end.

    What one call adds is there as a whole or not at all: the block is written in one go with its first byte blank and
    synced, then the first byte is filled in. A reader stops at a blank block or at a last block without its end, and
    the next one that is added cuts such a remainder off.
    """

    what: ClassVar[str]
    header: ClassVar[bytes]

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def _complete(self, handle: BinaryIO) -> int:
        """How many bytes from the beginning are complete.

        Raises:
            DataError: The file is of another kind.
        """

    def _pack(self, lines: bytes) -> bytes:
        """The block that holds the lines."""
        return lines

    def _add(self, lines: bytes) -> None:
        """Adds lines at the end; none leaves the file alone.

        Raises:
            DataError: The path can hold no file, the file is of another kind, or the disk is full (nothing is added).
        """
        if not lines:
            return
        with self._locked() as descriptor:
            with os.fdopen(os.dup(descriptor), "rb") as handle:
                size = self._complete(handle)
            os.ftruncate(descriptor, size)
            block = self._pack(lines if size else self.header + lines)
            try:
                _write(descriptor, UNFINISHED + block[1:], size)
                _write(descriptor, block[:1], size)
            except OSError as error:
                os.ftruncate(descriptor, size)
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise DataError(f"no space left in {self.path}: nothing was added; free some and run again") from error

    def _require_place(self) -> None:
        folder = next(place for place in self.path.absolute().parents if place.exists())
        if self.path.is_dir() or not folder.is_dir():
            raise DataError(f"{self.path} cannot be {self.what}: give the path of a file in a folder")

    def _foreign(self) -> DataError:
        first = self.header.decode().strip()
        return DataError(f"{self.path} is not {self.what}: its first line must be {first}; choose another path")

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The open file; other processes that append wait (not on Windows, which has no such lock)."""
        self._require_place()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def encode(records: Iterable[Sequence[object]], columns: Sequence[str]) -> bytes:
    """CSV lines of records whose values have the order of the columns.

    Raises:
        DataError: A text has a line break or a zero byte, which mark the ends of lines and of blocks.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for record in records:
        for name, value in zip(columns, record, strict=True):
            if isinstance(value, str) and any(mark in value for mark in "\n\r\0"):
                raise DataError(f"{name} {value!r} has a line break or a zero byte; give it a plain name")
        # repr gives the shortest digits that read back as the same float.
        writer.writerow([repr(float(value)) if isinstance(value, float) else value for value in record])
    return text.getvalue().encode()


def _write(descriptor: int, data: bytes, offset: int) -> None:
    os.lseek(descriptor, offset, os.SEEK_SET)
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(descriptor)
