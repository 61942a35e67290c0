"""`otolith datasets check` as a person runs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.conftest import Command

from faults import plant, write
from otolith.data.recording import Recording


def test_a_good_dataset(otolith: Command, tmp_path: Path, spar_recordings: list[Recording]) -> None:
    write(spar_recordings[::9], tmp_path / "spar", "spar")
    done = otolith("datasets", "check", "spar")
    assert done.code == 0 and done.err == ""
    assert done.out.startswith("spar: 16 recordings of 10 people, 0.2 h at 50 Hz\n")
    assert "smartwatch at the left wrist" in done.out
    assert done.out.endswith("16 recordings checked, contents intact: 0 severe findings, 0 notes\n")


def test_a_fault_is_one_line_and_the_exit_code_1(
    otolith: Command, tmp_path: Path, spar_recordings: list[Recording]
) -> None:
    write((plant(recording, "g") for recording in spar_recordings[::9]), tmp_path / "wrong")
    done = otolith("datasets", "check", "wrong")
    assert done.code == 1 and done.err == ""
    assert done.out.count("severe   unit") == 1 and "in all 16 recordings" in done.out
    assert "give the unit as g" in " ".join(done.out.split())
    assert "not judged: the sign of gravity at 'left wrist', 'right wrist'" in done.out
    assert "16 recordings checked, contents intact: 1 severe finding, 0 notes" in done.out
    said = json.loads(otolith("datasets", "check", "wrong", "--json").out)
    (finding,) = said["findings"]
    assert finding["kind"] == "unit" and finding["severe"] and finding["recordings"] == 16
    assert said["recordings"] == 16 and said["rest"]["smartwatch at the left wrist"][1] == pytest.approx(1, abs=0.3)


def test_names_are_no_markup(otolith: Command, tmp_path: Path, spar_recordings: list[Recording]) -> None:
    twins = [replace(spar_recordings[0], name=name, annotations=()) for name in ("[red]a[/]", "[/b]")]
    write(twins, tmp_path / "own")
    assert "'[red]a[/]' is '[/b]'" in " ".join(otolith("datasets", "check", "own").out.split())


def test_the_page(otolith: Command, tmp_path: Path, spar_recordings: list[Recording]) -> None:
    write((plant(recording, "deg") for recording in spar_recordings[::9]), tmp_path / "wrong")
    done = otolith("datasets", "check", "wrong", "--html", "reports/check.html")
    assert done.code == 1 and "2 severe findings" in done.out
    page = (tmp_path / "reports" / "check.html").read_text(encoding="utf-8")
    assert "looks like deg/s declared as rad/s" in page
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["check.html"]


def test_without_jinja_nothing_is_checked(
    refused: Callable[..., str], tmp_path: Path, spar_recordings: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    from otolith.evaluate import pages

    write(spar_recordings[:2], tmp_path / "own")
    pages.template.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    said = refused("datasets", "check", "own", "--html", "check.html")
    assert said == "writing a report needs 'jinja2': install it with  pip install 'otolith[eval]'"
    monkeypatch.delitem(sys.modules, "jinja2")
    assert "contents intact" not in said


def test_a_page_that_cannot_be_written(otolith: Command, tmp_path: Path, spar_recordings: list[Recording]) -> None:
    write(spar_recordings[:2], tmp_path / "own")
    (tmp_path / "there").mkdir()
    done = otolith("datasets", "check", "own", "--html", "there")
    assert done.code == 2 and done.err.startswith("otolith: cannot write there: ") and done.err.count("\n") == 1


def test_one_flipped_bit(refused: Callable[..., str], tmp_path: Path, spar_recordings: list[Recording]) -> None:
    write(spar_recordings[:3], tmp_path / "spar", "spar")
    shard = tmp_path / "spar" / "signals" / "0-0.npy"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    assert "is not what was converted" in refused("datasets", "check", "spar")


@pytest.mark.parametrize("file", ["dataset.json", "recordings.parquet", "annotations.parquet", "signals/0-0.npy"])
def test_what_is_missing_or_cut_off(
    refused: Callable[..., str], tmp_path: Path, spar_recordings: list[Recording], file: str
) -> None:
    write(spar_recordings[:3], tmp_path / "spar", "spar")
    path = tmp_path / "spar" / file
    path.write_bytes(path.read_bytes()[:-9])
    assert file in (said := refused("datasets", "check", "spar")) and "again" in said
    path.unlink()
    assert file in refused("datasets", "check", "spar")
