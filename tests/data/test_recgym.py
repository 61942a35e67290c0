"""What is particular to RecGym; the contract that it keeps is in `test_converters.py`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives.damage import Damage, cell, refused, rewrite
from archives.recgym import HEADER, values, write
from otolith.data.channels import NORMALISED
from otolith.data.converters import convert, recgym, tables
from otolith.data.recording import Annotation, Recording, refuse_implausible
from otolith.types import DataError, UnitError

FILE = "RecGym.csv"


@pytest.fixture(scope="module")
def found(archives: Callable[[str], Path | None]) -> dict[str, Recording]:
    return {recording.name: recording for recording in convert("recgym", archives("recgym"))}


def test_a_recording_is_one_session_at_one_place(found: dict[str, Recording]):
    assert {name: (r.subject, r.channels[0].placement, len(r.signal)) for name, r in found.items()} == {
        "subject01_session1_wrist": ("subject01", "wrist", 400),
        "subject01_session1_leg": ("subject01", "calf", 400),
        "subject01_session2_wrist": ("subject01", "wrist", 400),
        "subject10_session1_pocket": ("subject10", "pocket", 400),
    }


def test_pauses_have_no_label(found: dict[str, Recording]):
    for recording in found.values():
        assert recording.annotations == (
            Annotation(3, 13, "biceps curl"),
            Annotation(16, 20, "climbing on a stair machine"),
        )


def test_no_unit_is_claimed_and_rest_is_zero(found: dict[str, Recording]):
    for seed, name in enumerate(found):
        recording = found[name]
        assert {channel.unit for channel in recording.channels} == {NORMALISED}
        assert [channel.sensor for channel in recording.channels] == ["acc"] * 3 + ["gyro"] * 3 + ["capacitance"]
        assert [channel.gravity for channel in recording.channels] == [False] * 3 + [None] * 4
        np.testing.assert_allclose(recording.signal, values(seed) - [*[0.5] * 6, 0], atol=1e-6)
        assert np.abs(recording.signal[:40, :3]).max() == 0  # the first two seconds are still
    assert recording.channels[6].description == "body capacitance, normalised, sensor at the pocket"


@pytest.mark.parametrize("size", [700, 5000])
def test_blocks_do_not_show(size: int, monkeypatch: pytest.MonkeyPatch, archives: Callable[[str], Path | None], found):
    """A workout that goes on in the next block is one workout, a session one recording."""
    monkeypatch.setattr(tables, "BLOCK_BYTES", size)
    again = list(convert("recgym", archives("recgym")))
    assert [recording.name for recording in again] == list(found)
    for recording in again:
        np.testing.assert_array_equal(recording.signal, found[recording.name].signal)
        assert recording.annotations == found[recording.name].annotations


def test_the_same_workout_after_a_pause_is_another_one(tmp_path: Path):
    _write(tmp_path, lambda lines: [line.replace("StairClimber", "ArmCurl") for line in lines])
    notes = next(convert("recgym", tmp_path)).annotations
    assert notes == (Annotation(3, 13, "biceps curl"), Annotation(16, 20, "biceps curl"))


def test_columns_are_found_by_name_and_by_the_names_of_the_documents(tmp_path: Path, found: dict[str, Recording]):
    def other(lines: list[str]) -> list[str]:
        turned = [",".join([line.split(",")[-1], *line.split(",")[:-1], "7"]) for line in lines]
        turned[0] = turned[0].replace("Subject", "Object").replace(",7", ",Day")
        return ["\ufeff" + turned[0], *(line.replace("StairClimber", "StairsClimber") for line in turned[1:])]

    _write(tmp_path, other)
    for recording in convert("recgym", tmp_path):
        np.testing.assert_array_equal(recording.signal, found[recording.name].signal)
        assert recording.annotations == found[recording.name].annotations


def test_a_session_in_two_parts_is_two_recordings(tmp_path: Path):
    _write(tmp_path, lambda lines: [lines[0], *lines[1:401], *lines[801:1201], *lines[401:801], *lines[1201:]])
    (tmp_path / FILE).write_text((tmp_path / FILE).read_text().replace("\n1,leg,1", "\n1,wrist,1"))
    names = [recording.name for recording in convert("recgym", tmp_path)]
    assert names[:3] == ["subject01_session1_wrist", "subject01_session2_wrist", "subject01_session1_wrist_2"]


def test_missing_cells_are_filled_where_they_are_few(tmp_path: Path, found: dict[str, Recording]):
    def empty(lines: list[str]) -> list[str]:
        return [re.sub(r"^(1,wrist,1),[\d.]+", r"\1,", line) if k in (101, 301, *range(200, 220)) else line
                for k, line in enumerate(lines)]  # fmt: skip

    _write(tmp_path, empty)
    signal = next(convert("recgym", tmp_path)).signal
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(signal[:, 0])), np.arange(199, 219))
    assert signal[100, 0] == pytest.approx(found["subject01_session1_wrist"].signal[[99, 101], 0].mean(), abs=1e-6)
    assert not np.isnan(signal[:, 1:]).any()


def test_conversion_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The first recording is there before the end of the file is read."""
    monkeypatch.setattr(tables, "BLOCK_BYTES", 4096)
    _write(tmp_path, lambda lines: [*lines[:-1], "damaged"])
    stream = convert("recgym", tmp_path)
    assert next(stream).name == "subject01_session1_wrist"
    with pytest.raises(DataError, match=r"RecGym.csv, line 1601: 1 columns instead of 11"):
        list(stream)


def test_a_session_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recgym, "_MOST_ROWS", 399)
    write(tmp_path)
    with pytest.raises(DataError, match="session 1 of subject 1 has more than 399 rows"):
        list(convert("recgym", tmp_path))


def _write(folder: Path, change: Damage) -> None:
    write(folder)
    rewrite(folder / FILE, change)


def _cell(line: int, name: str, value: str) -> Damage:
    return cell(line, HEADER.split(",").index(name), value)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda lines: [], "RecGym.csv is empty"),
        (lambda lines: lines[:1], "RecGym.csv is empty"),
        (lambda lines: [lines[0].replace("G_y", "y"), *lines[1:]], "line 1: column 'G_y' is missing; expected"),
        (lambda lines: [lines[0].replace("G_y", "G_x"), *lines[1:]], "line 1: column 'G_x' is there twice; expected"),
        (lambda lines: [line.replace(",", ";") for line in lines], "line 1: column 'Subject' is missing"),
        (lambda lines: [*lines[:3], lines[3] + ",1", *lines[4:]], "RecGym.csv, line 4: 12 columns instead of 11"),
        (lambda lines: [*lines[:-1], lines[-1][:30]], "RecGym.csv, line 1601: 6 columns instead of 11"),
        (_cell(9, "A_x", "x"), "RecGym.csv, line 9: 'x' is not a number"),
        (_cell(9, "Subject", "one"), "RecGym.csv, line 9: Subject 'one' is not one of 1 to 10"),
        (_cell(9, "Session", ""), "RecGym.csv, line 9: '' is not a whole number"),
        (_cell(9, "Subject", "11"), "RecGym.csv, line 9: Subject '11' is not one of 1 to 10"),
        (_cell(9, "Position", "calf"), "RecGym.csv, line 9: Position 'calf' is not one of wrist, pocket, leg"),
        (_cell(9, "Workout", "Flying"), "RecGym.csv, line 9: Workout 'Flying' is not one of Adductor, ArmCurl"),
        (_cell(9, "Workout", "F" * 9999), f"line 9: Workout '{'F' * 80}...' is not one of"),
        (_cell(9, "Position", '"leg'), "line 9: Position '\"leg' is not one of"),
        (_cell(9, "A_x", "inf"), "RecGym.csv, line 9: 'inf' is not a number"),
        (_cell(9, "A_x", "1e39"), "RecGym.csv, line 9: '1e39' is beyond what any sensor gives"),
        (_cell(9, "Session", "7"), "7 samples are too few"),
    ],
)
def test_damage_is_named(damage: Damage, sentence: str, tmp_path: Path):
    _write(tmp_path, damage)
    refused("recgym", tmp_path, sentence)


def test_a_column_without_numbers_is_noticed(tmp_path: Path):
    _write(tmp_path, lambda lines: [re.sub(r"^(\d+,\w+,\d+),[\d.]+", r"\1,", line) for line in lines])
    with pytest.raises(UnitError, match="'wrist_acc_x' has no values at all"):
        refuse_implausible(next(convert("recgym", tmp_path)))
