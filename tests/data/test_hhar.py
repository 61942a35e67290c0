"""What is particular to HHAR: huge files read once, and devices whose clocks begin anywhere, sleep and jump."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archives.damage import Damage, refused, rewrite
from archives.hhar import HEADER, PHONES, WATCHES, Take, motion, write
from otolith.data.converters import convert, hhar, parts, tables
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import resample
from otolith.types import DataError

Archives = Callable[[str], Path | None]

ROOT = "Activity recognition exp"
ACC, GYRO = f"{ROOT}/Phones_accelerometer.csv", f"{ROOT}/Phones_gyroscope.csv"
WATCH_ACC, WATCH_GYRO = f"{ROOT}/Watch_accelerometer.csv", f"{ROOT}/Watch_gyroscope.csv"
TAKES = {f"{take.user}_{take.device}": take for take in (*PHONES, *WATCHES)}


@pytest.fixture(scope="module")
def recordings(archives: Archives) -> dict[str, Recording]:
    return {recording.name: recording for recording in convert("hhar", archives("hhar"))}


def device(line: str) -> str:
    return line.split(",")[8]


def felt(name: str, start: float, samples: int) -> np.ndarray:
    """What the device of a recording felt from `start` seconds on, at 50 Hz."""
    values = np.hstack(motion(TAKES[name[:-4]].seed, np.arange(3200) / 200))
    first = round(50 * start)
    return resample(values, 200, 50)[first : first + samples]


def test_one_recording_for_each_stretch_of_a_device(recordings: dict[str, Recording]):
    assert {name: recording.duration for name, recording in recordings.items()} == {
        "d_nexus4_1_001": 10,
        "d_samsungold_1_001": 16,
        "e_s3_1_001": 9,
        "e_s3_1_002": 4,
        "i_nexus4_2_001": 16,  # and nothing of s3mini_2, which gave a sample every two seconds
        "d_gear_1_001": 16,
        "i_lgwatch_1_001": pytest.approx(16, abs=0.03),
    }
    assert all(recording.subject == name[0] for name, recording in recordings.items())


def test_channels_are_those_of_the_device(recordings: dict[str, Recording]):
    shapes = {name: [c.name for c in r.channels[::3]] for name, r in recordings.items()}
    assert shapes.pop("d_samsungold_1_001") == ["acc_x"]
    assert set(map(tuple, shapes.values())) == {("acc_x", "gyro_x")}
    worn = {(r.name[2:].rsplit("_", 2)[0], r.channels[0].device, r.channels[0].placement) for r in recordings.values()}
    assert ("nexus4", "smartphone", "waist") in worn and ("gear", "smartwatch", "wrist") in worn


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("d_nexus4_1_001", 0),  # its clock jumps
        ("e_s3_1_001", 0),  # its clock stands still while the phone sleeps
        ("e_s3_1_002", 12),
        ("i_nexus4_2_001", 0),
        ("d_gear_1_001", 0),  # its sensors count from different beginnings
        ("i_lgwatch_1_001", 0),  # its samples come late, many at once
    ],
)
def test_samples_are_where_they_were_taken(name: str, start: float, recordings: dict[str, Recording]):
    signal = recordings[name].signal[:800]
    truth = felt(name, start, len(signal))
    known = ~np.isnan(signal).any(axis=1)
    for column in range(6):  # 5 ms beside it, the correlation is 0.94; 20 ms, 0.3
        assert np.corrcoef(signal[known, column], truth[known, column])[0, 1] > 0.98


def test_slow_device_is_not_filtered(recordings: dict[str, Recording]):
    signal = recordings["d_samsungold_1_001"].signal
    np.testing.assert_allclose(signal, motion(2, np.arange(800) / 50)[0], atol=1e-4)


def test_sleep_is_missing_and_long_sleep_parts_recordings(recordings: dict[str, Recording]):
    """By Creation_Time alone, e_s3_1 would be one recording of 12 s in which nothing is missing."""
    first, second = recordings["e_s3_1_001"], recordings["e_s3_1_002"]
    missing = np.flatnonzero(np.isnan(first.signal).any(axis=1))
    assert missing[0] == pytest.approx(150, abs=2) and missing[-1] == pytest.approx(199, abs=2)
    assert (np.diff(missing) == 1).all() and not np.isnan(second.signal).any()


def test_null_is_not_labelled(recordings: dict[str, Recording]):
    assert recordings["d_gear_1_001"].annotations == (
        Annotation(pytest.approx(1, abs=0.02), pytest.approx(9, abs=0.02), "standing"),
        Annotation(pytest.approx(9, abs=0.02), pytest.approx(15, abs=0.02), "walking"),
    )
    assert recordings["e_s3_1_002"].annotations == (Annotation(0.0, pytest.approx(3, abs=0.02), "walking"),)


def test_phones_and_watches_are_read_apart(archives: Archives):
    phones, watches = parts("hhar", archives("hhar"))
    assert [recording.name[0] for recording in watches()] == ["d", "i"]
    assert {recording.channels[0].device for recording in phones()} == {"smartphone"}


def test_size_of_blocks_does_not_matter(
    archives: Archives, recordings: dict[str, Recording], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tables, "BLOCK_BYTES", 5000)
    found = list(convert("hhar", archives("hhar")))
    assert [recording.name for recording in found] == list(recordings)
    for recording in found:
        np.testing.assert_array_equal(recording.signal, recordings[recording.name].signal)
        assert recording.annotations == recordings[recording.name].annotations


def test_conversion_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A person's recordings are there before the rows of the next one are read, of either file."""
    monkeypatch.setattr(tables, "BLOCK_BYTES", 5000)
    write(tmp_path)
    rewrite(tmp_path / ACC, lambda lines: [*lines[:-1], "damaged"])
    rewrite(tmp_path / GYRO, lambda lines: [*lines[:-1], "damaged"])
    stream = convert("hhar", tmp_path)
    assert [next(stream).name for _ in range(4)][-1] == "e_s3_1_002"
    with pytest.raises(DataError, match=r"Phones_accelerometer.csv, line 7359: 1 columns instead of 10"):
        next(stream)


def test_files_may_have_people_and_devices_in_different_orders(tmp_path: Path, recordings: dict[str, Recording]):
    write(tmp_path)
    rewrite(tmp_path / GYRO, lambda lines: [lines[0], *sorted(lines[1:], key=device)])
    rewrite(tmp_path / WATCH_GYRO, lambda lines: [lines[0], *sorted(lines[1:], key=device, reverse=True)])
    found = {recording.name: recording for recording in convert("hhar", tmp_path)}
    assert set(found) == set(recordings)
    for name, recording in found.items():
        np.testing.assert_array_equal(recording.signal, recordings[name].signal)


def test_people_in_quite_another_order_are_refused_before_memory_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hhar, "_MAX_ROWS", 4000)
    write(tmp_path)
    rewrite(tmp_path / GYRO, lambda lines: [lines[0], *sorted(lines[1:], key=device)])
    with pytest.raises(DataError, match=r"Phones_gyroscope.csv has its people in another order than the accelerometer"):
        list(convert("hhar", tmp_path))


def test_rows_of_a_person_may_come_apart(tmp_path: Path, recordings: dict[str, Recording]):
    write(tmp_path)
    for file in (WATCH_ACC, WATCH_GYRO):
        rewrite(tmp_path / file, lambda lines: [lines[0], *lines[801:], *lines[1:801]])
    names = [recording.name for recording in convert("hhar", tmp_path)][-3:]
    assert names == ["d_gear_1_001", "i_lgwatch_1_001", "d_gear_1_002"]


def test_device_without_gyroscope_is_kept(tmp_path: Path):
    write(tmp_path)
    rewrite(tmp_path / GYRO, lambda lines: [line for line in lines if device(line) != "nexus4_2"])
    found = {recording.name: recording for recording in convert("hhar", tmp_path)}
    assert found["i_nexus4_2_001"].signal.shape == (800, 3)


def test_line_ends_do_not_matter(tmp_path: Path, recordings: dict[str, Recording]):
    write(tmp_path)
    for path in tmp_path.rglob("*.csv"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert [recording.name for recording in convert("hhar", tmp_path)] == list(recordings)


def test_folder_in_a_folder_of_the_same_name(tmp_path: Path, recordings: dict[str, Recording]):
    write(tmp_path / ROOT)
    assert [recording.name for recording in convert("hhar", tmp_path)] == list(recordings)


def only(folder: Path, take: Take) -> None:
    """A copy of the archive in which all watches' rows are of this recording."""
    write(folder)
    for number, file in enumerate((WATCH_ACC, WATCH_GYRO)):
        rewrite(folder / file, lambda lines, number=number: [HEADER, *take.rows(number)])


def test_clock_that_says_nothing_leaves_the_time_of_arrival(tmp_path: Path):
    take = Take("d", "gear_1", 6, (100, 100), lambda seconds, gyro: np.zeros_like(seconds))
    only(tmp_path, take)
    recording = list(convert("hhar", tmp_path))[-1]
    assert recording.name == "d_gear_1_001" and len(recording.signal) == 800
    assert np.corrcoef(recording.signal.T, felt(recording.name, 0, 800).T).diagonal(6).min() > 0.97


@pytest.mark.parametrize(
    "take",
    [
        replace(TAKES["d_gear_1"], rates=(12, 12)),  # too slow for any of the devices
        replace(TAKES["d_gear_1"], rates=(600, 600)),  # too fast: a grid so fine would fill the memory
        replace(TAKES["d_gear_1"], late=lambda seconds: 1e9 * seconds),  # a sample in four months
    ],
)
def test_stretches_at_an_impossible_pace_are_left_out(take: Take, tmp_path: Path):
    only(tmp_path, take)
    with pytest.raises(DataError, match="share no 2 s of any device"):
        list(parts("hhar", tmp_path)[1]())


def test_hostile_times_fill_no_memory(tmp_path: Path):
    """Stamps from end to end of what a column can hold."""
    only(tmp_path, TAKES["d_gear_1"])
    wide = [-(2**63), 0, 2**63 - 1]
    for file in (WATCH_ACC, WATCH_GYRO):
        rewrite(
            tmp_path / file,
            lambda lines: [
                HEADER,
                *(
                    re.sub(r",\d+,\d+,", f",{wide[k % 3]},{wide[k // 3 % 3]},", line)
                    for k, line in enumerate(lines[1:])
                ),
            ],
        )
    with pytest.raises(DataError, match="share no 2 s of any device"):
        list(parts("hhar", tmp_path)[1]())


def test_too_many_rows_of_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hhar, "_MAX_ROWS", 1000)
    write(tmp_path)
    with pytest.raises(DataError, match=r"accelerometer.csv, line \d+: person 'd' has more than 1000 rows"):
        list(convert("hhar", tmp_path))


@pytest.mark.parametrize(
    ("file", "damage", "sentence"),
    [
        (ACC, None, "Phones_accelerometer.csv is missing"),
        (WATCH_GYRO, None, "Watch_gyroscope.csv is missing"),
        (ACC, lambda lines: [], "Phones_accelerometer.csv is empty"),
        (ACC, lambda lines: lines[1:], "Phones_accelerometer.csv, line 1: column 'Index' is missing; expected Index, "),
        (ACC, lambda lines: [lines[0] + ",b", *lines[1:]], "Phones_accelerometer.csv, line 1: columns are Index, Arri"),
        (ACC, lambda lines: lines[:1], "Phones_accelerometer.csv is empty"),
        (GYRO, lambda lines: lines[:1], "Phones_gyroscope.csv is empty"),
        (ACC, lambda lines: lines[:20], "share no 2 s of any device"),
        (ACC, lambda lines: [*lines[:8], lines[8][:40], *lines[9:]], "accelerometer.csv, line 9: 4 columns instead"),
        (ACC, lambda lines: [*lines[:700], lines[700] + ",x", *lines[701:]], "line 701: 11 columns instead of 10"),
        (GYRO, lambda lines: [*lines[:700], re.sub(",-?[0-9.]+,d", ",x,d", lines[700]), *lines[701:]],
         "Phones_gyroscope.csv, line 701: 'x' is not a number"),
        (GYRO, lambda lines: [*lines[:700], re.sub(",-?[0-9.]+,d", ",nan,d", lines[700]), *lines[701:]],
         "Phones_gyroscope.csv, line 701: 'nan' is not a number"),
        (GYRO, lambda lines: [*lines[:700], re.sub(",-?[0-9.]+,d", ",1e38,d", lines[700]), *lines[701:]],
         "Phones_gyroscope.csv, line 701: '1e38' is beyond what any sensor gives"),
        (GYRO, lambda lines: [*lines[:700], re.sub(",-?[0-9.]+,d", ",,d", lines[700]), *lines[701:]],
         "Phones_gyroscope.csv, line 701: '' is not a number"),
        (ACC, lambda lines: [*lines[:5], lines[5].replace(",142", ",99999999142", 1), *lines[6:]],
         "line 6: '999999991424696633928' is beyond what any"),
        (ACC, lambda lines: [*lines[:5], lines[5].replace("633928,", "633928.5,", 1), *lines[6:]],
         "line 6: '1424696633928.5' is not a whole number"),
        (ACC, lambda lines: [line.replace(",d,", ",j,") for line in lines], "line 2: User 'j' is not one of a, b, c"),
        (ACC, lambda lines: [line.replace("4_1,", "5_1,") for line in lines], "line 2: Device 'nexus5_1' is not one"),
        (WATCH_ACC, lambda lines: [line.replace("gear", "s3") for line in lines], "Device 's3_1' is not one of gear_1"),
        (ACC, lambda lines: [*lines[:800], lines[800] + "s", *lines[801:]], "line 801: gt 'stands' is not one of bike"),
        (ACC, lambda lines: [line.replace(",", ";") for line in lines], "line 1: column 'Index' is missing"),
        (ACC, lambda lines: [lines[0], *(line.replace(",", ";") for line in lines[1:])], "line 2: 1 columns instead"),
        (ACC, lambda lines: [lines[0], "".join(lines) * 2], "line 2: 117532 columns instead of 10"),
        (WATCH_ACC, lambda lines: [re.sub(",14246", ",14346", line) for line in lines], "share no 2 s of any device"),
    ],
)  # fmt: skip
def test_damage_is_named(
    file: str, damage: Damage | None, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tables, "BLOCK_BYTES", 20_000)  # so that lines are counted over several blocks
    write(tmp_path)
    rewrite(tmp_path / file, damage)
    refused("hhar", tmp_path, sentence)


def test_bytes_that_are_no_text_are_named(tmp_path: Path):
    write(tmp_path)
    path = tmp_path / ACC
    path.write_bytes(path.read_bytes().replace(b",stand", b",st\xff\x00nd", 1))
    with pytest.raises(DataError, match=r"Phones_accelerometer.csv, line 201: gt 'st.*nd' is not one of bike"):
        list(convert("hhar", tmp_path))
