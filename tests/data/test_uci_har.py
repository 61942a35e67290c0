"""What is particular to UCI HAR: windows that overlap by half are joined back into what they were cut from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from archives.damage import Damage, refused, rewrite
from archives.uci_har import PEOPLE, STRETCHES, stretch, write
from otolith.data.channels import GRAVITY
from otolith.data.converters import convert
from otolith.data.recording import Annotation, Recording
from otolith.types import DataError

Archives = Callable[[str], Path | None]

ACC = "UCI HAR Dataset/train/Inertial Signals/total_acc_y_train.txt"
BODY = "UCI HAR Dataset/train/Inertial Signals/body_acc_z_train.txt"
LAST = "UCI HAR Dataset/test/Inertial Signals/body_acc_z_test.txt"
PEOPLE_FILE = "UCI HAR Dataset/train/subject_train.txt"
ACTIVITIES = "UCI HAR Dataset/train/y_train.txt"


@pytest.fixture(scope="module")
def recordings(archives: Archives) -> dict[str, Recording]:
    return {recording.name: recording for recording in convert("uci_har", archives("uci_har"))}


def test_stretches_are_whole_again(recordings: dict[str, Recording]):
    expected = (
        (f"user{person:02d}_{side}", 10 * person + seed, count)
        for side, people in PEOPLE.items()
        for person in people
        for _, count, seed in STRETCHES
    )
    for recording, (name, seed, count) in zip(recordings.values(), expected, strict=True):
        assert recording.name.startswith(name) and recording.subject == name[:6]
        acc, gyro = stretch(count, seed)
        np.testing.assert_allclose(recording.signal[:, :3], acc * GRAVITY, atol=1e-5)
        np.testing.assert_allclose(recording.signal[:, 3:6], gyro, atol=1e-5)
        np.testing.assert_allclose(recording.signal[:, 6:], (acc - [1, 0, 0]) * GRAVITY, atol=1e-5)


def test_recordings_are_named_by_the_line_of_their_first_window(recordings: dict[str, Recording]):
    assert list(recordings)[:4] == ["user01_train_0001", "user01_train_0006", "user01_train_0010", "user03_train_0013"]


def test_labels_and_channels(recordings: dict[str, Recording]):
    recording = recordings["user02_test_0010"]
    assert recording.annotations == (Annotation(0.0, recording.duration, "walking"),)
    assert [channel.name for channel in recording.channels[::3]] == ["acc_x", "gyro_x", "body_acc_x"]
    assert [channel.gravity for channel in recording.channels[::3]] == [True, None, False]


def test_activity_changes_in_the_middle_of_what_both_windows_cover(tmp_path: Path):
    write(tmp_path)
    rewrite(tmp_path / ACTIVITIES, lambda lines: [*lines[:2], "4", "4", *lines[4:]])
    recording = next(convert("uci_har", tmp_path))
    first, second = (64 * 2 + 32) / 50, (64 * 4 + 32) / 50
    assert recording.annotations == (
        Annotation(0.0, first, "standing"),
        Annotation(first, second, "sitting"),
        Annotation(second, 64 * 6 / 50, "standing"),
    )


@pytest.mark.parametrize("file", [ACC, BODY])
def test_window_that_does_not_continue_the_one_before_begins_a_recording(file: str, tmp_path: Path):
    """Whichever signal tells it, and however little it is."""
    write(tmp_path)
    rewrite(tmp_path / file, lambda lines: [*lines[:2], f"  5.0000000e-004{lines[2][16:]}", *lines[3:]])
    # What rounding may do to the last digit does not.
    rewrite(tmp_path / file, lambda lines: [lines[0], f"{lines[1][:10]}5{lines[1][11:]}", *lines[2:]])
    found = list(convert("uci_har", tmp_path))[:3]
    assert [recording.name for recording in found] == ["user01_train_0001", "user01_train_0003", "user01_train_0006"]
    assert [len(recording.signal) for recording in found] == [64 * 3, 64 * 4, 64 * 5]


def test_one_window_is_a_recording(tmp_path: Path):
    write(tmp_path)
    rewrite(tmp_path / PEOPLE_FILE, lambda lines: [*lines[:-1], "30"])
    found = {recording.name: recording for recording in convert("uci_har", tmp_path)}
    last = found["user30_train_0024"]
    assert last.duration == 2.56 and last.annotations == (Annotation(0.0, 2.56, "walking"),)


def test_blanks_and_line_ends_do_not_matter(tmp_path: Path, recordings: dict[str, Recording]):
    write(tmp_path)
    for path in tmp_path.rglob("*_train.txt"):
        path.write_bytes(path.read_bytes().replace(b"  ", b"   ").replace(b"\n", b" \r\n") + b"\r\n")
    for recording in convert("uci_har", tmp_path):
        np.testing.assert_array_equal(recording.signal, recordings[recording.name].signal)


def test_conversion_streams(tmp_path: Path):
    """A person's windows are read from the lines that hold them; what follows is not looked at."""
    write(tmp_path)
    (tmp_path / LAST).unlink()
    rewrite(tmp_path / ACC, lambda lines: [*lines[:20], "x", *lines[21:]])
    stream: Iterator[Recording] = convert("uci_har", tmp_path)
    assert [next(stream).subject for _ in range(3)] == ["user01"] * 3
    with pytest.raises(DataError, match="line 21: 1 columns instead of 128"):
        next(stream)


def test_only_one_side_is_not_enough(tmp_path: Path):
    write(tmp_path)
    (tmp_path / "UCI HAR Dataset/test").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="subject_test.txt is missing"):
        list(convert("uci_har", tmp_path))


@pytest.mark.parametrize(
    ("file", "damage", "sentence"),
    [
        (ACC, None, "total_acc_y_train.txt is missing"),
        (ACC, lambda lines: [], "total_acc_y_train.txt has 0 lines, but y_train.txt has 24"),
        (ACC, lambda lines: lines[:-1], "total_acc_y_train.txt has 23 lines, but y_train.txt has 24"),
        (ACC, lambda lines: [*lines, lines[0]], "has more than 24 lines, but y_train.txt has 24"),
        (ACC, lambda lines: [*lines[:4], lines[4][:-16], *lines[5:]], "y_train.txt, line 5: 127 columns instead"),
        (ACC, lambda lines: [*lines[:4], "", *lines[4:-1]], "total_acc_y_train.txt has empty lines among its first 12"),
        (BODY, lambda lines: [*lines[:13], lines[13] * 2, *lines[14:]], "z_train.txt, line 14: 256 columns instead"),
        (BODY, lambda lines: ["".join(lines) * 9], "body_acc_z_train.txt, line 1: 512 columns instead of 128"),
        (BODY, lambda lines: [lines[0][:-1] + "x", *lines[1:]], "line 1: '-2.4981816e-00x' is not a number"),
        (BODY, lambda lines: [*lines[:6], lines[6][:-16] + " nan", *lines[7:]], "line 7: 'nan' is not a number"),
        (
            BODY,
            lambda lines: [*lines[:6], lines[6][:-16] + " 1e300", *lines[7:]],
            "line 7: '1e300' is beyond what any sensor gives",
        ),
        (BODY, lambda lines: [line.replace(" ", ",") for line in lines], "line 1: 1 columns instead of 128"),
        (ACTIVITIES, None, "y_train.txt is missing"),
        (ACTIVITIES, lambda lines: [], "y_train.txt is empty"),
        (ACTIVITIES, lambda lines: ["7", *lines[1:]], "y_train.txt, line 1: code '7' is not one of 1 to 6"),
        (ACTIVITIES, lambda lines: [*lines[:2], "1.5", *lines[3:]], "line 3: code '1.5' is not one of 1 to 6"),
        (ACTIVITIES, lambda lines: [*lines[:2], "1e300", *lines[3:]], "line 3: code '1e300' is not one of 1 to 6"),
        (ACTIVITIES, lambda lines: [*lines[:2], "WALKING", *lines[3:]], "line 3: code 'WALKING' is not one of 1 to 6"),
        (ACTIVITIES, lambda lines: lines[:-2], "y_train.txt has 22 lines, but subject_train.txt has 24"),
        (PEOPLE_FILE, None, "subject_train.txt is missing"),
        (PEOPLE_FILE, lambda lines: ["31", *lines[1:]], "subject_train.txt, line 1: code '31' is not one of 1 to 30"),
        (PEOPLE_FILE, lambda lines: lines[:-1], "y_train.txt has 24 lines, but subject_train.txt has 23"),
    ],
)
def test_damage_is_named(file: str, damage: Damage | None, sentence: str, tmp_path: Path):
    write(tmp_path)
    rewrite(tmp_path / file, damage)
    refused("uci_har", tmp_path, sentence)


def test_bytes_that_are_no_text_are_named(tmp_path: Path):
    write(tmp_path)
    path = tmp_path / ACC
    path.write_bytes(path.read_bytes().replace(b"1.", b"\xff\x00", 1))
    with pytest.raises(DataError, match=r"total_acc_y_train.txt, line \d+: .* is not a number"):
        list(convert("uci_har", tmp_path))
