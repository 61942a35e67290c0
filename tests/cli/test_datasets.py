from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Command

from otolith.data.channels import GRAVITY
from otolith.data.recording import Recording
from otolith.data.store import Dataset, DatasetWriter

KILLED = """
import os, signal
from otolith.cli.main import main
from otolith.data import converters
whole = converters.convert
def cut(name, raw):
    for number, recording in enumerate(whole(name, raw)):
        if number == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        yield recording
converters.convert = cut
main()
"""


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


def test_killed_while_converting(otolith: Command, refused: Callable[..., str], tmp_path: Path) -> None:
    arguments = ["datasets", "convert", "spar", "-o", "spar"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=tmp_path, capture_output=True)
    assert killed.returncode == -9
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    said = refused("datasets", "check", "spar")
    assert "was interrupted; run it again:  otolith datasets convert spar" in said
    assert otolith(*arguments).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["spar"]
    assert otolith("datasets", "check", "spar").code == 0


def test_full_disk_while_converting_keeps_the_old_dataset(
    tmp_path: Path, spar_recordings: list[Recording], otolith: Command
) -> None:
    """A limit on the size of files stands for the disk; the system gives the error in a real write."""
    old = Dataset.open(few(spar_recordings, tmp_path / "spar")).sha256
    code = "from otolith.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "datasets", "convert", "spar", "-o", "spar"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    )
    assert done.returncode == 2
    assert done.stderr == "otolith: cannot write spar: File too large; choose another place\n"
    assert [path.name for path in tmp_path.iterdir()] == ["spar"]
    assert Dataset.open(tmp_path / "spar").sha256 == old


def test_convert_spares_what_is_no_dataset(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    (tmp_path / "file").write_text("more work")
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "dataset.json").write_text("{}")
    (tmp_path / "web" / "thesis.txt").write_text("years of work")
    for place in ("thesis", "file", ".", tmp_path, "web"):
        assert "left as it is" in refused("datasets", "convert", "spar", "-o", place)


def test_convert_replaces_the_same_dataset_only(
    otolith: Command,
    refused: Callable[..., str],
    tmp_path: Path,
    spar_recordings: list[Recording],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few(spar_recordings, tmp_path / "hapt")
    said = refused("datasets", "convert", "hapt", "-o", "hapt", "--raw", tmp_path)
    assert "holds the dataset 'spar', not 'hapt'" in said
    monkeypatch.chdir(tmp_path / "hapt")
    assert otolith("datasets", "convert", "spar", "-o", ".").code == 0
    assert len(Dataset.open(tmp_path / "hapt")) == 140
    assert [path.name for path in tmp_path.iterdir()] == ["hapt"]


def test_raw_data_that_is_not_there(refused: Callable[..., str]) -> None:
    for options in ([], ["--raw", "nowhere"]):
        said = refused("datasets", "convert", "hapt", "-o", "hapt", *options)
        assert "hapt" in said.lower() and ("--raw" in said or "nowhere" in said)
