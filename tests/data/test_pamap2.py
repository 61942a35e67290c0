"""What is particular to PAMAP2; the contract that it keeps is in `test_converters.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives import WRITERS
from archives.damage import Damage, cell, refused, rewrite
from archives.pamap2 import BEAT, LONG, QUIET, SHORT, columns, line
from otolith.data.converters import convert, parts, tables
from otolith.data.labels import canonical
from otolith.data.recording import Annotation, Recording
from otolith.data.registry import card
from otolith.types import DataError

Archives = Callable[[str], Path | None]

FILE = "PAMAP2_Dataset/Protocol/subject108.dat"


@pytest.fixture(scope="module")
def recordings(archives: Archives) -> dict[str, Recording]:
    return {recording.name: recording for recording in convert("pamap2", archives("pamap2"))}


def rewritten(folder: Path, damage: Damage) -> Path:
    """An archive in which one file was changed."""
    WRITERS["pamap2"](folder)
    rewrite(folder / FILE, damage)
    return folder / FILE


def delayed(lines: list[str], first: int, seconds: float) -> list[str]:
    """The lines with a later clock from `first` on."""
    head = [row.split(" ", 1) for row in lines]
    return [f"{float(t) + (seconds if k >= first else 0):.6g} {rest}" for k, (t, rest) in enumerate(head)]


def test_forty_channels_of_two_clocks(recordings: dict[str, Recording]):
    assert list(recordings) == [
        f"{file}{clock}"
        for file in ("protocol_subject101", "protocol_subject108", "optional_subject101")
        for clock in ("", "_heart_rate")
    ]
    sensors, heart = recordings["protocol_subject108"], recordings["protocol_subject108_heart_rate"]
    assert (sensors.rate, heart.rate) == (100, 9)
    assert (*sensors.channels, *heart.channels) == card("pamap2").channels and len(card("pamap2").channels) == 40
    assert (sensors.session, sensors.offset) == (heart.session, heart.offset) == ("protocol_subject108", 0)
    assert {recording.subject for recording in recordings.values()} == {"subject101", "subject108"}


def test_columns_in_si(recordings: dict[str, Recording]):
    recording = recordings["protocol_subject108"]
    raw = columns(1)
    expected = np.column_stack([raw[:, 3 + 17 * sensor : 16 + 17 * sensor] for sensor in range(3)])
    known = ~np.isnan(expected)
    np.testing.assert_allclose(recording.signal[known], expected[known], rtol=1e-4, atol=1e-4)
    names = [channel.name for channel in recording.channels]
    assert names[13:17] == ["chest_temperature", "chest_acc_x", "chest_acc_y", "chest_acc_z"]
    assert names[17] == "chest_6g_acc_x" and names[38] == "ankle_mag_z"


def test_short_gaps_are_bridged_and_long_ones_stay_missing(recordings: dict[str, Recording]):
    signal = recordings["protocol_subject101"].signal
    missing = np.isnan(signal)
    assert not missing[SHORT].any()
    np.testing.assert_allclose(signal[300, 1], (2 * signal[299, 1] + signal[302, 1]) / 3, rtol=1e-4)
    assert missing[LONG, 26:].all() and not missing[:, :26].any()
    assert missing.sum() == 30 * 13


def test_heart_rate_keeps_its_own_clock(recordings: dict[str, Recording]):
    """Between its values it is linear, and where it is silent it is missing."""
    heart = recordings["protocol_subject101_heart_rate"].signal[:, 0]
    raw = columns(0)
    told = np.flatnonzero(~np.isnan(raw[:, 2]))
    times = np.arange(len(heart)) / 9
    silent = np.isnan(heart)
    assert len(heart) == int(told[-1] / 100 * 9) + 1
    np.testing.assert_allclose(heart[~silent], np.interp(times, told / 100, raw[told, 2])[~silent], rtol=1e-5)
    assert (QUIET.start - BEAT) / 100 < times[silent].min() and times[silent].max() < (QUIET.stop + BEAT) / 100
    assert silent.sum() == pytest.approx(9, abs=1)


def test_labels_are_those_of_the_readme():
    words = (
        "1 lying;2 sitting;3 standing;4 walking;5 running;6 cycling;7 Nordic walking;9 watching TV;10 computer work;"
        "11 car driving;12 ascending stairs;13 descending stairs;16 vacuum cleaning;17 ironing;18 folding laundry;"
        "19 house cleaning;20 playing soccer;24 rope jumping"
    )
    pairs = (entry.split(" ", 1) for entry in words.split(";"))
    assert card("pamap2").activities == {code: canonical(word) for code, word in pairs}


def test_transient_activities_are_unlabelled(recordings: dict[str, Recording]):
    sensors, heart = recordings["optional_subject101"], recordings["optional_subject101_heart_rate"]
    expected = (Annotation(2, 7, "lying"), Annotation(7, 10, "jumping rope"))
    for recording in (sensors, heart):
        for note, wanted in zip(recording.annotations, expected, strict=True):
            assert note.activity == wanted.activity
            assert (note.start, note.end) == pytest.approx((wanted.start, wanted.end), abs=1e-6)


def test_late_heart_rate_has_an_offset_and_its_own_labels(tmp_path: Path):
    """The strap was silent for four seconds: its recording starts later, and so do its annotations."""
    rewritten(
        tmp_path,
        lambda lines: [
            " ".join([*row.split(" ")[:2], "NaN", *row.split(" ")[3:]]) if k <= 400 else row
            for k, row in enumerate(lines)
        ],
    )
    heart = next(r for r in convert("pamap2", tmp_path) if r.name == "protocol_subject108_heart_rate")
    assert heart.offset == pytest.approx(4.07)  # row 407 is the first multiple of eleven
    assert (heart.annotations[0].start, heart.annotations[0].end) == pytest.approx((0, 7 - 4.07))


def test_long_gap_parts_the_recordings_of_a_session(tmp_path: Path):
    path = rewritten(tmp_path, lambda lines: delayed(lines, 600, 30))
    found = {r.name: r for r in convert("pamap2", tmp_path) if r.session == f"protocol_{path.stem}"}
    first, second = found["protocol_subject108"], found["protocol_subject108_2"]
    assert (first.duration, second.duration, second.offset) == pytest.approx((6, 6, 36))
    assert found["protocol_subject108_2_heart_rate"].offset > 36
    assert [note.activity for note in second.annotations] == ["lying", "jumping rope"]


def test_gap_within_a_recording_is_missing(tmp_path: Path):
    """Lines that were lost: the clock tells, whatever the number of lines."""
    rewritten(tmp_path, lambda lines: lines[:500] + lines[520:])
    recording = next(r for r in convert("pamap2", tmp_path) if r.name == "protocol_subject108")
    assert recording.duration == 12
    missing = np.flatnonzero(np.isnan(recording.signal).all(axis=1))
    np.testing.assert_array_equal(missing, np.arange(500, 520))


def test_sensor_that_was_silent_throughout_is_left_out(tmp_path: Path):
    rewritten(
        tmp_path,
        lambda lines: [" ".join([*row.split(" ")[:2], "NaN", *["NaN"] * 17, *row.split(" ")[20:]]) for row in lines],
    )
    found = {r.name: r for r in convert("pamap2", tmp_path)}
    assert len(found["protocol_subject108"].channels) == 26
    assert {c.placement for c in found["protocol_subject108"].channels} == {"chest", "dominant ankle"}
    assert "protocol_subject108_heart_rate" not in found


def test_the_folder_of_the_inner_archive_may_be_there_twice(tmp_path: Path):
    WRITERS["pamap2"](tmp_path / "PAMAP2_Dataset")
    assert len(list(convert("pamap2", tmp_path))) == 6


def test_blocks_of_a_file_are_joined(archives: Archives, recordings: dict[str, Recording], monkeypatch):
    monkeypatch.setattr(tables, "BLOCK_BYTES", 4096)
    for recording in convert("pamap2", archives("pamap2")):
        np.testing.assert_array_equal(recording.signal, recordings[recording.name].signal)


def test_file_without_end_is_refused(archives: Archives, monkeypatch):
    monkeypatch.setattr(tables, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(tables, "_MOST_CELLS", 40_000)
    with pytest.raises(DataError, match=r"subject101.dat has more than \d+ lines"):
        list(convert("pamap2", archives("pamap2")))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda lines: [], "subject108.dat is empty"),
        (lambda lines: ["", ""], "subject108.dat is empty"),
        (lambda lines: [*lines[:-1], " ".join(lines[-1].split(" ")[:5])], "line 1200: 5 columns instead of 54"),
        (lambda lines: [*lines[:4], lines[4] + " 1", *lines[5:]], "line 5: 55 columns instead of 54"),
        (lambda lines: [*lines[:4], lines[4].replace(" ", "  ", 1), *lines[5:]], "line 5: 55 columns instead of 54"),
        (lambda lines: [row.replace(" ", ",") for row in lines], "line 1: 1 columns instead of 54"),
        (cell(5, 5, "x", " "), "line 5: 'x' is not a number"),
        (cell(5, 5, "", " "), "line 5: '' is not a number"),
        (cell(5, 5, "-inf", " "), "line 5: '-inf' is not a number"),
        (cell(5, 5, "1e300", " "), "line 5: '1e300' is beyond what any sensor gives"),
        (cell(5, 0, "NaN", " "), "line 5: there is no timestamp"),
        (cell(5, 0, "1e12", " "), "line 5: '1e12' is beyond what any sensor gives"),
        (cell(5, 0, "8.3", " "), "line 5: time goes back"),
        (cell(5, 1, "8", " "), "line 5: activity '8' is not one of 0, 1, 2, 3"),
        (cell(5, 1, "1.5", " "), "line 5: activity '1.5' is not one of"),
        (cell(5, 1, "NaN", " "), "line 5: activity 'NaN' is not one of"),
        (lambda lines: lines[:50], "subject108.dat has no second of signal without a gap"),
        (lambda lines: lines[::2], "from 8.38 s on give 50.0 Hz where 100 Hz is expected"),
        (lambda lines: [f"{float(row.split(' ')[0]) / 1000:.6f} {row.split(' ', 1)[1]}" for row in lines], "no second"),
    ],
)
def test_damage_is_named(damage: Damage, sentence: str, tmp_path: Path):
    rewritten(tmp_path, damage)
    refused("pamap2", tmp_path, sentence)


def test_a_stranger_is_refused(tmp_path: Path):
    WRITERS["pamap2"](tmp_path)
    (tmp_path / FILE).rename((tmp_path / FILE).with_name("subject110.dat"))
    with pytest.raises(DataError, match=r"subject110\.dat is not of 'pamap2': subjects are subject101 to subject109"):
        list(convert("pamap2", tmp_path))


def test_a_file_that_vanished_is_named(tmp_path: Path):
    WRITERS["pamap2"](tmp_path)
    found = parts("pamap2", tmp_path)
    (tmp_path / FILE).unlink()
    with pytest.raises(DataError, match=r"subject108\.dat is missing"):
        list(found[1]())


def test_conversion_streams(tmp_path: Path):
    """The first recording is there before the next file is read."""
    rewritten(tmp_path, lambda lines: ["damaged"])
    stream = convert("pamap2", tmp_path)
    assert [next(stream).name for _ in range(2)] == ["protocol_subject101", "protocol_subject101_heart_rate"]
    with pytest.raises(DataError):
        list(stream)


def test_fixture_has_the_rows_of_the_archive():
    """54 fields, without a blank at the end, lost values in the archive's spelling."""
    rows = [line(row) for row in columns(0)[299:301]]
    assert {len(row.split(" ")) for row in rows} == {54}
    assert [row.count("NaN") for row in rows] == [1, 18]
    assert all(len(row) == len(row.strip()) for row in rows)
