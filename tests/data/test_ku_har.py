"""What is particular to KU-HAR; the contract that it keeps is in `test_converters.py`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives.damage import Damage, cell, refused, rewrite
from archives.ku_har import FILES, rows, write
from otolith.data.channels import triads
from otolith.data.converters import convert
from otolith.data.recording import Recording, rest_magnitude
from otolith.data.registry import card
from otolith.types import DataError

RAW = "1.Raw_time_domian_data"
STAND = f"{RAW}/0.Stand/1002_A_6.csv"


@pytest.fixture(scope="module")
def found(archives: Callable[[str], Path | None]) -> dict[str, Recording]:
    return {recording.name: recording for recording in convert("ku_har", archives("ku_har"))}


def test_people_and_labels_come_from_names(found: dict[str, Recording]):
    assert {name: (r.subject, r.annotations[0].activity) for name, r in found.items()} == {
        "1002_stand_6": ("1002", "standing"),
        "1002_walk-backwards_1": ("1002", "walking backward"),
        "1002_push-up_2": ("1002", "push-up"),
        "1101_stand_1": ("1101", "standing"),
    }
    for recording in found.values():
        note = recording.annotations[0]
        assert (note.start, note.end) == (0, pytest.approx(recording.duration))


def test_every_person_is_on_one_side():
    about = card("ku_har")
    assert len(about.split.test) == 17 and len(about.split.val) == 18
    assert "1012" not in (*about.split.test, *about.split.val)


def test_each_sensor_keeps_its_own_clock(found: dict[str, Recording]):
    signal = found["1002_stand_6"].signal
    table = rows(0)
    start = max(table[0, 0], table[0, 4])  # the accelerometer's clock began at 0.006 s, the gyroscope's at 0.010 s
    grid = start + np.arange(len(signal)) / 100
    assert len(signal) == int((min(table[-1, 0], table[-1, 4]) - start) * 100 + 0.01) + 1
    for first, columns in ((0, slice(0, 3)), (4, slice(3, 6))):
        once = np.r_[True, np.diff(table[:, first]) > 0]  # where a time comes twice, its samples are averaged
        twice = np.flatnonzero(~once)
        values = table[:, first + 1 : first + 4].copy()
        values[twice - 1] = (values[twice - 1] + values[twice]) / 2
        for axis in range(3):
            expected = np.interp(grid, table[once, first], values[once, axis])
            np.testing.assert_allclose(signal[:, columns][:, axis], expected, atol=1e-4)


def test_gravity_was_removed(found: dict[str, Recording]):
    for recording in found.values():
        acc = next(columns for body in triads(recording.channels).values() for columns in body)
        assert [channel.gravity for channel in recording.channels] == [False] * 3 + [None] * 3
        assert rest_magnitude(recording.signal[:, acc], recording.rate) < 0.1


def test_times_may_be_in_milliseconds_as_the_readme_says(tmp_path: Path, found: dict[str, Recording]):
    write(tmp_path)
    table = rows(0)
    table[:, [0, 4]] *= 1000
    np.savetxt(tmp_path / STAND, table, fmt="%.8g", delimiter=",")
    recording = next(r for r in convert("ku_har", tmp_path) if r.name == "1002_stand_6")
    np.testing.assert_allclose(recording.signal, found["1002_stand_6"].signal, atol=1e-4)


def test_a_long_gap_is_missing_and_a_short_one_is_filled(tmp_path: Path):
    write(tmp_path)
    np.savetxt(tmp_path / STAND, np.delete(rows(0), np.r_[100:102, 400:450], axis=0), fmt="%.8g", delimiter=",")
    signal = next(r for r in convert("ku_har", tmp_path) if r.name == "1002_stand_6").signal
    missing = np.flatnonzero(np.isnan(signal).any(axis=1))
    assert 48 <= len(missing) <= 54 and 398 <= missing[0] <= 402 and (np.diff(missing) == 1).all()


@pytest.mark.parametrize("base", [".", RAW, f"{RAW}/{RAW}", f"ku_har/{RAW}"])
def test_folders_of_activities_may_lie_at_several_depths(base: str, tmp_path: Path):
    write(tmp_path / "made")
    (tmp_path / "raw" / base).parent.mkdir(parents=True, exist_ok=True)
    if base == ".":
        (tmp_path / "made" / RAW).rename(tmp_path / "raw")
    else:
        (tmp_path / "made" / RAW).rename(tmp_path / "raw" / base)
    assert len(list(convert("ku_har", tmp_path / "raw"))) == len(FILES)


def test_the_readme_s_name_of_a_folder_is_known(tmp_path: Path, found: dict[str, Recording]):
    write(tmp_path)
    (tmp_path / RAW / "12.Walk-backwards").rename(tmp_path / RAW / "12.Walk-backward")
    assert {recording.name for recording in convert("ku_har", tmp_path)} == set(found)


def test_conversion_streams(tmp_path: Path):
    """The first recording is there before the last file is read."""
    write(tmp_path)
    (tmp_path / RAW / "0.Stand/1101_A_1.csv").write_text("damaged")
    stream = convert("ku_har", tmp_path)
    assert next(stream).name == "1002_stand_6"
    with pytest.raises(DataError, match=r"1101_A_1.csv, line 1: 1 columns instead of 8"):
        list(stream)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda lines: [], "1002_A_6.csv is empty"),
        (lambda lines: [*lines[:3], lines[3] + ",1", *lines[4:]], "1002_A_6.csv, line 4: 9 columns instead of 8"),
        (lambda lines: [*lines[:-1], lines[-1][:20]], "1002_A_6.csv, line 1200: "),
        (cell(7, 2, "x"), "1002_A_6.csv, line 7: 'x' is not a number"),
        (cell(7, 2, "nan"), "1002_A_6.csv, line 7: 'nan' is not a number"),
        (cell(7, 2, "1e300"), "1002_A_6.csv, line 7: '1e300' is beyond what any sensor gives"),
        (cell(1200, 0, "0"), "1002_A_6.csv, line 1200: time goes back; take the files of 1.Raw_time_domian_data"),
        (cell(1200, 4, "0"), "1002_A_6.csv, line 1200: time goes back"),
        (cell(1200, 0, "1e8"), "the times give 1.2e-05 samples a second where about 100 are expected"),
        (lambda lines: lines[:1], "1002_A_6.csv: all samples have the same time"),
        (lambda lines: lines[::4], "1002_A_6.csv: the times give 25 samples a second"),
        (lambda lines: [lines[0]] * 50, "1002_A_6.csv: all samples have the same time"),
        # Many samples at once, and then a pause that makes up for it: the mean rate alone looks right.
        (
            lambda lines: [f"{k * 1e-7},0,0,0,{k * 1e-7},0,0,0" for k in range(999)] + ["10,0,0,0,10,0,0,0"],
            "1e+07 samp",
        ),
        (lambda lines: [line.replace(",", ";") for line in lines], "line 1: 1 columns instead of 8"),
    ],
)
def test_damage_is_named(damage: Damage, sentence: str, tmp_path: Path):
    write(tmp_path)
    rewrite(tmp_path / STAND, damage)
    refused("ku_har", tmp_path, sentence)


def test_sensors_that_share_no_time(tmp_path: Path):
    write(tmp_path)
    table = rows(0)
    table[:, 4] += 60
    np.savetxt(tmp_path / STAND, table, fmt="%.8g", delimiter=",")
    with pytest.raises(DataError, match=r"1002_A_6.csv: the streams share no time"):
        list(convert("ku_har", tmp_path))


@pytest.mark.parametrize("folder", ["18.Swim", "Stand.0", "0.stand"])
def test_unknown_activity(folder: str, tmp_path: Path):
    write(tmp_path)
    (tmp_path / RAW / "0.Stand").rename(tmp_path / RAW / folder)
    with pytest.raises(DataError, match=re.escape(f"'{folder}' is no activity of 'ku_har'; expected a number, a dot")):
        list(convert("ku_har", tmp_path))


@pytest.mark.parametrize("name", ["1002_AB_6.csv", "x1002_A_6.csv", "1002_A_6 copy.csv"])
def test_file_of_nobody(name: str, tmp_path: Path):
    write(tmp_path)
    (tmp_path / STAND).rename(tmp_path / STAND.replace("1002_A_6.csv", name))
    with pytest.raises(DataError, match="is not of 'ku_har': its files are named as 1002_A_6.csv"):
        list(convert("ku_har", tmp_path))
