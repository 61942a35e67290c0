"""Unpacking the archive of a stranger: nothing outside the target, no links, bounded size, all or nothing."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from otolith.files import atomic_directory
from otolith.types import DataError

MAX_RATIO = 200
"""How many times its own size an archive may unfold to; tables of text reach 10 to 40."""

_SLACK_BYTES = 64 * 1024**2
_MAX_FILES = 500_000
_CHUNK = 1024**2
_MAX_READ = 64 * 1024**2
_MAX_NAME = 1024
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError, IndexError)
_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_NESTED = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


@dataclass
class _Budget:
    """What may still be written, and what has been."""

    bytes: int
    seen: set[str] = field(default_factory=set)

    def file(self, archive: Path, name: str) -> None:
        folded = name.casefold()  # on some disks A.csv and a.csv are one file
        if folded in self.seen:
            raise DataError(f"{archive} holds '{name[:80]}' twice: download it again from its official source")
        self.seen.add(folded)
        if len(self.seen) > _MAX_FILES:
            raise DataError(f"{archive} holds more than {_MAX_FILES} files: it is not the archive of a dataset")

    def spend(self, archive: Path, count: int) -> None:
        self.bytes -= count
        if self.bytes < 0:
            raise DataError(
                f"{archive} unfolds to more than {MAX_RATIO} times its size, so it is no archive of recordings: "
                "download it again from its official source"
            )


def is_archive(path: Path) -> bool:
    """Whether the file begins like a zip or a tar, plain or compressed."""
    with path.open("rb") as file:
        head = file.read(512)
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06", *_OPENERS)) or head[257:262] == b"ustar"


def unpack(archives: Sequence[Path], target: Path, notes: Mapping[str, str] | None = None) -> None:
    """Unpacks archives (zip, tar, compressed tar) side by side into one new folder; other files are copied.

    An archive that lies at the top of another one is unpacked too: several official zips hold just one more zip.

    Args:
        archives: The files.
        target: The folder; what is there is replaced in one step when everything has been read.
        notes: Small text files to put beside the content, by name.

    Raises:
        DataError: An archive is damaged or encrypted, leads outside the folder, holds links or devices, or unfolds to
            more than `MAX_RATIO` times its size; `target` is as it was.
    """
    with atomic_directory(target) as folder:
        for archive in archives:
            budget = _Budget(archive.stat().st_size * MAX_RATIO + _SLACK_BYTES)
            if not is_archive(archive):
                shutil.copyfile(archive, folder / archive.name)
                continue
            _unpack_one(archive, folder, budget)
            for inner in sorted(p for p in folder.iterdir() if p.name.lower().endswith(_NESTED) and p.is_file()):
                if is_archive(inner):
                    _unpack_one(inner, folder, budget)
                    inner.unlink()
        for name, text in (notes or {}).items():
            (folder / name).write_text(text, encoding="utf-8")


def _unpack_one(archive: Path, folder: Path, budget: _Budget) -> None:
    with _said(archive):
        members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
        for name, opened in members(archive):
            place = _inside(archive, folder, name)
            if opened is None:
                place.mkdir(parents=True, exist_ok=True)
                continue
            budget.file(archive, str(place.relative_to(folder)))
            place.parent.mkdir(parents=True, exist_ok=True)
            with opened() as content, place.open("xb") as out:
                while piece := content.read(_CHUNK):
                    budget.spend(archive, len(piece))
                    out.write(piece)


@contextmanager
def _said(archive: Path) -> Iterator[None]:
    again = "download it again from its official source"
    try:
        yield
    except DataError:
        raise
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(f"{archive} holds a file and a folder of one name: {again}") from error
    except (NotImplementedError, RuntimeError) as error:  # how zipfile says that it cannot read a member
        raise DataError(f"{archive} is encrypted or packed in a way that cannot be read: {again}") from error
    except (*_BROKEN, MemoryError) as error:
        raise DataError(f"{archive} is damaged or cut off and cannot be unpacked: {again}") from error
    except OSError as error:
        # gzip and bz2 say so of damaged content without a number, a seek to nowhere as EINVAL; else the system speaks.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise DataError(f"{archive} is damaged or cut off and cannot be unpacked: {again}") from error


def _inside(archive: Path, folder: Path, name: str) -> Path:
    """The place of a member, which must lie in the folder whatever its name says."""
    plain = PurePosixPath(name.replace("\\", "/"))
    drive = len(name) > 1 and name[1] == ":"
    if plain.is_absolute() or ".." in plain.parts or drive or "\0" in name or len(name) > _MAX_NAME:
        raise DataError(f"{archive} holds '{name[:80]}', which leads outside its folder: do not trust this archive")
    if any(len(part.encode("utf-8", "replace")) > 255 for part in plain.parts):
        raise DataError(f"{archive} holds a file whose name is too long: do not trust this archive")
    return folder.joinpath(*plain.parts)


_Member = tuple[str, Callable[[], IO[bytes]] | None]
"""The name of a file and what opens it; None for a folder."""


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"{archive} holds a link or device, '{info.filename[:80]}': do not trust this archive")
            yield info.filename, None if info.is_dir() else partial(file.open, info)


class _Bounded(io.RawIOBase):
    """A file of which no single read may take much: tarfile reads a header of declared size in one go."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise tarfile.ReadError("a header of absurd size")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _tar_members(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as raw:
        head = raw.read(6)
        raw.seek(0)
        opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
        plain = opener(raw) if opener else raw
        with plain, tarfile.open(fileobj=cast("IO[bytes]", _Bounded(plain)), mode="r:") as file:
            for info in file:
                if not (info.isreg() or info.isdir()):
                    raise DataError(f"{archive} holds a link or device, '{info.name[:80]}': do not trust this archive")
                yield info.name, partial(_of_tar, file, info) if info.isreg() else None


def _of_tar(file: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = file.extractfile(info)
    assert content is not None  # it is a regular file
    return content
