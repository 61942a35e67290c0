from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Command

from otolith.data.store import Dataset


def test_export(otolith: Command, spar_dataset: Dataset, tmp_path: Path) -> None:
    done = otolith("datasets", "export", str(spar_dataset.path), "-o", str(tmp_path / "out"))
    assert done.out.strip().endswith("140 recordings as parquet")
    assert len(list((tmp_path / "out/recordings").glob("*.parquet"))) == 140


def test_what_cannot_be(refused: Callable[..., str], spar_dataset: Dataset, tmp_path: Path) -> None:
    folder = str(spar_dataset.path)
    assert "unknown format 'xml'" in refused("datasets", "export", folder, "-o", str(tmp_path / "out"), "-f", "xml")
    assert "is there already" in refused("datasets", "export", folder, "-o", folder)
    assert list(tmp_path.iterdir()) == []
