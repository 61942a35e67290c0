"""What is particular to UTD-MHAD: two sensors on two clocks, in MATLAB files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives import WRITERS
from archives.matlab import mat_file
from archives.motion import simulate
from archives.utd_mhad import FRAMES, SECONDS, walk
from otolith.data.channels import GRAVITY
from otolith.data.converters import convert
from otolith.data.recording import Annotation, Recording
from otolith.types import DataError

Archives = Callable[[str], Path | None]
INERTIAL, SKELETON = "Inertial/a21_s2_t1_inertial.mat", "Skeleton/a21_s2_t1_skeleton.mat"


@pytest.fixture(scope="module")
def found(archives: Archives) -> dict[str, Recording]:
    return {recording.name: recording for recording in convert("utd_mhad", archives("utd_mhad"))}


def test_placement_follows_the_action(found: dict[str, Recording]):
    assert {name: r.channels[0].placement for name, r in found.items() if "skeleton" not in name} == {
        "a01_s1_t1": "right wrist", "a01_s1_t2": "right wrist", "a21_s2_t1": "right wrist",
        "a22_s2_t1": "right thigh", "a27_s1_t4": "right thigh"}  # fmt: skip
    acc, gyro = simulate(SECONDS, 2)
    np.testing.assert_allclose(found["a21_s2_t1"].signal, np.hstack([acc * GRAVITY, gyro]), rtol=1e-5, atol=1e-6)
    assert found["a27_s1_t4"].annotations == (Annotation(0.0, SECONDS, "squat"),)


def test_each_trial_is_a_session_of_two(found: dict[str, Recording]):
    assert len(found) == 10
    for name, recording in found.items():
        assert recording.session == name.removesuffix("_skeleton")
        assert recording.offset == 0
        assert recording.subject == found[recording.session].subject
        assert recording.annotations[0].activity == found[recording.session].annotations[0].activity


def test_skeleton_has_named_joints_in_metres(found: dict[str, Recording]):
    recording = found["a22_s2_t1_skeleton"]
    assert recording.signal.shape[1] == 60 and recording.rate == 30
    assert {(c.sensor, c.unit, c.device) for c in recording.channels} == {("position", "m", "depth camera")}
    joints = [channel.placement for channel in recording.channels[::3]]
    # As in the archive's Skeleton_joint_order.txt.
    assert ", ".join(joints) == (
        "head, shoulder centre, spine, hip centre, left shoulder, left elbow, left wrist, left hand, right shoulder, "
        "right elbow, right wrist, right hand, left hip, left knee, left ankle, left foot, right hip, right knee, "
        "right ankle, right foot"
    )
    assert [c.name for c in recording.channels[9:12]] == ["hip_centre_x", "hip_centre_y", "hip_centre_z"]
    np.testing.assert_allclose(recording.signal[0], walk(FRAMES)[:, :, 0].reshape(-1), atol=1e-6)


def test_skeleton_runs_on_the_clock_of_the_inertial_sensor(found: dict[str, Recording]):
    """115 frames in 6 s: at the camera's 30 Hz the person would arrive after 3.8 s."""
    signal = found["a01_s1_t2_skeleton"].signal
    assert len(signal) == pytest.approx(SECONDS * 30, abs=2)
    seconds = np.arange(len(signal)) / 30
    np.testing.assert_allclose(signal[:, 0] - signal[0, 0], -seconds / SECONDS, atol=1e-5)


def test_conversion_streams(tmp_path: Path):
    WRITERS["utd_mhad"](tmp_path)
    (tmp_path / "Inertial" / "a27_s1_t4_inertial.mat").write_bytes(b"damaged")
    stream = convert("utd_mhad", tmp_path)
    assert [next(stream).name for _ in range(2)] == ["a01_s1_t1", "a01_s1_t1_skeleton"]
    with pytest.raises(DataError):
        list(stream)


@pytest.mark.parametrize("file", [INERTIAL, SKELETON])
@pytest.mark.parametrize("part", [0, 100, 135, 140, 300, -1])
def test_cut_off_file(file: str, part: int, tmp_path: Path):
    WRITERS["utd_mhad"](tmp_path)
    path = tmp_path / file
    path.write_bytes(path.read_bytes()[:part])
    with pytest.raises(DataError, match=f"{re.escape(path.name)} is not a MATLAB file as published"):
        list(convert("utd_mhad", tmp_path))


DAMAGE = [
    (INERTIAL, mat_file(np.ones((300, 5)), b"d_iner"), r"d_iner is \[300, 5\] instead of \[samples, 6\]"),
    (INERTIAL, mat_file(np.ones((300, 6, 2)), b"d_iner"), r"d_iner is \[300, 6, 2\] instead of \[samples, 6\]"),
    (INERTIAL, mat_file(np.ones((300, 6)), b"d_skel"), "its array is not called d_iner"),
    (INERTIAL, mat_file(np.full((300, 6), np.nan), b"d_iner"), "d_iner has values that are not numbers"),
    (INERTIAL, mat_file(np.ones((150, 6)), b"d_iner"), "115 frames for 3.00 s of inertial data"),
    (SKELETON, mat_file(walk(50), b"d_skel"), "50 frames for 6.00 s of inertial data, but a camera sees 11 to 30"),
    (SKELETON, mat_file(walk(FRAMES)[:19], b"d_skel"), r"d_skel is \[19, 3, 115\] instead of \[20, 3, frames\]"),
    (SKELETON, mat_file(walk(FRAMES)[:, 0], b"d_skel"), r"d_skel is \[20, 115\] instead of \[20, 3, frames\]"),
    (SKELETON, None, "a21_s2_t1_skeleton.mat is missing: unpack the whole archive again"),
]


@pytest.mark.parametrize(("file", "content", "sentence"), DAMAGE)
def test_damage_is_named(file: str, content: bytes | None, sentence: str, tmp_path: Path):
    WRITERS["utd_mhad"](tmp_path)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        list(convert("utd_mhad", tmp_path))
    assert "\n" not in str(caught.value)


def test_archive_without_skeletons(tmp_path: Path):
    WRITERS["utd_mhad"](tmp_path)
    for path in (tmp_path / "Skeleton").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=re.escape("no a*_s*_t*_skeleton.mat of dataset 'utd_mhad'")):
        list(convert("utd_mhad", tmp_path))


def test_unknown_action(tmp_path: Path):
    WRITERS["utd_mhad"](tmp_path)
    (tmp_path / INERTIAL).rename(tmp_path / "Inertial" / "a28_s2_t1_inertial.mat")
    with pytest.raises(DataError, match=r"a28_s2_t1_inertial.mat is not of 'utd_mhad': actions are a1 to a27"):
        list(convert("utd_mhad", tmp_path))


@pytest.fixture(scope="module")
def trials(raw_dir: Path) -> dict[str, Recording]:
    if not (raw_dir / "utd_mhad").is_dir():
        pytest.skip("needs the archive of utd_mhad in OTOLITH_RAW_DIR")
    return {recording.name: recording for recording in convert("utd_mhad", raw_dir)}


def test_whole_archive_holds_what_was_published(trials: dict[str, Recording], raw_dir: Path):
    inertial = {name for name in trials if "skeleton" not in name}
    assert len(inertial) == 861 and len(trials) == 2 * 861
    # 27 actions, 8 people, 4 times, but for three.
    every = {f"a{a:02d}_s{s}_t{t}" for a in range(1, 28) for s in range(1, 9) for t in range(1, 5)}
    assert every - inertial == {"a08_s1_t4", "a23_s6_t4", "a27_s8_t4"}
    durations = [recording.duration for recording in trials.values()]
    assert min(durations) >= 2 and max(durations) <= 7
    assert all(abs(trials[name].duration - trials[f"{name}_skeleton"].duration) < 0.1 for name in inertial)


def limb(recording: Recording, start: str, end: str) -> np.ndarray:
    """From one joint to another [T, 3]."""
    names = [channel.name for channel in recording.channels]
    first, last = (names.index(f"{joint}_x") for joint in (start, end))
    return recording.signal[:, last : last + 3] - recording.signal[:, first : first + 3]


def test_skeletons_are_of_people_in_metres(trials: dict[str, Recording], raw_dir: Path):
    skeletons = [recording for name, recording in trials.items() if "skeleton" in name]
    for start, end, shortest, longest in (
        ("right_hip", "right_knee", 0.35, 0.55),
        ("right_knee", "right_ankle", 0.3, 0.5),
        ("left_shoulder", "left_elbow", 0.2, 0.35),
        ("left_shoulder", "right_shoulder", 0.25, 0.45),
    ):
        lengths = [np.median(np.linalg.norm(limb(recording, start, end), axis=1)) for recording in skeletons]
        assert shortest < np.median(lengths) < longest
    heights = [np.median(-limb(recording, "head", "left_foot")[:, 1]) for recording in skeletons]
    assert 1.3 < np.median(heights) < 1.7  # y points up


def turning(recording: Recording, side: str) -> np.ndarray:
    """How fast a forearm turns, over 0.3 s [T] in rad/s."""
    arm = limb(recording, f"{side}_elbow", f"{side}_wrist")
    arm /= np.linalg.norm(arm, axis=1, keepdims=True)
    angle = np.arccos(np.clip((arm[9:] * arm[:-9]).sum(1), -1, 1))
    return angle * recording.rate / 9


def test_skeleton_and_gyroscope_turn_at_the_same_time_and_on_the_same_side(trials: dict[str, Recording], raw_dir: Path):
    """Right-arm swipes, a wave and a throw: this fails if either clock is off by 0.3 s, or sides are swapped."""
    lags, sides = [], []
    for name, recording in trials.items():
        if not name.startswith(("a01", "a02", "a03", "a05")) or "skeleton" in name:
            continue
        skeleton = trials[f"{name}_skeleton"]
        turn = np.linalg.norm(recording.signal[:, 3:], axis=1)
        times = np.arange(len(turn)) / recording.rate
        middle = (np.arange(len(skeleton.signal) - 9) + 4.5) / skeleton.rate
        scores = {
            lag: np.corrcoef(np.interp(middle + lag, times, turn), turning(skeleton, "right"))[0, 1]
            for lag in np.arange(-20, 21) / 20
        }
        lags.append(max(scores, key=lambda lag: scores[lag]))
        sides.append(scores[0.0] > np.corrcoef(np.interp(middle, times, turn), turning(skeleton, "left"))[0, 1])
    assert abs(np.median(lags)) <= 0.05
    assert np.mean(np.abs(lags) <= 0.2) > 0.8
    assert np.mean(sides) > 0.9
