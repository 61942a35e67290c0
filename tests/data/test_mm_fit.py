"""What is particular to MM-Fit: many devices on clocks of their own, frames of a camera, and files of numpy."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives import WRITERS
from archives.damage import Damage, refused
from archives.damage import rewrite as rewrite_lines
from archives.mm_fit import DEVICES, EPOCH, LOST, SECONDS, SETS, felt, frame, skeleton
from otolith.data.converters import convert, parts
from otolith.data.recording import Recording
from otolith.types import DataError

Archives = Callable[[str], Path | None]


@pytest.fixture(scope="module")
def found(archives: Archives) -> dict[str, Recording]:
    return {recording.name: recording for recording in convert("mm_fit", archives("mm_fit"))}


def test_each_device_is_a_recording_of_the_session(found: dict[str, Recording]):
    assert {name: (r.subject, r.session) for name, r in found.items()} == {
        **dict.fromkeys(["w00_sw_l", "w00_sw_l_hr", "w00_sw_r", "w00_sp_r", "w00_eb_l", "w00_pose_3d"], ("p2", "w00")),
        **dict.fromkeys(["w03_sw_l", "w03_sp_l", "w03_pose_3d"], ("p0", "w03")),
    }
    placements = {name: r.channels[0].placement for name, r in found.items() if r.channels[0].sensor != "position"}
    assert placements == {
        "w00_sw_l": "left wrist", "w00_sw_l_hr": "left wrist", "w00_sw_r": "right wrist", "w00_eb_l": "left ear",
        "w00_sp_r": "right trouser pocket", "w03_sw_l": "left wrist", "w03_sp_l": "left trouser pocket"}  # fmt: skip
    assert [c.sensor for c in found["w03_sp_l"].channels[::3]] == ["acc", "gyro", "mag"]


@pytest.mark.parametrize(("workout", "device"), [(w, d) for w in DEVICES for d in DEVICES[w]])
def test_devices_are_aligned_in_seconds(workout: str, device: str, found: dict[str, Recording]):
    recording = found[f"{workout}_{device}"]
    seconds, acc, gyro = felt(workout, device)
    assert recording.offset == pytest.approx(DEVICES[workout][device][0], abs=0.002)
    assert recording.rate == 100 and len(recording.signal) == pytest.approx(100 * (seconds[-1] - seconds[0]), abs=2)
    own = recording.offset + np.arange(len(recording.signal)) / 100
    box = round(0.4 * DEVICES[workout][device][1])
    for column, axis in ((0, acc[:, 0]), (4, gyro[:, 1])):
        given = np.convolve(recording.signal[:, column], np.ones(40) / 40, "same")[50:-50]
        slow = np.convolve(axis, np.ones(box) / box, "same")
        scores = {lag: np.corrcoef(given, np.interp(own[50:-50] + lag, seconds, slow))[0, 1] for lag in (-0.1, 0, 0.1)}
        assert scores[0] > 0.95 and scores[0] > max(scores[-0.1], scores[0.1]) + 0.02


def test_slow_magnetometer_is_on_the_grid_of_its_device(found: dict[str, Recording]):
    recording = found["w00_sp_r"]
    own = recording.offset + np.arange(len(recording.signal)) / 100
    np.testing.assert_allclose(recording.signal[:, 6], own, atol=0.01)
    np.testing.assert_allclose(recording.signal[:, 7], own + 10, atol=0.01)


def test_heart_rate_has_its_own_rate(found: dict[str, Recording]):
    recording = found["w00_sw_l_hr"]
    assert recording.rate == 1 and recording.offset == pytest.approx(0.3, abs=0.001)
    np.testing.assert_allclose(recording.signal[:, 0], 90.3 + np.arange(len(recording.signal)), atol=0.01)


def test_skeleton_takes_its_time_from_the_frames(found: dict[str, Recording]):
    """The hip goes 1 m at an even pace; were frames counted, it would leap where the camera lost half a second."""
    recording = found["w00_pose_3d"]
    assert recording.rate == 30 and recording.signal.shape[1] == 51
    own = recording.offset + np.arange(len(recording.signal)) / 30
    missing = np.isnan(recording.signal).any(axis=1)
    assert (missing == ((own > LOST[0] - 0.03) & (own < LOST[1]))).mean() > 0.995
    # Within a sample of the watch, and a millisecond.
    np.testing.assert_allclose(recording.signal[~missing, 0], own[~missing] / SECONDS, atol=0.012 / SECONDS)
    np.testing.assert_allclose(recording.signal[0, 1:3], skeleton()[1:, 0, 1] / 1000, atol=1e-6)


def test_joints_are_those_of_human36m(found: dict[str, Recording]):
    channels = found["w00_pose_3d"].channels
    assert ", ".join(channel.placement for channel in channels[::3]) == (
        "hip centre, right hip, right knee, right foot, left hip, left knee, left foot, spine, thorax, neck, head, "
        "left shoulder, left elbow, left wrist, right shoulder, right elbow, right wrist"
    )
    assert {(channel.sensor, channel.unit) for channel in channels} == {("position", "m")}
    assert [channel.axis for channel in channels[:3]] == ["x", "y", "z"]


def test_sets_and_the_rest_between_them(found: dict[str, Recording]):
    words = {"squats": "squat", "jumping_jacks": "jumping jacks", "bicep_curls": "biceps curl", "situps": "sit-up"}
    for recording in found.values():
        notes = recording.annotations
        assert notes[0].start == 0 and notes[-1].end == pytest.approx(recording.duration)
        assert all(one.end == other.start for one, other in itertools.pairwise(notes))
        assert {note.activity for note in notes[::2]} == {"other activity"}
        for note, (start, end, name) in zip(notes[1::2], SETS[recording.session], strict=True):
            assert note.activity == words[name]
            # A frame lasts 33 ms; a heart rate, once a second, tells the frames between only roughly.
            near = 0.04 if "hr" in recording.name else 0.012
            assert note.start + recording.offset == pytest.approx(start, abs=near)
            assert note.end + recording.offset == pytest.approx(end, abs=near)


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    np.save(path, change(np.load(path)))


def test_watch_that_stopped_early_does_not_cut_the_skeleton(tmp_path: Path, found: dict[str, Recording]):
    """As in w07: then another device tells the time of the frames."""
    WRITERS["mm_fit"](tmp_path)
    for sensor in ("acc", "gyr"):
        rewrite(tmp_path / f"mm-fit/w00/w00_sw_l_{sensor}.npy", lambda table: table[:1000])
    again = {recording.name: recording for recording in convert("mm_fit", tmp_path)}
    assert again["w00_sw_l"].duration < 10
    assert [note.activity for note in again["w00_sw_l"].annotations] == ["other activity", "squat", "other activity"]
    assert again["w00_pose_3d"].duration == pytest.approx(found["w00_pose_3d"].duration, abs=0.2)


def test_samples_a_little_out_of_order_and_columns_first(tmp_path: Path, found: dict[str, Recording]):
    WRITERS["mm_fit"](tmp_path)
    order = np.arange(2000)
    order[[700, 701]] = [701, 700]
    rewrite(tmp_path / "mm-fit/w00/w00_sw_r_gyr.npy", lambda t: np.asfortranarray(t[order]))
    again = next(r for r in convert("mm_fit", tmp_path) if r.name == "w00_sw_r")
    np.testing.assert_array_equal(again.signal, found["w00_sw_r"].signal[: len(again.signal)])
    assert again.offset == found["w00_sw_r"].offset


def test_a_phone_that_was_started_twice_is_one_recording(tmp_path: Path, found: dict[str, Recording]):
    WRITERS["mm_fit"](tmp_path)
    for sensor in ("acc", "gyr", "mag"):
        path = tmp_path / f"mm-fit/w03/w03_sp_l_{sensor}_0.npy"
        table = np.load(path)
        second = table[:, 1] > EPOCH + 15_000
        np.save(path, table[table[:, 1] < EPOCH + 14_000])
        np.save(path.with_name(f"w03_sp_l_{sensor}_5.npy"), table[second])
    again = next(r for r in convert("mm_fit", tmp_path) if r.name == "w03_sp_l")
    whole = found["w03_sp_l"]
    assert again.signal.shape == whole.signal.shape
    missing = np.isnan(again.signal).any(axis=1)
    assert np.flatnonzero(missing)[[0, -1]] / 100 + whole.offset == pytest.approx([14, 15], abs=0.1)
    np.testing.assert_allclose(again.signal[:1300], whole.signal[:1300], atol=1e-4)


def test_conversion_streams(tmp_path: Path):
    WRITERS["mm_fit"](tmp_path)
    (tmp_path / "mm-fit/w03/w03_pose_3d.npy").write_bytes(b"damaged")
    stream = convert("mm_fit", tmp_path)
    assert next(stream).name == "w00_sw_l"
    with pytest.raises(DataError, match=r"w03_pose_3d.npy is not a file of numbers as published"):
        list(stream)


def shifted(table: np.ndarray, milliseconds: float) -> np.ndarray:
    return table + np.array([0, milliseconds] + [0] * (table.shape[1] - 2))


def pose(table: np.ndarray, frames: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.concatenate([frames(table[:, :, :1]), table[:, :, 1:]], axis=2)


ACC, HEART, POSE, TABLE = "w00_sw_l_acc.npy", "w00_sw_l_hr.npy", "w00_pose_3d.npy", "w00_labels.csv"
NUMBERS = [
    (ACC, lambda t: t[:, :4], "w00_sw_l_acc.npy has 4 columns instead of 5"),
    (ACC, lambda t: t[:, 0], "w00_sw_l_acc.npy is not a file of numbers as published"),
    (ACC, lambda t: t.astype("f4"), "w00_sw_l_acc.npy is not a file of numbers as published"),
    (ACC, lambda t: t[:0], "w00_sw_l_acc.npy: its first columns are no frame and no ms since 1970"),
    (ACC, lambda t: t[:1], "w00_sw_l_acc.npy: 0 s to 0 s is no workout"),
    (ACC, lambda t: t[None], "instead of [samples, columns]: unpack the archive"),
    (ACC, lambda t: t[:, [1, 0, 2, 3, 4]], "w00_sw_l_acc.npy: its first columns are no frame and no ms since 1970"),
    (ACC, lambda t: t * [1, 1e-3, 1, 1, 1], "w00_sw_l_acc.npy: its first columns are no frame and no ms since 1970"),
    (ACC, lambda t: t * [-1, 1, 1, 1, 1], "w00_sw_l_acc.npy: its first columns are no frame and no ms since 1970"),
    (ACC, lambda t: t * [1, 1, np.inf, 1, 1], "w00_sw_l_acc.npy has values that are not numbers"),
    (ACC, lambda t: t * [1, 1, 1e300, 1, 1], "w00_sw_l_acc.npy has values that are not numbers"),
    (ACC, lambda t: np.roll(t, 300, axis=0), "w00_sw_l_acc.npy, row 301: time goes back by 24.0 s"),
    (ACC, lambda t: shifted(t, 30_000), "w00/w00_sw_l: the streams share no time"),
    (ACC, lambda t: shifted(t, 1e9), "w00_sw_l_acc.npy: 1000000 s to 1000024 s is no workout"),
    (ACC, lambda t: t[np.arange(len(t)).repeat(99)] + 1e-3 * np.arange(99 * len(t))[:, None] * [0, 1, 0, 0, 0],
     "w00_sw_l_acc.npy has "),
    (HEART, lambda t: t[:, [0, 1, 2, 2, 2]], "w00_sw_l_hr.npy has 5 columns instead of 3"),
    (POSE, lambda t: t[:2], "w00_pose_3d.npy is [2, 705, 18] instead of [3, frames, 18]"),
    (POSE, lambda t: t[:, :, :17], "w00_pose_3d.npy is [3, 705, 17] instead of [3, frames, 18]"),
    (POSE, lambda t: t[0], "w00_pose_3d.npy is [705, 18] instead of [3, frames, 18]"),
    (POSE, lambda t: pose(t, lambda frames: frames * [[[1]], [[1]], [[2]]]), "the frames do not follow one another"),
    (POSE, lambda t: pose(t, lambda frames: frames * 0), "w00_pose_3d.npy: the frames do not follow one another"),
    (POSE, lambda t: pose(t, lambda frames: frames * np.nan), "w00_pose_3d.npy has values that are not numbers"),
    (POSE, lambda t: pose(t, lambda frames: frames + 1e6), "w00_pose_3d.npy: its frames are not those of the sensors"),
    (POSE, lambda t: pose(t, lambda frames: 4100 + frames / 1e4), "samples a second; unpack the archive again"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "change", "sentence"), NUMBERS)
def test_wrong_numbers_are_named(file: str, change: Callable[[np.ndarray], np.ndarray], sentence: str, tmp_path: Path):
    WRITERS["mm_fit"](tmp_path)
    rewrite(tmp_path / "mm-fit/w00" / file, change)
    refused("mm_fit", tmp_path, sentence)


HEAD = b"\x93NUMPY\x01\x00v\x00"


def header(text: str) -> bytes:
    return HEAD + text.encode().ljust(117) + b"\n"


FILES = [
    (b"", "is not a file of numbers as published"),
    (b"\x80\x04K\x01.", "is not a file of numbers as published"),  # a pickle
    (header("{'descr': '|O', 'fortran_order': False, 'shape': (3, 5), }"), "is not a file of numbers as published"),
    (header("__import__('os').system('true')"), "is not a file of numbers as published"),
    (header("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 5), }"), "no frame and no ms since 1970"),
    (header("{'descr': '<f8', 'fortran_order': True, 'shape': (0, 5), }"), "no frame and no ms since 1970"),
    (
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999, 5), }")
        + np.array([4040.0, EPOCH, 0, 0, 0]).tobytes(),
        "has not the 39999999960 bytes that it announces",
    ),
]


@pytest.mark.parametrize(("content", "sentence"), FILES)
def test_files_that_are_no_numbers(content: bytes, sentence: str, tmp_path: Path):
    WRITERS["mm_fit"](tmp_path)
    (tmp_path / "mm-fit/w00" / ACC).write_bytes(content)
    with pytest.raises(DataError, match=rf"w00_sw_l_acc\.npy.* {re.escape(sentence)}"):
        list(convert("mm_fit", tmp_path))


@pytest.mark.parametrize("file", [ACC, HEART, POSE])
def test_a_cut_off_file_is_named(file: str, tmp_path: Path):
    WRITERS["mm_fit"](tmp_path)
    path = tmp_path / "mm-fit/w00" / file
    content = path.read_bytes()
    for end in (0, 5, 9, 50, 127, 128, 140, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(DataError, match=re.escape(file)):
            list(convert("mm_fit", tmp_path))


LABELS = [
    (lambda rows: [], "w00_labels.csv is empty"),
    (lambda rows: [rows[0], "5000,5100,squats"], "w00_labels.csv, line 2: 3 columns instead of 4"),
    (lambda rows: [rows[0], "5000,x,10,squats"], "w00_labels.csv, line 2: 'x' is not a whole number"),
    (
        lambda rows: [rows[0], "5000,5100,10,burpees"],
        "w00_labels.csv, line 2: exercise 'burpees' is not one of squats,",
    ),
    (lambda rows: [rows[0], "5000,5100,10,non_activity"], "w00_labels.csv, line 2: exercise 'non_activity' is not one"),
    (lambda rows: rows[::-1], "w00_labels.csv, line 2: frames 4100 to 4280 are not after those of the line before"),
    (lambda rows: ["4200,4200,10,squats"], "w00_labels.csv, line 1: frames 4200 to 4200 are not after"),
    (lambda rows: ["-5,4200,10,squats"], "w00_labels.csv, line 1: frames -5 to 4200 are not after"),
]


@pytest.mark.parametrize(("change", "sentence"), LABELS)
def test_wrong_labels_are_named(change: Damage, sentence: str, tmp_path: Path):
    assert (frame(2), frame(8)) == (4100, 4280)
    WRITERS["mm_fit"](tmp_path)
    rewrite_lines(tmp_path / "mm-fit/w00" / TABLE, change)
    refused("mm_fit", tmp_path, sentence)


def test_missing_files_are_named(tmp_path: Path):
    WRITERS["mm_fit"](tmp_path)
    (tmp_path / "mm-fit/w03" / "w03_pose_3d.npy").unlink()
    (first, second) = parts("mm_fit", tmp_path)
    with pytest.raises(DataError, match=r"w03_pose_3d\.npy is missing: unpack the whole archive again"):
        list(second())
    (tmp_path / "mm-fit/w00" / ACC).unlink()
    with pytest.raises(DataError, match=r"w00_sw_l_acc\.npy is missing: unpack the whole archive again"):
        list(first())
    for path in (tmp_path / "mm-fit/w03").glob("*_s*.npy"):
        path.unlink()
    with pytest.raises(DataError, match=r"w03 has no w03_sw_l_acc\.npy nor any other sensor"):
        list(second())


def test_heart_rate_alone_is_no_workout(tmp_path: Path):
    """As in the fragments that some pass on: labels and heart rates only."""
    WRITERS["mm_fit"](tmp_path)
    for path in (tmp_path / "mm-fit/w00").glob("*.npy"):
        if path.name != HEART:
            path.unlink()
    with pytest.raises(DataError, match=r"w00_sw_l_acc\.npy is missing"):
        list(parts("mm_fit", tmp_path)[0]())


@pytest.mark.parametrize("name", ["w21", "w0", "walk"])
def test_unknown_workout(name: str, tmp_path: Path):
    WRITERS["mm_fit"](tmp_path)
    (tmp_path / "mm-fit" / name).mkdir()
    (tmp_path / "mm-fit" / name / f"{name}_labels.csv").write_text("1,2,3,squats\n")
    with pytest.raises(DataError, match=rf"{name}_labels\.csv is not of 'mm_fit': workouts are w00 to w20"):
        parts("mm_fit", tmp_path)


def test_sides_of_the_skeleton_are_those_of_the_watches(raw_dir: Path):
    """In biceps curls the arms take turns; the wrist that moves must be on the side of the watch that turns."""
    if not (raw_dir / "mm_fit").is_dir():
        pytest.skip("needs the archive of mm_fit in OTOLITH_RAW_DIR")
    votes = []
    for part in parts("mm_fit", raw_dir):
        recordings = {recording.name[4:]: recording for recording in part()}
        if not {"sw_l", "sw_r"} <= set(recordings):
            continue
        watches = [recordings[side] for side in ("sw_l", "sw_r")]
        body = recordings["pose_3d"]
        names = [channel.name for channel in body.channels]
        bend = [
            body.signal[:, names.index(f"{side}_wrist_z")] - body.signal[:, names.index(f"{side}_elbow_z")]
            for side in ("left", "right")
        ]
        for note in body.annotations:
            if note.activity != "biceps curl":
                continue
            own = np.arange(note.start, note.end, 1 / 30)
            times = np.arange(len(body.signal)) / 30
            moves = [np.abs(np.gradient(np.interp(own, times, values))) for values in bend]
            turns = [
                np.interp(
                    own + body.offset - watch.offset,
                    np.arange(len(watch.signal)) / 100,
                    np.linalg.norm(watch.signal[:, 3:6], axis=1),
                )
                for watch in watches
            ]
            score = np.corrcoef(moves[0] - moves[1], turns[0] - turns[1])[0, 1]
            votes.append(score > 0)
    assert np.mean(votes) > 0.7
