"""Writing so that a reader finds the old content or the new, never half of either."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from otolith.types import DataError

if sys.platform != "win32":
    import fcntl

_NOT_WRITABLE = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.EFBIG,
    errno.EBUSY,  # a mount point cannot be replaced
    errno.EXDEV,
)


def _concerns(error: OSError, target: Path) -> bool:
    """Whether the error is about the place of `target`, not about some other file that the caller reads meanwhile."""
    if error.filename is None:
        return True
    place, target = (path.absolute() for path in (Path(os.fsdecode(error.filename)), target))
    return place.is_relative_to(target.parent) or target.is_relative_to(place)


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"no space left while writing {target}: nothing was changed; free some space and run again"
            ) from error
        if error.errno in _NOT_WRITABLE and _concerns(error, target):
            raise DataError(f"cannot write {target}: {error.strerror}; choose another place") from error
        raise


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yields a temporary path beside `target`; on success it replaces `target` in one step.

    Args:
        target: The file to write. Its folder is created.

    Raises:
        DataError: The disk is full or the place is not writable; `target` is as it was.
    """
    with _disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            _sync(temporary)
            temporary.chmod(0o644)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `target`; on success it takes `target`'s place.

    A process killed in between leaves the old folder, or (for the instant of the swap) none.

    Raises:
        DataError: The disk is full or the place is not writable; `target` is as it was.
    """
    with _disk_errors(target), ExitStack() as stack:
        target = Path(os.path.realpath(target))  # `.` has no name of its own, and a link is to stay
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent):
            _sweep(target)
            temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
            stack.callback(shutil.rmtree, temporary, ignore_errors=True)
            stack.enter_context(_locked(temporary))
        yield temporary
        for path in temporary.rglob("*"):
            if path.is_file():
                _sync(path)
        temporary.chmod(0o755)
        with _locked(target.parent):
            _swap(temporary, target)


@contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Whether this process alone holds `folder`; the lock ends with the block or with the process.

    False where another process holds it (without `wait`), and where there are no such locks (Windows, some disks).
    """
    descriptor, held = None, False
    if sys.platform != "win32":
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = True
    try:
        yield held
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _swap(temporary: Path, target: Path) -> None:
    if not target.exists():
        temporary.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        target.rename(old / "old")
        try:
            temporary.rename(target)
        except OSError:
            (old / "old").rename(target)
            raise
    except OSError:
        with suppress(OSError):
            old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sweep(target: Path) -> None:
    """Removes what a killed process left beside `target`, and nothing that a living one still writes."""
    # The exact form that mkdtemp gives: `.a.*.part` would also match the live folder of a dataset named `a.b`.
    ours = re.compile(re.escape(f".{target.name}.") + r"[a-z0-9_]{8}\.part")
    for left in target.parent.iterdir():
        if ours.fullmatch(left.name):
            with _locked(left, wait=False) as abandoned:
                if abandoned:
                    shutil.rmtree(left, ignore_errors=True)


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
