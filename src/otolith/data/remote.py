"""Folders given by URL: archives read from an object store, finished datasets copied to one (needs the extra `ray`)."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from otolith.data.format import FORMAT_VERSION, read_info
from otolith.types import DataError, MissingExtraError, OtolithError

_COPY_BYTES = 8 * 1024**2
_INDEX = "dataset.json"


def is_url(place: Path | str) -> bool:
    """Whether this is a URL; one that went through `Path` has lost a slash, and one letter is a drive of Windows."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(place)) is not None


def locate(place: Path | str) -> Path:
    """The folder at `place`: a `Path`, or for a URL a `UPath` of universal-pathlib, which has the same methods.

    Args:
        place: A path, or a URL of a file system that fsspec knows: `s3://bucket/folder`, `gs://...`, `memory://...`.
            How to sign in is up to that file system, for S3 the usual AWS variables and files.

    Raises:
        DataError: The file system is unknown, the package for it is not installed, or it refuses.
        MissingExtraError: universal-pathlib is not installed.
    """
    if not isinstance(place, str):
        return place
    if not is_url(place):
        return Path(place)
    try:
        from upath import UPath
    except ImportError as error:
        raise MissingExtraError("universal-pathlib", "ray", f"the URL {place}") from error
    with _reached(place):
        folder = UPath(place)
        folder.exists()  # so that a wrong address or password is found before the work
    return cast(Path, folder)


def upload(folder: Path, target: Path) -> None:
    """Copies a finished dataset to a URL, in place of an older one.

    No object store can swap two folders in one step, so this is not atomic. A `dataset.json` that says only that the
    dataset is incomplete comes first, the true one last: what breaks off in between is refused by every reader, and
    the next conversion replaces it. Do not read an older dataset there meanwhile.

    Args:
        folder: The dataset on the local disk.
        target: From `locate`.

    Raises:
        DataError: The file system refuses.
    """
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files.sort(key=_INDEX.__eq__)  # last; the others stay in order
    mark = {"name": read_info(folder)["name"], "format_version": FORMAT_VERSION, "incomplete": True}
    with _reached(str(target)):
        target.mkdir(parents=True, exist_ok=True)
        (target / _INDEX).write_text(json.dumps(mark), encoding="utf-8")
        for old in [path for path in target.rglob("*") if path.is_file()]:
            if old.relative_to(target).as_posix() not in files:
                old.unlink()
        for file in files:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            with (folder / file).open("rb") as source, (target / file).open("wb") as sink:
                shutil.copyfileobj(source, sink, _COPY_BYTES)


@contextmanager
def _reached(place: str) -> Iterator[None]:
    """One sentence for whatever a file system raises; their packages share no class of errors."""
    try:
        yield
    except OtolithError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{place} cannot be used: {reason}; check the address and that you may go there") from error
