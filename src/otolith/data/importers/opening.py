"""What a person gives to be imported: a file, a folder, or a zip of either."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from otolith.data.unpack import is_archive, unpack
from otolith.types import DataError

_OFFICE = (".xlsx", ".xlsm", ".ods", ".docx")
_COMPRESSED = (".gz", ".bz2", ".xz")
_CLUTTER = ("__MACOSX", ".DS_Store", "desktop.ini", "Thumbs.db")


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The file or folder itself, or what a zip or tar holds, unpacked for as long as the block lasts.

    A lone file in an archive is given as that file; anything else as a folder that is named after the archive.

    Raises:
        DataError: Nothing is there, or the archive is damaged, leads outside its folder, or unfolds without bound.
    """
    if not path.exists():
        raise DataError(f"there is no file or folder {path}; check the path")
    if not _is_packed(path):
        yield path
        return
    with TemporaryDirectory(prefix="otolith-") as temporary:
        folder = Path(temporary) / path.name.removesuffix(path.suffix).removesuffix(".tar")
        unpack([path], folder)
        yield _top(folder)


def _is_packed(path: Path) -> bool:
    name = path.name.lower()
    # One compressed file that is no archive (rows.csv.gz) is left to who knows what is in it.
    lone = name.endswith(_COMPRESSED) and not name.endswith(tuple(f".tar{ending}" for ending in _COMPRESSED))
    try:
        return path.is_file() and not lone and not name.endswith(_OFFICE) and is_archive(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check its permissions") from error


def _top(folder: Path) -> Path:
    """What is worth looking at in an unpacked folder: its one file, or the folder, less one level if that holds all."""
    inside = [entry for entry in folder.iterdir() if entry.name not in _CLUTTER]
    if len(inside) != 1:
        return folder
    if inside[0].is_file():
        return inside[0]
    top = folder.parent / "top" / folder.name  # keeps the archive's name, which is that of the recording
    top.parent.mkdir()
    return inside[0].rename(top)
