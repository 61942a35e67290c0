"""What is particular to UniMiB SHAR: windows of the authors' making, as rows of a MATLAB matrix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives import WRITERS
from archives.matlab import mat_file
from archives.unimib_shar import LABELS, WINDOW, window
from otolith.data.channels import GRAVITY
from otolith.data.converters import convert, parts
from otolith.data.recording import Annotation, Recording
from otolith.types import DataError

Archives = Callable[[str], Path | None]
DATA, LABEL = "UniMiB-SHAR/data/acc_data.mat", "UniMiB-SHAR/data/acc_labels.mat"


@pytest.fixture(scope="module")
def found(archives: Archives) -> list[Recording]:
    return list(convert("unimib_shar", archives("unimib_shar")))


def test_each_window_is_a_recording(found: list[Recording]):
    assert [recording.name for recording in found] == [
        "s01_standing_up_from_sitting_t1_001", "s01_walking_t1_001", "s01_walking_t1_002", "s01_walking_t2_001",
        "s02_walking_t2_001", "s02_falling_forward_t3_001", "s02_falling_forward_t4_001",
        "s02_falling_to_the_left_t6_001"]  # fmt: skip
    assert [recording.subject for recording in found] == [f"s{subject:02d}" for _, subject, _ in LABELS]
    assert {recording.session for recording in found} == {""}
    assert found[5].annotations == (Annotation(0.0, 3.02, "falling forward"),)


def test_axes_follow_each_other_in_a_row(found: list[Recording]):
    for seed, recording in enumerate(found):
        assert recording.signal.shape == (WINDOW, 3)
        np.testing.assert_allclose(recording.signal, window(seed), rtol=1e-6)
    assert np.abs(found[0].signal[:50].mean(0) - [GRAVITY, 0, 0]).max() < 0.5  # still, on its x axis


def test_pocket_follows_the_trial(found: list[Recording]):
    """Two trials of a daily activity, six of a fall; the first half is with the phone in the right pocket."""
    pockets = [recording.channels[0].placement.split()[0] for recording in found]
    assert pockets == ["right", "right", "right", "left", "left", "right", "left", "left"]
    assert {channel.placement for r in found for channel in r.channels} == {
        "right trouser pocket", "left trouser pocket"}  # fmt: skip


def test_labels_are_read_before_the_windows(tmp_path: Path):
    WRITERS["unimib_shar"](tmp_path)
    (tmp_path / DATA).unlink()
    (part,) = parts("unimib_shar", tmp_path)
    with pytest.raises(DataError, match=r"acc_data.mat is missing: unpack the whole archive again"):
        list(part())


GOOD = np.array(LABELS, "f8")
UNKNOWN, NOBODY = GOOD + np.array([17, 0, 0]), GOOD + np.array([0, 30, 0])
DAMAGE = [
    (LABEL, None, "acc_labels.mat is missing: unpack the whole archive again"),
    (LABEL, b"", "acc_labels.mat is not a MATLAB file as published"),
    (LABEL, mat_file(GOOD, b"acc_data"), "its array is not called acc_labels"),
    (LABEL, mat_file(GOOD[:, :2], b"acc_labels"), r"acc_labels is \[8, 2\] instead of \[windows, 3\]"),
    (LABEL, mat_file(UNKNOWN, b"acc_labels"), "row 1: 18, 1, 1 is not an activity from 1 to 17, a subject"),
    (LABEL, mat_file(NOBODY, b"acc_labels"), "row 1: 1, 31, 1 is not an activity from 1 to 17, a subject from 1 to"),
    (LABEL, mat_file(GOOD * [1, 1, 3.5], b"acc_labels"), "row 1: 1, 1, 3.5 is not an activity"),
    (LABEL, mat_file(GOOD * 1e30, b"acc_labels"), "acc_labels has values that are not numbers of a sensor"),
    (LABEL, mat_file(GOOD[:7], b"acc_labels"), r"acc_data is \[8, 453\] instead of \[7, 453\], as acc_labels.mat says"),
    (DATA, mat_file(np.ones((8, 452)), b"acc_data"), r"acc_data is \[8, 452\] instead of \[8, 453\]"),
    (DATA, mat_file(np.ones((453, 8)), b"acc_data"), r"acc_data is \[453, 8\] instead of \[8, 453\]"),
    (DATA, mat_file(np.full((8, 453), np.nan), b"acc_data"), "acc_data has values that are not numbers"),
    (DATA, mat_file(np.ones((8, 453)), b"adl_data"), "its array is not called acc_data"),
]


@pytest.mark.parametrize(("file", "content", "sentence"), DAMAGE)
def test_damage_is_named(file: str, content: bytes | None, sentence: str, tmp_path: Path):
    WRITERS["unimib_shar"](tmp_path)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        list(convert("unimib_shar", tmp_path))
    assert "\n" not in str(caught.value)
