from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Command

from otolith.data.store import Dataset


def test_list_and_info(otolith: Command) -> None:
    rows = json.loads(otolith("datasets", "list", "--json").out)
    assert {"spar", "hapt", "motionsense"} <= {row["name"] for row in rows}
    spar = next(row for row in rows if row["name"] == "spar")
    assert (spar["subjects"], spar["channels"], spar["activities"]) == (10, 12, 7)  # six at each wrist
    shown = otolith("datasets", "list").out
    assert all(row["name"] in shown for row in rows)
    about = json.loads(otolith("datasets", "info", "spar", "--json").out)
    assert about["name"] == "spar" and len(about["channels"]) == 12
    text = otolith("datasets", "info", "spar").out
    assert about["licence"] in text and about["citation"] in text and "bent over row" in text


def test_unknown_name_names_the_nearest(refused: Callable[..., str]) -> None:
    assert "did you mean 'motionsense'" in refused("datasets", "info", "motionsens")
    assert "did you mean 'spar'" in refused("datasets", "convert", "sparr", "-o", "out")


def test_convert_then_check(otolith: Command, tmp_path: Path, spar_dataset: Dataset) -> None:
    done = otolith("datasets", "convert", "spar", "-o", "made/spar")
    assert done.code == 0 and "made/spar: 140 recordings of 10 subjects, 1.4 h" in done.out
    assert Dataset.open(tmp_path / "made" / "spar").sha256 == spar_dataset.sha256
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["spar"]
    checked = otolith("datasets", "check", "made/spar", "--json")
    found = json.loads(checked.out)
    assert checked.code == 0 and found["recordings"] == 140 and not any(f["severe"] for f in found["findings"])
