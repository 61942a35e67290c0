from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command

from otolith.data.channels import GRAVITY
from otolith.data.recording import Recording
from otolith.data.store import Dataset, DatasetWriter


def few(recordings: list[Recording], path: Path, scale: float = 1.0) -> Path:
    with DatasetWriter(path, "spar") as writer:
        for recording in recordings[:3]:
            signal = recording.signal.copy()
            signal[:, :3] *= np.float32(scale)
            writer.add(replace(recording, signal=signal))
    return path


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
    checked = otolith("datasets", "check", "made/spar")
    assert checked.code == 0 and "140 recordings checked, contents intact: 0 severe findings" in checked.out
    found = json.loads(otolith("datasets", "check", "made/spar", "--json").out)
    assert found["recordings"] == 140 and not any(f["severe"] for f in found["findings"])


def test_check_finds_a_planted_wrong_unit(otolith: Command, tmp_path: Path, spar_recordings: list[Recording]) -> None:
    few(spar_recordings, tmp_path / "right")
    few(spar_recordings, tmp_path / "wrong", 1 / GRAVITY)
    assert otolith("datasets", "check", "right").code == 0
    outcome = otolith("datasets", "check", "wrong")
    assert outcome.code == 1 and outcome.err == ""
    assert outcome.out.count("severe: subject01") == 3 and "give the unit as g" in outcome.out
    found = json.loads(otolith("datasets", "check", "wrong", "--json").out)["findings"]
    assert {f["kind"] for f in found if f["severe"]} == {"unit"}


def test_check_notices_one_flipped_bit(
    refused: Callable[..., str], tmp_path: Path, spar_recordings: list[Recording]
) -> None:
    shard = few(spar_recordings, tmp_path / "spar") / "signals" / "0-0.npy"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    assert "is not what was converted" in refused("datasets", "check", "spar")


@pytest.mark.parametrize("file", ["dataset.json", "recordings.parquet", "annotations.parquet", "signals/0-0.npy"])
def test_check_notices_what_is_missing_or_cut_off(
    refused: Callable[..., str], tmp_path: Path, spar_recordings: list[Recording], file: str
) -> None:
    path = few(spar_recordings, tmp_path / "spar") / file
    path.write_bytes(path.read_bytes()[:-9])
    assert file in (said := refused("datasets", "check", "spar")) and "again" in said
    path.unlink()
    assert file in refused("datasets", "check", "spar")
