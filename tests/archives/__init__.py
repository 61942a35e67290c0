"""Small copies of the archives of those datasets that no package carries, exactly in the layout of the archives.

A module for each dataset; its `write(folder)` writes a few recordings.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

Writers = dict[str, Callable[[Path], None]]

_MODULES = sorted(path.stem for path in Path(__file__).parent.glob("*.py"))
WRITERS: Writers = {
    name: import_module(f"archives.{name}").write
    for name in _MODULES
    if name not in ("__init__", "damage", "motion", "matlab")
}
