"""How a table in an archive is written, and what is wrong with a line that is written otherwise."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from otolith.data.signal import LARGEST

Kind = type[np.number[Any]] | Sequence[str] | None
"""What a column holds: `np.float64` or `np.float32`; `np.int64`, as times of 64 bits lose digits as float; the words
that may stand in it; or None where nobody looks."""

LOST = ("", "nan", "NaN")
"""What stands for a lost number in tables of which nobody says what does."""

_WHOLE = re.compile("-?[0-9]+")
_BEYOND = "is beyond what any sensor gives"


@dataclass(frozen=True)
class Content:
    """A table that is in memory: its bytes, and what sentences call it."""

    name: str
    data: bytes

    def __str__(self) -> str:
        return self.name

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """As of a path."""
        return io.BytesIO(self.data)


Source = Path | Content
"""Where a table is read from."""


@dataclass(frozen=True)
class Layout:
    """How a table is written: one row a line.

    Attributes:
        kinds: For each column, in order, what it holds.
        delimiter: One character between columns.
        header: Whether the first line names the columns; it must have exactly these names.
        others: Whether the columns may come in any order and others among them, as the header says.
        aliases: Other names of columns that a header may have.
        lost: What may stand for a floating-point number that was lost, which becomes NaN.
        ending: A mark that may stand at the end of a line.
    """

    kinds: Mapping[str, Kind]
    delimiter: str = ","
    header: bool = False
    others: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    ending: str = ""

    def named(self, header: str) -> list[str]:
        """What the columns of a table with this first line are called."""
        found = [name.strip().strip('"') for name in header.split(self.delimiter)]
        return [self.aliases.get(name, name) for name in found]

    def header_fault(self, names: Sequence[str]) -> str:
        """What is wrong with a table whose columns have these names; empty if nothing is."""
        expected = f"expected {', '.join(name or '(no name)' for name in self.kinds)}"
        for name in self.kinds:
            if names.count(name) != 1:
                return f"column '{name}' is {'there twice' if name in names else 'missing'}; {expected}"
        if not self.others and names != list(self.kinds):
            return f"columns are {shown(', '.join(names))}; {expected}"
        return ""

    def fault(self, line: str, names: Sequence[str]) -> str:
        """What is wrong with a line of a table that has these columns; empty if nothing is."""
        cells = line.removesuffix(self.ending).split(self.delimiter)
        if len(cells) != len(names):
            return f"{len(cells)} columns instead of {len(names)}"
        for name, cell in zip(names, cells, strict=True):
            kind, text = self.kinds.get(name), cell.strip()
            text = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
            if kind is None or (isinstance(kind, type) and issubclass(kind, np.floating) and text in self.lost):
                continue
            if not isinstance(kind, type):
                if text not in kind:
                    return f"{name} '{shown(cell)}' is not one of {_listed(kind)}"
            elif problem := _number_fault(kind, text):
                return f"'{shown(cell)}' {problem}"
        return ""


def shown(text: str) -> str:
    """What a stranger wrote, on one line and not the whole of a megabyte."""
    plain = "".join(character if character.isprintable() else "?" for character in text[:80])
    return plain + ("..." if len(text) > len(plain) else "")


def _number_fault(kind: type[np.number[Any]], text: str) -> str:
    if issubclass(kind, np.integer):
        if not _WHOLE.fullmatch(text):
            return "is not a whole number"
        return "" if len(text) < 30 and abs(int(text)) < 2**63 else _BEYOND
    try:
        number = float(text.replace("_", "x"))  # Python admits 1_000, as no parser of tables does
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        return "is not a number"
    return "" if abs(number) < LARGEST else _BEYOND


def _listed(words: Sequence[str]) -> str:
    """The words; of numbers without a gap the first and the last."""
    first = words[0]
    if len(words) > 2 and first.isdigit() and list(words) == [str(int(first) + k) for k in range(len(words))]:
        return f"{first} to {words[-1]}"
    return ", ".join(words)
