"""Damaging a small archive, and what is to be said of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from otolith.data.converters import convert
from otolith.types import DataError

Damage = Callable[[list[str]], list[str]]
"""From the lines of a file, without their ends, to others."""


def rewrite(path: Path, damage: Damage | None) -> None:
    """Changes the lines of a file; with None it is lost."""
    if damage is None:
        path.unlink()
    else:
        path.write_text("".join(line + "\n" for line in damage(path.read_text().splitlines())))


def cell(line: int, column: int, text: str, delimiter: str = ",") -> Damage:
    """Another text in one place; lines count from 1, columns from 0."""

    def damage(lines: list[str]) -> list[str]:
        cells = lines[line - 1].split(delimiter)
        cells[column] = text
        return [*lines[: line - 1], delimiter.join(cells), *lines[line:]]

    return damage


def refused(name: str, folder: Path, sentence: str) -> None:
    """The dataset is not converted, and one line of reasonable length says why."""
    with pytest.raises(DataError, match=re.escape(sentence)) as caught:
        list(convert(name, folder))
    assert str(caught.value).isprintable() and len(str(caught.value)) < len(str(folder)) + 500
