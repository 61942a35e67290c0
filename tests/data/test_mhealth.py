"""What is particular to MHEALTH; the contract that it keeps is in `test_converters.py`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives import WRITERS
from archives.damage import Damage, cell, refused, rewrite
from archives.mhealth import columns
from archives.motion import simulate
from otolith.data.channels import GRAVITY, NORMALISED
from otolith.data.converters import convert, parts
from otolith.data.labels import canonical
from otolith.data.recording import Annotation, Recording
from otolith.data.registry import card
from otolith.types import DataError

Archives = Callable[[str], Path | None]

LOG = "MHEALTHDATASET/mHealth_subject2.log"


@pytest.fixture(scope="module")
def recordings(archives: Archives) -> dict[str, Recording]:
    return {recording.subject: recording for recording in convert("mhealth", archives("mhealth"))}


def test_columns_in_si(recordings: dict[str, Recording]):
    recording = recordings["subject10"]
    raw = columns(10)
    assert recording.rate == 50 and recording.signal.shape == (1000, 23)
    names = {channel.name: column for channel, column in zip(recording.channels, recording.signal.T, strict=True)}
    acc, gyro = simulate(20, 102)
    np.testing.assert_allclose(names["chest_acc_x"], raw[:, 0], rtol=1e-4)
    np.testing.assert_allclose(names["ecg_2"], raw[:, 4], rtol=1e-4)
    np.testing.assert_allclose(names["right_wrist_acc_y"], -acc[:, 0] * GRAVITY, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(names["right_wrist_gyro_z"], gyro[:, 2], rtol=1e-4, atol=1e-5)  # rad/s
    np.testing.assert_allclose(names["left_ankle_mag_y"], raw[:, 9], rtol=1e-4)
    assert {channel.unit for channel in recording.channels if channel.sensor == "mag"} == {NORMALISED}
    assert {channel.placement for channel in recording.channels} == {"chest", "left ankle", "right wrist"}


def test_people_come_in_natural_order(recordings: dict[str, Recording]):
    assert list(recordings) == ["subject1", "subject2", "subject10"]
    assert recordings["subject2"].name == "mHealth_subject2"


def test_labels_are_those_of_the_readme():
    words = (
        "standing still;sitting and relaxing;lying;walking;climbing stairs;waist bends forward;frontal elevation of "
        "arms;knees bending;cycling;jogging;running;jump front & back"
    )
    expected = {str(number): canonical(word) for number, word in enumerate(words.split(";"), start=1)}
    assert card("mhealth").activities == expected


def test_null_class_is_unlabelled(recordings: dict[str, Recording]):
    assert recordings["subject1"].annotations == (
        Annotation(2, 10, "standing"),
        Annotation(12, 18, "running"),
        Annotation(18, 20, "jumping forward and back"),
    )


def test_whoever_stands_turns_little_in_a_field_of_length_one(raw_dir: Path):
    """On the real archive: which columns are the magnetometer's is not what its README says."""
    if not (raw_dir / "mhealth").is_dir():
        pytest.skip("needs the archive of mhealth in OTOLITH_RAW_DIR")
    for recording in convert("mhealth", raw_dir):
        stand = next(note for note in recording.annotations if note.activity == "standing")
        still = recording.signal[round(stand.start * 50) : round(stand.end * 50)]
        names = [channel.name for channel in recording.channels]
        for placement, up in card("mhealth").upright.items():
            first = names.index(f"{placement.replace(' ', '_')}_acc_x")
            assert still[:, first : first + 3].mean(0) @ up > 0.8 * GRAVITY
            if placement != "chest":
                mag, gyro = still[:, first + 3 : first + 6], still[:, first + 6 : first + 9]
                assert 0.6 < np.linalg.norm(mag.mean(0)) < 1.5
                assert np.median(np.linalg.norm(gyro, axis=1)) < 0.1  # rad/s


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda lines: [], "mHealth_subject2.log is empty"),
        (lambda lines: [*lines[:4], lines[4] + "\t1", *lines[5:]], "line 5: 25 columns instead of 24"),
        (lambda lines: [*lines[:-1], lines[-1][:20]], "line 1000: "),
        (lambda lines: [line.replace("\t", ",") for line in lines], "line 1: 1 columns instead of 24"),
        (lambda lines: [*lines[:4], "x" + lines[4], *lines[5:]], "line 5: 'x"),
        (lambda lines: [*lines[:4], lines[4].replace("\t", "\tNaN\t", 1).rsplit("\t", 1)[0]], "line 5: 'NaN' is not a"),
        (lambda lines: [*lines[:4], "inf" + lines[4][lines[4].index("\t") :]], "line 5: 'inf' is not a number"),
        (lambda lines: [*lines[:4], lines[4][:-1] + "13"], "line 5: label '13' is not one of 0 to 12"),
        (lambda lines: [*lines[:4], lines[4][:-1] + "1.5"], "line 5: label '1.5' is not one of 0 to 12"),
        (cell(10, 0, "1e300", "\t"), "line 10: '1e300' is beyond what any sensor gives"),
        (lambda lines: lines[:7], "7 samples are too few"),
    ],
)
def test_damage_is_named(damage: Damage, sentence: str, tmp_path: Path):
    WRITERS["mhealth"](tmp_path)
    rewrite(tmp_path / LOG, damage)
    refused("mhealth", tmp_path, sentence)


@pytest.mark.parametrize("name", ["mHealth_subject11.log", "mHealth_subject0.log", "mHealth_subject2 (copy).log"])
def test_a_stranger_is_refused(name: str, tmp_path: Path):
    WRITERS["mhealth"](tmp_path)
    (tmp_path / LOG).rename(tmp_path / "MHEALTHDATASET" / name)
    with pytest.raises(DataError, match=re.escape(f"{name} is not of 'mhealth': subjects are 1 to 10")):
        list(convert("mhealth", tmp_path))


def test_a_file_that_vanished_is_named(tmp_path: Path):
    WRITERS["mhealth"](tmp_path)
    found = parts("mhealth", tmp_path)
    (tmp_path / LOG).unlink()
    with pytest.raises(DataError, match=r"mHealth_subject2\.log is missing"):
        list(found[1]())


def test_conversion_streams(tmp_path: Path):
    """The first recording is there before the file of the last one is read."""
    WRITERS["mhealth"](tmp_path)
    (tmp_path / LOG).with_name("mHealth_subject10.log").write_bytes(b"damaged")
    stream = convert("mhealth", tmp_path)
    assert next(stream).subject == "subject1"
    with pytest.raises(DataError):
        list(stream)
