"""Small copies of the archives of those datasets that no package carries, exactly in the layout of the archives.

A module for each dataset; its `write(folder)` writes a few recordings.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

Writers = dict[str, Callable[[Path], None]]

_MODULES = sorted(path.stem for path in Path(__file__).parent.glob("*.py"))


@functools.cache
def _files(name: str) -> dict[str, bytes]:
    """The files of an archive: made once in a process, for hundreds of tests damage a copy of their own."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        import_module(f"archives.{name}").write(folder)
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _write(name: str, folder: Path) -> None:
    for path, content in _files(name).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


WRITERS: Writers = {
    name: functools.partial(_write, name) for name in _MODULES if name not in ("__init__", "damage", "motion", "matlab")
}
