"""Every converter goes through one contract, on the real archive where it is at hand and on a copy of its layout."""

from __future__ import annotations

import io
import pickle
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archives import WRITERS
from archives.damage import Damage, refused, rewrite
from archives.motion import simulate
from otolith.data.channels import GRAVITY, NORMALISED, triads
from otolith.data.converters import convert, parts, spar
from otolith.data.labels import VOCABULARY
from otolith.data.recording import Annotation, Recording, check_physics, refuse_implausible, rest_magnitude
from otolith.data.registry import CARDS, DatasetCard, card
from otolith.types import DataError, MissingExtraError, UnitError

Archives = Callable[[str], Path | None]

FETCHED = [name for name, about in CARDS.items() if not about.package]
"""The datasets that no package carries; `conftest.py` writes small copies of their archives."""

# What of a dataset is at hand where that is not all of it: subjects, recordings and samples.
ALSO = {"tug": ("sp_sw_har",)}
"""Other names under which an archive may lie."""
PARTS = {"dsads": [(6, 114, 848_050)], "wisdm": [(8, 287, 1_031_767)]}


def check_contract(recordings: list[Recording], about: DatasetCard) -> None:
    """What every reader of recordings relies on."""
    assert recordings
    assert len({recording.name for recording in recordings}) == len(recordings)
    for recording in recordings:
        refuse_implausible(recording)
        assert recording.rate == pytest.approx(about.rate_of(recording.channels), rel=0.02)
        assert [c for c in about.channels if c in recording.channels] == list(recording.channels)
        assert {note.activity for note in recording.annotations} <= set(about.activities.values()) <= set(VOCABULARY)
        missing = np.isnan(recording.signal).any()
        assert missing == any(finding.kind == "missing" for finding in check_physics(recording))
    sessions = Counter((recording.session, recording.subject) for recording in recordings if recording.session)
    assert len({session for session, _ in sessions}) == len(sessions)  # a session is of one person
    assert not sessions or max(sessions.values()) > 1  # and has more than one recording, or it need not be named
    # The split of the card is in the names that the converter gives.
    shapes = {re.sub(r"\d+", "0", recording.subject) for recording in recordings}
    assert {re.sub(r"\d+", "0", subject) for subject in (*about.split.test, *about.split.val)} <= shapes
    rest = np.array([rest for recording in recordings for rest in rests(recording)])
    if not rest.size:
        assert not any(channel.gravity and channel.unit != NORMALISED for channel in about.channels)
        return
    # Not every recording holds still, but a tenth of every dataset does, and then only gravity is felt.
    assert (
        abs(np.median(rest[np.argsort(np.abs(rest - GRAVITY))[: max(1, len(rest) // 10)]]) - GRAVITY) < 0.05 * GRAVITY
    )
    assert abs(np.median(rest) - GRAVITY) < 0.2 * GRAVITY


def rests(recording: Recording) -> list[float]:
    """What each accelerometer with gravity reads at rest."""
    bodies = triads(recording.channels).values()
    first = [(columns, recording.channels[columns[0]]) for body in bodies for columns in body]
    with_gravity = [columns for columns, channel in first if channel.gravity and channel.unit != NORMALISED]
    return [rest_magnitude(recording.signal[:, columns], recording.rate) for columns in with_gravity]


@pytest.mark.parametrize("name", CARDS)
def test_contract(name: str, archives: Archives):
    check_contract(list(convert(name, archives(name))), card(name))


@pytest.mark.parametrize("name", CARDS)
def test_two_conversions_are_equal(name: str, archives: Archives):
    first, second = (list(convert(name, archives(name))) for _ in range(2))
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.signal, other.signal)
        assert (one.name, one.subject, one.channels, one.annotations) == (
            other.name, other.subject, other.channels, other.annotations)  # fmt: skip


@pytest.mark.parametrize("name", CARDS)
def test_parts_can_be_read_elsewhere(name: str, archives: Archives):
    """In another process, in any order, each as often as one likes."""
    found = parts(name, archives(name))
    whole = [recording.name for recording in convert(name, archives(name))]
    apart = {recording.name for part in reversed(found) for recording in pickle.loads(pickle.dumps(part))()}
    assert len(whole) == len(apart) and set(whole) == apart


@pytest.mark.parametrize("name", CARDS)
def test_contract_and_published_counts_on_the_whole_archive(name: str, request: pytest.FixtureRequest):
    about = card(name)
    raw_dir = None if about.package else request.getfixturevalue("raw_dir")
    if raw_dir and not any((raw_dir / folder).is_dir() for folder in (name, *ALSO.get(name, ()))):
        pytest.skip(f"needs the archive of {name} in OTOLITH_RAW_DIR")
    recordings = list(convert(name, raw_dir))
    check_contract(recordings, about)
    found = (len({r.subject for r in recordings}), len(recordings), sum(len(r.signal) for r in recordings))
    assert found in [(about.subjects, about.recordings, about.rows), *PARTS.get(name, [])]
    assert {note.activity for r in recordings for note in r.annotations} == set(about.activities.values())
    assert {channel for r in recordings for channel in r.channels} == set(about.channels)
    if found == (about.subjects, about.recordings, about.rows):
        assert {*about.split.test, *about.split.val} < {r.subject for r in recordings}


def test_no_card_escapes_the_contract():
    """A new dataset needs a fixture (unless a package carries it), and every converter module needs a card."""
    assert set(FETCHED) == set(WRITERS)
    modules = [path for path in Path(spar.__file__).parent.glob("*.py") if path.stem != "__init__"]
    converters = {path.stem for path in modules if "\ndef parts(" in path.read_text()}
    assert converters == {about.converter for about in CARDS.values()}


@pytest.mark.parametrize("name", FETCHED)
@pytest.mark.parametrize("up", [False, True])
def test_archive_or_the_folder_above_it_may_be_given(name: str, up: bool, archives: Archives):
    folder = archives(name)
    assert folder is not None
    assert len(list(convert(name, folder.parent if up else folder))) == len(list(convert(name, folder)))


@pytest.mark.parametrize("name", FETCHED)
def test_empty_folder_is_refused(name: str, tmp_path: Path):
    with pytest.raises(DataError, match=f"of dataset '{name}' in {re.escape(str(tmp_path))}"):
        list(convert(name, tmp_path))


@pytest.mark.parametrize("name", FETCHED)
def test_a_folder_must_be_given(name: str):
    with pytest.raises(DataError, match="say in which folder"):
        convert(name, None)


def test_unknown_dataset_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="did you mean 'hapt'"):
        convert("hatp", tmp_path)


# What is particular to each dataset


def test_hapt_labels_are_samples_from_one_inclusive(archives: Archives):
    recording = next(convert("hapt", archives("hapt")))
    assert (recording.name, recording.subject) == ("exp01_user01", "user01")
    assert recording.annotations == (
        Annotation(10 / 50, 400 / 50, "standing"),
        Annotation(400 / 50, 500 / 50, "sitting down"),
        Annotation(600 / 50, 1000 / 50, "sitting"),
    )
    np.testing.assert_allclose(recording.signal[10, :3], [GRAVITY, 0, 0], atol=1e-5)


def test_motionsense_restores_what_the_accelerometer_felt(archives: Archives):
    recording = next(r for r in convert("motionsense", archives("motionsense")) if r.name == "sit_5_sub_1")
    acc, gyro = simulate(12, 3)
    np.testing.assert_allclose(recording.signal[:, :3], acc * GRAVITY, atol=1e-4)
    np.testing.assert_allclose(recording.signal[:, 3:6], gyro, atol=1e-5)
    np.testing.assert_allclose(recording.signal[:, 6:9].mean(0), [0.2, 0.1, 0.3], atol=0.01)  # pitch, roll, yaw
    np.testing.assert_allclose(recording.signal[:, 9:], (acc - [1, 0, 0]) * GRAVITY, atol=1e-4)
    assert [channel.gravity for channel in recording.channels] == [True] * 3 + [None] * 6 + [False] * 3


def test_spar_has_a_watch_on_the_exercising_wrist(spar_recordings: list[Recording]):
    assert {(r.channels[0].placement, r.name.rsplit("_", 1)[1]) for r in spar_recordings} == {
        ("left wrist", "left"), ("right wrist", "right")}  # fmt: skip
    for recording in spar_recordings:
        if recording.annotations[0].activity == "shoulder pendulum":
            # The arm hangs, so x points to the ground on the left wrist and away from it on the right one.
            towards_sky = recording.signal[:, 0].mean() / GRAVITY
            assert (-towards_sky if recording.channels[0].placement == "left wrist" else towards_sky) > 0.5


def test_spar_turns_in_radians(spar_recordings: list[Recording]):
    """A forearm that rotates about once a second turns at a few rad/s; were these deg/s, it would not have moved."""
    turning = [r.signal[:, 3:].std() for r in spar_recordings if "rotation" in r.annotations[0].activity]
    assert 0.5 < np.median(turning) < 5


@pytest.mark.parametrize("factor", [1 / GRAVITY, GRAVITY])
def test_a_wrong_unit_of_acceleration_is_noticed_on_every_recording(factor: float, spar_recordings: list[Recording]):
    """Even where the person never rests: g taken for m/s² and the reverse."""
    for recording in spar_recordings:
        wrong = recording.signal * np.array([factor] * 3 + [1] * 3, dtype=np.float32)
        with pytest.raises(UnitError):
            refuse_implausible(replace(recording, signal=wrong))


def test_spar_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spar, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"otolith\[demo\]"):
        list(convert("spar", None))


def test_spar_refuses_a_file_that_was_tampered_with(tmp_path: Path):
    (tmp_path / "watch_dataset.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match="is not the published file"):
        list(convert("spar", tmp_path))


def test_spar_never_runs_what_a_pickle_asks_for(tmp_path: Path):
    class Attack:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "harm",))

    with pytest.raises(pickle.UnpicklingError, match="no place in a data file"):
        spar._ArraysOnly(io.BytesIO(pickle.dumps(Attack()))).load()
    assert not (tmp_path / "harm").exists()


# Damage

ACC, GYRO, LABELS = "RawData/acc_exp02_user01.txt", "RawData/gyro_exp02_user01.txt", "RawData/labels.txt"
WALK = "A_DeviceMotion_data/wlk_7/sub_2.csv"
DAMAGE = [
    ("hapt", LABELS, None, "labels.txt is missing"),
    ("hapt", GYRO, None, "gyro_exp02_user01.txt is missing"),
    ("hapt", ACC, None, "acc_exp02_user01.txt is missing"),
    ("hapt", ACC, lambda lines: [], "acc_exp02_user01.txt is empty"),
    (
        "hapt",
        ACC,
        lambda lines: [*lines[:7], "0.1 0.2", *lines[8:]],
        "acc_exp02_user01.txt, line 8: 2 columns instead of 3",
    ),
    (
        "hapt",
        GYRO,
        lambda lines: [*lines[:7], "0.1 x 0.2", *lines[8:]],
        "gyro_exp02_user01.txt, line 8: 'x' is not a number",
    ),
    ("hapt", GYRO, lambda lines: [*lines[:7], "0.1 nan 0.2", *lines[8:]], "line 8: 'nan' is not a number"),
    ("hapt", GYRO, lambda lines: lines[:-1], "gyro_exp02_user01.txt has 999 lines, but acc_exp02_user01.txt has 1000"),
    ("hapt", LABELS, lambda lines: [*lines, "2 1 4 990 1001"], "labels.txt, line 10: samples 990 to 1001 lie outside"),
    ("hapt", LABELS, lambda lines: [*lines, "2 1 4 0 5"], "labels.txt, line 10: samples 0 to 5 lie outside"),
    (
        "hapt",
        LABELS,
        lambda lines: [*lines, "2 1 13 510 520"],
        "labels.txt, line 10: activity '13' is not one of 1 to 12",
    ),
    ("hapt", LABELS, lambda lines: [*lines, "2 1 4 350 410"], "overlaps"),
    ("hapt", LABELS, lambda lines: [*lines, "2 1 4 350.5 410"], "line 10: '350.5' is not a whole number"),
    ("hapt", LABELS, lambda lines: [*lines, "2 1 4 1e300 1e300"], "line 10: '1e300' is not a whole number"),
    ("hapt", GYRO, lambda lines: [*lines[:7], "0.1 -1e300 0.2", *lines[8:]], "line 8: '-1e300' is beyond what any"),
    ("motionsense", WALK, None, "sub_2.csv is missing"),
    ("motionsense", WALK, lambda lines: [], "sub_2.csv is empty"),
    ("motionsense", WALK, lambda lines: lines[:1], "sub_2.csv is empty"),
    (
        "motionsense",
        WALK,
        lambda lines: [lines[0].replace("gravity.y", "g"), *lines[1:]],
        "column 'gravity.y' is missing",
    ),
    ("motionsense", WALK, lambda lines: [*lines[:3], lines[3] + ",1", *lines[4:]], "line 4: 14 columns instead of 13"),
    ("motionsense", WALK, lambda lines: [*lines[:3], "a" + lines[3], *lines[4:]], "line 4: 'a2' is not a number"),
    ("motionsense", WALK, lambda lines: [*lines[:3], lines[3][:9]], "line 4: 2 columns instead of 13"),
    ("motionsense", WALK, lambda lines: lines[:4], "3 samples are too few"),
]

SEGMENT, TUG_FILE = "data/a01/p2/s07.txt", "DATA/s02/s02_01_sw.csv"
PHONE = "wisdm-dataset/raw/phone/accel/data_1600_accel_phone.txt"
WATCH = "wisdm-dataset/raw/watch/gyro/data_1601_gyro_watch.txt"
DAMAGE += [
    ("dsads", SEGMENT, None, "s07.txt is missing"),
    ("dsads", SEGMENT, lambda lines: [], "s07.txt is empty"),
    ("dsads", SEGMENT, lambda lines: lines[:-1], "s07.txt has 124 lines of numbers instead of 125"),
    ("dsads", SEGMENT, lambda lines: [*lines, lines[0]], "s07.txt has 126 lines of numbers instead of 125"),
    ("dsads", SEGMENT, lambda lines: [lines[0], "", *lines[2:]], "s07.txt has 124 lines of numbers instead of 125"),
    ("dsads", SEGMENT, lambda lines: [*lines[:3], lines[3] + ",1", *lines[4:]], "s07.txt, line 4: 46 columns instead"),
    ("dsads", SEGMENT, lambda lines: [*lines[:3], "x" + lines[3], *lines[4:]], "s07.txt, line 4: 'x"),
    (
        "dsads",
        SEGMENT,
        lambda lines: [*lines[:3], "inf" + lines[3][lines[3].index(",") :], *lines[4:]],
        "line 4: 'inf'",
    ),
    ("dsads", SEGMENT, lambda lines: [line.replace(",", ";") for line in lines], "line 1: 1 columns instead of 45"),
    ("wisdm", PHONE, None, "data_1600_accel_phone.txt is missing"),
    ("wisdm", PHONE, lambda lines: [], "data_1600_accel_phone.txt is empty"),
    ("wisdm", PHONE, lambda lines: [lines[0], "1600,A,12", *lines[2:]], "line 2: 3 columns instead of 6"),
    ("wisdm", PHONE, lambda lines: [lines[0], "1600,A,12,1,2,x;", *lines[2:]], "line 2: 'x' is not a number"),
    ("wisdm", PHONE, lambda lines: [lines[0], "1600,A,12,1,2,nan;", *lines[2:]], "line 2: 'nan' is not a number"),
    ("wisdm", PHONE, lambda lines: [lines[0], "1600,N,12,1,2,3;", *lines[2:]], "line 2: activity 'N' is not one of A"),
    ("wisdm", PHONE, lambda lines: [lines[0], "1601,A,12,1,2,3;", *lines[2:]], "line 2: subject '1601' is not one"),
    ("wisdm", WATCH, lambda lines: [re.sub(",(2|A,2)", ",A,9", line) for line in lines], "columns instead of 6"),
    ("wisdm", WATCH, lambda lines: [re.sub(",25", ",95", line) for line in lines], "share no time"),
    ("tug", TUG_FILE, None, "s02_01_sw.csv is missing"),
    ("tug", TUG_FILE, lambda lines: [], "s02_01_sw.csv is empty"),
    ("tug", TUG_FILE, lambda lines: [lines[0].replace("z_gyro", "z"), *lines[1:]], "column 'z_gyro' is missing"),
    ("tug", TUG_FILE, lambda lines: [*lines[:4], lines[4] + ",1", *lines[5:]], "line 5: 9 columns instead of 8"),
    ("tug", TUG_FILE, lambda lines: [*lines[:4], "a" + lines[4], *lines[5:]], "sw.csv, line 5: 'a"),
    ("tug", TUG_FILE, lambda lines: [*lines[:4], lines[4] + "X", *lines[5:]], "line 5: label 'SEATEDX' is not one of"),
    ("tug", TUG_FILE, lambda lines: [lines[0], *reversed(lines[1:])], "time goes back"),
    ("tug", TUG_FILE, lambda lines: lines[:2], "line 2: one sample makes no signal"),
    ("tug", TUG_FILE, lambda lines: lines[:300] + lines[500:], "84.6 Hz where about 103 Hz is expected"),
    ("tug", TUG_FILE, lambda lines: lines[:300] + lines[390:], "s from an even clock, so samples are missing"),
    ("tug", TUG_FILE, lambda lines: lines[::2], "52.1 Hz where about 103 Hz is expected"),
]


@pytest.mark.parametrize(("name", "file", "damage", "sentence"), DAMAGE)
def test_damage_is_named(
    name: str,
    file: str,
    damage: Damage | None,
    sentence: str,
    tmp_path: Path,
):
    WRITERS[name](tmp_path)
    rewrite(tmp_path / file, damage)
    refused(name, tmp_path, sentence)


def test_motionsense_trial_of_unknown_code(tmp_path: Path):
    WRITERS["motionsense"](tmp_path)
    (tmp_path / "A_DeviceMotion_data/wlk_7").rename(tmp_path / "A_DeviceMotion_data/fly_7")
    with pytest.raises(DataError, match="'fly_7' is not a trial"):
        list(convert("motionsense", tmp_path))
