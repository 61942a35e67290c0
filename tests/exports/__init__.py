"""Small copies of what devices and apps export, exactly in their documented layout.

A module for each kind of export, named as its importer; its `write(folder)` writes one session into the empty `folder`
and gives the path of the file or folder that a person would import. `generic` holds tables, which need a mapping.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

_MODULES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__init__", "generic"))
WRITERS: dict[str, Callable[[Path], Path]] = {name: import_module(f"exports.{name}").write for name in _MODULES}
