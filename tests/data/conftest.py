"""The small archives, written once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archives import WRITERS
from otolith.data.registry import CARDS

Archives = Callable[[str], Path | None]


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    """The folder of a dataset's small archive; None where a package carries the dataset. Read only."""
    made: dict[str, Path] = {}

    def archive(name: str) -> Path | None:
        if CARDS[name].package:
            return None
        if name not in made:
            made[name] = tmp_path_factory.mktemp("raw") / name
            WRITERS[name](made[name])
        return made[name]

    return archive
