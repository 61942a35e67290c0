"""What is particular to MobiAct: labels on each row, angles that wrap, and that it is not MobiFall."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives.damage import Damage, cell, refused, rewrite
from archives.mobiact import HEADER, LEAVING_HOME, RAW, angles, write
from archives.motion import G, simulate
from otolith.data.converters import convert, parts
from otolith.data.recording import Recording
from otolith.data.registry import card
from otolith.types import DataError

Archives = Callable[[str], Path | None]
ANNOTATED = Path("MobiAct_Dataset_v2.0/Annotated Data")
FALL = ANNOTATED / "FOL/FOL_1_2_annotated.csv"


@pytest.fixture(scope="module")
def found(archives: Archives) -> dict[str, Recording]:
    return {recording.name: recording for recording in convert("mobiact", archives("mobiact"))}


def test_a_recording_for_each_trial_and_scenario(found: dict[str, Recording]):
    assert {r.name: r.subject for r in found.values()} == {
        "WAL_sub1_1": "sub1",
        "WAL_sub12_1": "sub12",
        "STU_sub1_6": "sub1",
        "FOL_sub1_2": "sub1",
        "SLH_sub12_1": "sub12",
    }
    assert {r.channels for r in found.values()} == {card("mobiact").channels}


def test_trials_come_in_the_order_of_numbers(tmp_path: Path):
    write(tmp_path)
    for person in (2, 10):
        path = tmp_path / ANNOTATED / f"WAL/WAL_{person}_1_annotated.csv"
        path.write_bytes((tmp_path / ANNOTATED / "WAL/WAL_1_1_annotated.csv").read_bytes())
    walks = [recording.name for recording in convert("mobiact", tmp_path) if recording.name.startswith("WAL")]
    assert walks == ["WAL_sub1_1", "WAL_sub2_1", "WAL_sub10_1", "WAL_sub12_1"]


def test_values_are_in_si(found: dict[str, Recording]):
    signal = found["FOL_sub1_2"].signal
    acc, gyro = simulate(10, 3, rate=200)
    assert len(signal) == pytest.approx(2000, abs=1) and not np.isnan(signal).any()
    # In the still seconds; where the phone moves, the rows' clock shakes.
    np.testing.assert_allclose(signal[10:390, :3], acc[10:390] * G, atol=1e-4)
    np.testing.assert_allclose(signal[10:390, 3:6], gyro[10:390], atol=0.01)
    assert np.corrcoef(signal[:1999, 4], gyro[:1999, 1])[0, 1] > 0.99


def test_angles_are_radians_and_go_through_north(found: dict[str, Recording]):
    """Between 359 and 1 degree there is no sample at 180."""
    signal = found["WAL_sub1_1"].signal.astype(np.float64)
    expected = np.radians(angles())[: len(signal)]
    turned = (signal[:, 6:] - expected + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(turned).max() < 0.001
    assert signal[:, 6].min() < 0.01 and signal[:, 6].max() > 6.27  # it does pass north
    assert signal[:, 6].min() >= 0 and np.abs(signal[:, 7:]).max() <= np.pi
    assert [(c.name, c.axis) for c in found["WAL_sub1_1"].channels[6:]] == [
        ("azimuth", "z"), ("pitch", "x"), ("roll", "y")]  # fmt: skip


def test_a_fall_is_standing_falling_and_lying(found: dict[str, Recording]):
    notes = found["FOL_sub1_2"].annotations
    assert [note.activity for note in notes] == ["standing", "falling forward", "lying"]
    assert [note.start for note in notes] == pytest.approx([0, 10 / 3, 20 / 3], abs=0.006)
    assert notes[-1].end == pytest.approx(10, abs=0.006)


def test_a_scenario_is_labelled_row_by_row(found: dict[str, Recording]):
    notes = found["SLH_sub12_1"].annotations
    assert [note.activity for note in notes] == [card("mobiact").activities[code] for code in LEAVING_HOME]
    for one, other in itertools.pairwise(notes):
        assert one.end == other.start
        assert one.end - one.start == pytest.approx(10 / 9, abs=0.02)


def test_conversion_streams(tmp_path: Path):
    write(tmp_path)
    (tmp_path / ANNOTATED / "WAL/WAL_12_1_annotated.csv").write_bytes(b"damaged")
    stream = convert("mobiact", tmp_path)
    assert len(next(stream).signal) > 100
    with pytest.raises(DataError):
        list(stream)


def test_a_part_is_a_trial(archives: Archives):
    assert [len(list(part())) for part in parts("mobiact", archives("mobiact"))] == [1] * 5


@pytest.mark.parametrize("inside", ["", "mobiact", "mobiact/MobiAct_Dataset_v2.0"])
def test_folder_may_be_nested_as_tools_unpack_it(inside: str, tmp_path: Path):
    write(tmp_path / inside)
    assert len(list(convert("mobiact", tmp_path))) == 5
    assert len(list(convert("mobiact", tmp_path / inside / ANNOTATED))) == 5


def test_short_gap_is_bridged_and_long_one_is_missing(tmp_path: Path):
    write(tmp_path)
    path = tmp_path / FALL
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:101], *lines[109:301], *lines[341:]]))  # 8 rows, then 40
    recording = next(r for r in convert("mobiact", tmp_path) if r.name == "FOL_sub1_2")
    missing = np.flatnonzero(np.isnan(recording.signal).any(axis=1))
    assert len(missing) == pytest.approx(40, abs=2) and missing[0] == pytest.approx(300, abs=2)


# What is taken for it


def text_file(folder: Path, place: str) -> None:
    path = folder / place
    path.parent.mkdir(parents=True)
    path.write_text(RAW)


@pytest.mark.parametrize("above", ["", "mobiact/", "MobiFall_Dataset_v2.0/", "MobiAct_Dataset_v2.0/"])
@pytest.mark.parametrize("place", ["sub1/FALLS/FOL/FOL_acc_1_2.txt", "sub10/ADL/JOG/JOG_acc_10_1.txt"])
def test_mobifall_is_refused(above: str, place: str, tmp_path: Path):
    text_file(tmp_path, above + place)
    refused("mobiact", tmp_path, f"{tmp_path}: this is MobiFall, not MobiAct: its trials lie by person")
    refused("mobiact", tmp_path, "get MobiAct_Dataset_v2.0 with its folder 'Annotated Data' from https://bmi.hmu.gr/")


def test_raw_data_and_first_release_are_refused(tmp_path: Path):
    text_file(tmp_path / "a", "MobiAct_Dataset_v2.0/Raw Data/FOL/FOL_acc_1_2.txt")
    refused("mobiact", tmp_path / "a", "of MobiAct only the raw data are here, and no row has a label; get MobiAct_")
    text_file(tmp_path / "b", "MobiAct_Dataset/FOL/FOL_acc_1_2.txt")
    refused("mobiact", tmp_path / "b", "raw data of MobiAct, or its first release, and no row has a label")


# Damage


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda lines: [], "FOL_1_2_annotated.csv is empty"),
        (lambda lines: lines[:1], "FOL_1_2_annotated.csv is empty"),
        (lambda lines: [lines[0].replace("roll", "r"), *lines[1:]], "line 1: column 'roll' is missing"),
        (lambda lines: lines[1:], "line 1: column 'timestamp' is missing"),
        (lambda lines: [*lines[:5], lines[5][:70]], "line 6: "),
        (lambda lines: [*lines[:5], lines[5] + ",1", *lines[6:]], "line 6: 13 columns instead of 12"),
        (cell(6, 1, "x"), "line 6: 'x' is not a number"),
        (lambda lines: [*lines[:5], re.sub(r",[^,]+,STD", ",nan,STD", lines[5]), *lines[6:]], "line 6: 'nan' is not a"),
        (lambda lines: [*lines[:5], lines[5] + "X", *lines[6:]], "line 6: label 'STDX' is not one of STD, WAL"),
        (lambda lines: [line.replace(",", ";") for line in lines], "line 1: column 'timestamp' is missing"),
        (lambda lines: [lines[0], *reversed(lines[1:])], "line 3: rel_time goes back"),
        (lambda lines: lines[:2], "rel_time goes in steps of 0 s over 0 s"),
        (lambda lines: [re.sub(r",(\d+\.\d+)", r",\g<1>e3", line, count=1) for line in lines], "steps of 5 s over 99"),
        (lambda lines: [*lines, re.sub(r",(\d+\.\d+)", ",99999", lines[-1], count=1)], "steps of 0.005 s over 1e+05 s"),
        (
            lambda lines: [*lines[:5], re.sub(r",[^,]+,STD", ",361,STD", lines[5]), *lines[6:]],
            "line 6: an angle beyond 360",
        ),
        (cell(6, 2, "1e99"), "line 6: '1e99' is beyond what any sensor gives"),
    ],
)
def test_damaged_trial_is_named(damage: Damage, sentence: str, tmp_path: Path):
    write(tmp_path)
    rewrite(tmp_path / FALL, damage)
    refused("mobiact", tmp_path, sentence)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("FLY/FLY_1_1_annotated.csv", "FLY_1_1_annotated.csv is not of 'mobiact': expected CODE/CODE_person_trial"),
        ("WAL/WAL_1_annotated.csv", "WAL_1_annotated.csv is not of 'mobiact': expected CODE/CODE_person_trial"),
        ("WAL/JOG_1_1_annotated.csv", "a trial of JOG by person 1 of 67 does not belong here"),
        ("WAL/WAL_68_1_annotated.csv", "a trial of WAL by person 68 of 67 does not belong here"),
    ],
)
def test_file_that_does_not_belong_there(name: str, sentence: str, tmp_path: Path):
    write(tmp_path)
    path = tmp_path / ANNOTATED / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEADER + "\n")
    refused("mobiact", tmp_path, sentence)
