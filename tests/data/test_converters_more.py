"""What is particular to DSADS, WISDM and TUG; the contract that they keep is in `test_converters.py`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives import WRITERS
from archives.motion import simulate
from otolith.data.channels import GRAVITY, NORMALISED
from otolith.data.converters import convert
from otolith.data.recording import Recording
from otolith.types import DataError

Archives = Callable[[str], Path | None]


@pytest.fixture(scope="module")
def recordings(archives: Archives) -> Callable[[str], dict[str, Recording]]:
    return lambda name: {recording.name: recording for recording in convert(name, archives(name))}


Read = Callable[[str], dict[str, Recording]]


@pytest.mark.parametrize("name", ["dsads", "wisdm", "tug"])
def test_conversion_streams(name: str, tmp_path: Path):
    """The first recording is there before the files of the last one are read."""
    WRITERS[name](tmp_path)
    last = max(path for path in tmp_path.rglob("*") if path.is_file())
    last.write_bytes(b"damaged")
    stream = convert(name, tmp_path)
    assert len(next(stream).signal) > 100
    with pytest.raises(DataError):
        list(stream)


def test_dsads_segments_are_joined_in_order(recordings: Read):
    recording = recordings("dsads")["a01_p2"]
    acc, gyro = simulate(300, 1, rate=25)
    assert recording.duration == 300 and recording.subject == "p2" and recording.annotations[0].activity == "sitting"
    np.testing.assert_allclose(recording.signal[:, 36:39], acc * GRAVITY, rtol=1e-4)
    np.testing.assert_allclose(recording.signal[:, 39:42], gyro, rtol=1e-4)
    assert [c.name for c in recording.channels[36:42:3]] == ["left_leg_acc_x", "left_leg_gyro_x"]
    assert {c.unit for c in recording.channels if c.sensor == "mag"} == {NORMALISED}


def test_dsads_padding_is_left_out(recordings: Read):
    recording = recordings("dsads")["a05_p1"]
    assert recording.duration == recording.annotations[0].end == 240
    np.testing.assert_allclose(recording.signal[:, :3], simulate(300, 2, rate=25)[0][:6000] * GRAVITY, rtol=1e-4)


def test_dsads_unknown_activity(tmp_path: Path):
    WRITERS["dsads"](tmp_path)
    (tmp_path / "data/a05").rename(tmp_path / "data/a20")
    with pytest.raises(DataError, match="a20/p1 is not of 'dsads': expected a01 to a19"):
        list(convert("dsads", tmp_path))


def test_wisdm_merges_what_both_sensors_cover(recordings: Read):
    found = recordings("wisdm")
    assert set(found) == {
        *(f"{s}_{d}_{a}" for s in (1600, 1601) for d in ("phone", "watch") for a in ("walking", "sitting")),
        "1601_watch_sitting_2",
    }
    recording = found["1600_phone_walking"]
    assert {c.placement for c in recording.channels} == {"front trouser pocket"}
    # The grid starts with the gyroscope, 30 ms after the accelerometer, and both are linear between their samples.
    acc, gyro = simulate(30, 1601, rate=20)
    own = np.arange(len(acc)) * 0.050354004
    grid = np.arange(len(recording.signal)) / 20
    assert own[-1] - 0.03 - 0.05 < grid[-1] <= own[-1] - 0.03
    for axis, (values, late) in itertools.product(range(3), ((acc * GRAVITY, 0.03), (gyro, 0.0))):
        column = axis + (3 if late == 0 else 0)
        np.testing.assert_allclose(
            recording.signal[:, column], np.interp(grid + late, own, values[:, axis]), atol=1e-4, rtol=1e-4
        )


def test_wisdm_long_gap_parts_recordings_and_short_one_is_missing(recordings: Read):
    found = recordings("wisdm")
    first, second = found["1601_watch_sitting"], found["1601_watch_sitting_2"]
    assert first.duration == pytest.approx(15, abs=0.1) and second.duration == pytest.approx(15, abs=0.1)
    missing = np.flatnonzero(np.isnan(first.signal).any(axis=1))
    assert 8 <= len(missing) <= 12 and (np.diff(missing) == 1).all()  # ten samples lost, 5 s after the start
    assert missing[0] == pytest.approx(99, abs=2)
    assert not np.isnan(second.signal).any()


def test_wisdm_line_end_is_optional(tmp_path: Path, recordings: Read):
    WRITERS["wisdm"](tmp_path)
    for path in tmp_path.rglob("*phone.txt"):
        path.write_bytes(path.read_bytes().replace(b";\n", b"\r\n"))
    for recording in convert("wisdm", tmp_path):
        np.testing.assert_array_equal(recording.signal, recordings("wisdm")[recording.name].signal)


def test_wisdm_mark_within_a_line_is_damage(tmp_path: Path):
    WRITERS["wisdm"](tmp_path)
    path = next(tmp_path.rglob("data_1600_accel_phone.txt"))
    path.write_text(path.read_text().replace("1600,A,252", "1600,A,2;52", 1))
    with pytest.raises(DataError, match=r"line 1: '2;52\d+' is not a whole number"):
        list(convert("wisdm", tmp_path))


def test_tug_clock_is_even_although_samples_arrive_in_batches(recordings: Read):
    """A signal placed by the timestamps would stand still and jump; by the sensor's clock it is what was felt."""
    found = recordings("tug")
    assert len(found) == 6
    for name, rate in (("s01_02_sp", 102.44), ("s01_02_sw", 104.28)):
        recording = found[name]
        acc, _ = simulate(12, 1, rate=rate)
        assert recording.duration == pytest.approx(len(acc) / rate, abs=0.03)
        # Band-limited resampling keeps the slow part of the signal.
        slow = np.ones(25) / 25
        own = np.convolve(acc[:, 1] * GRAVITY, slow, "same")
        grid = np.arange(len(recording.signal)) / 100
        felt = np.convolve(recording.signal[:, 1], slow, "same")
        assert np.corrcoef(felt, np.interp(grid, np.arange(len(own)) / rate, own))[0, 1] > 0.95


def test_tug_labels_cover_the_execution(recordings: Read):
    recording = recordings("tug")["s02_01_sp"]
    assert [note.activity for note in recording.annotations] == [
        "sitting", "standing up from sitting", "walking", "turning", "walking", "sitting down", "sitting"]  # fmt: skip
    assert recording.annotations[0].start == 0
    assert recording.annotations[-1].end == pytest.approx(recording.duration, abs=0.02)
    for one, other in itertools.pairwise(recording.annotations):
        assert one.end == other.start
        assert other.end - other.start == pytest.approx(12 / 7, abs=0.02)


def test_tug_accepts_the_name_of_its_repository(tmp_path: Path):
    WRITERS["tug"](tmp_path / "sp_sw_har")
    assert len(list(convert("tug", tmp_path))) == 6


@pytest.mark.parametrize("name", ["dsads", "wisdm", "tug"])
def test_recordings_of_the_whole_archive_hold_what_was_published(name: str, raw_dir: Path):
    durations, devices = [], set()
    for recording in convert(name, raw_dir):
        durations.append(recording.duration)
        devices.add((recording.channels[0].device, recording.channels[0].placement))
    shortest, longest = {"dsads": (240, 300), "wisdm": (179, 181), "tug": (8, 15)}[name]
    assert shortest <= min(durations) and max(durations) <= longest
    assert len(devices) == (1 if name == "dsads" else 2)
