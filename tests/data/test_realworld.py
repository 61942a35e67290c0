"""What is particular to RealWorld: zips within zips, parts, late stamps, seven clocks, and hostile zips."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives.damage import Damage, cell, refused
from archives.motion import G, simulate
from archives.realworld import HEADER, POSITIONS, TITLES, sensors, table, tables, write, zipped
from otolith.data.converters import convert, parts
from otolith.data.recording import Recording
from otolith.data.registry import card
from otolith.types import DataError

Archives = Callable[[str], Path | None]
FIRST = "acc_walking_chest.csv"


@pytest.fixture(scope="module")
def found(archives: Archives) -> dict[str, Recording]:
    return {recording.name: recording for recording in convert("realworld", archives("realworld"))}


def archive(folder: Path, files: dict[str, dict[str, str | bytes]] | None = None, name: str = "") -> Path:
    """An archive of one activity of one person, as zips; returns the folder of the zips."""
    data = folder / "proband1" / "data"
    data.mkdir(parents=True)
    for sensor, inside in (files or chest()).items():
        (data / (name or f"{sensor}_walking_csv.zip").replace("acc", sensor)).write_bytes(zipped(inside))
    return data


def chest() -> dict[str, dict[str, str | bytes]]:
    return {sensor: dict(files) for sensor, files in tables("walking", 0, positions=("chest",)).items()}


def test_recordings_are_of_people_activities_parts_and_positions(found: dict[str, Recording]):
    whole = {f"proband{p}_{a}_{c}" for p, a in ((1, "walking"), (1, "lying"), (4, "walking")) for c in POSITIONS}
    no_forearm = {f"proband2_climbingup_{c}" for c in POSITIONS if c != "forearm"}
    in_parts = {f"proband4_climbingup_{k}_{c}" for k in (1, 2, 3) for c in ("chest", "waist")}
    assert set(found) == whole | no_forearm | in_parts
    assert {r.subject for r in found.values()} == {"proband1", "proband2", "proband4"}
    assert {(r.name.split("_")[1], r.annotations[0].activity) for r in found.values()} == {
        ("walking", "walking"), ("lying", "lying"), ("climbingup", "walking upstairs")}  # fmt: skip
    assert all(r.annotations[0].end == r.duration for r in found.values())


def test_channels_are_of_the_device(found: dict[str, Recording]):
    assert [c.name for c in found["proband1_lying_upperarm"].channels[::3]] == [
        "upper_arm_acc_x", "upper_arm_gyro_x", "upper_arm_mag_x"]  # fmt: skip
    assert {c.device for c in found["proband1_lying_forearm"].channels} == {"smartwatch"}
    assert {c.device for c in found["proband1_lying_waist"].channels} == {"smartphone"}
    assert len(card("realworld").channels) == 7 * 9


def test_values_are_in_si_and_in_time(found: dict[str, Recording]):
    """All three sensors of the watch, each on its own clock, on the grid that begins with the last of them."""
    recording = found["proband1_walking_forearm"]
    acc, gyro = simulate(12, 1)
    field = np.tile([20.0, -30.0, 35.0], (len(acc), 1)) + 0.1 * gyro
    grid = np.arange(len(recording.signal)) / 50
    own = np.arange(len(acc)) * 0.02002
    for column, (values, ahead) in enumerate(((acc * G, 0.04), (gyro, 0.02), (field, 0.0))):
        for axis in range(3):
            expected = np.interp(grid + ahead, own, values[:, axis])
            # Stamps shake by 2 ms, so the moving seconds agree only nearly; the still ones do in full.
            got = recording.signal[:, 3 * column + axis]
            assert np.corrcoef(got, expected)[0, 1] > 0.98 or np.ptp(expected) < 0.3
            np.testing.assert_allclose(got[10:90], expected[10:90], atol=0.02 if column else 1e-3)


def test_stamps_that_come_late_are_laid_on_an_even_clock(found: dict[str, Recording]):
    """The shin's phone hands over 75 samples within 75 ms; by their stamps there would be a hole, and then a jerk."""
    recording = found["proband1_walking_shin"]
    assert not np.isnan(recording.signal).any()
    acc, _ = simulate(12, 3)
    own = np.arange(len(acc)) * 0.02002
    grid = np.arange(len(recording.signal)) / 50 + 0.04
    slow = np.ones(15) / 15
    felt, expected = (
        np.convolve(x, slow, "same") for x in (recording.signal[:, 1], np.interp(grid, own, acc[:, 1] * G))
    )
    busy = slice(295, 380)
    assert np.corrcoef(felt[busy], expected[busy])[0, 1] > 0.95


def test_what_is_lost_is_missing(tmp_path: Path):
    """Other than after late stamps, no samples follow that could fill the gap."""
    files = chest()
    lines = str(files["gyr"]["Gyroscope_walking_chest.csv"]).splitlines()
    files["gyr"]["Gyroscope_walking_chest.csv"] = "\n".join([*lines[:200], *lines[260:]])
    archive(tmp_path, files)
    (recording,) = convert("realworld", tmp_path)
    missing = np.isnan(recording.signal)
    assert not missing[:, [0, 1, 2, 6, 7, 8]].any()
    hole = np.flatnonzero(missing[:, 3])
    assert len(hole) == pytest.approx(60, abs=2) and (np.diff(hole) == 1).all() and hole[0] == pytest.approx(198, abs=2)


def test_positions_share_a_session_by_their_clocks(found: dict[str, Recording]):
    offsets = {r.name: r.offset for r in found.values() if r.session == "proband1_walking"}
    assert len(offsets) == 7
    for order, position in enumerate(POSITIONS):
        assert offsets[f"proband1_walking_{position}"] == pytest.approx(0.1 * order, abs=0.005)
    assert found["proband4_climbingup_3_waist"].session == "proband4_climbingup_3"
    assert min(r.offset for r in found.values()) == 0


def test_one_position_alone_is_no_session(tmp_path: Path):
    archive(tmp_path)
    (recording,) = convert("realworld", tmp_path)
    assert (recording.session, recording.offset) == ("", 0.0)


def test_parts_of_sensors_belong_together(found: dict[str, Recording]):
    """The accelerometer's first zip is numbered and the others' is not; by their order they would be mixed up."""
    for part in (1, 2, 3):
        acc, gyro = simulate(12, 40 + 10 * part)
        signal = found[f"proband4_climbingup_{part}_chest"].signal
        own, grid = np.arange(len(acc)) * 0.02002, np.arange(len(signal)) / 50
        for column, values, ahead in ((1, acc, 0.04), (4, gyro, 0.02)):
            assert np.corrcoef(signal[:, column], np.interp(grid + ahead, own, values[:, 1]))[0, 1] > 0.95


def test_sensor_that_is_missing_at_a_position(tmp_path: Path):
    files = chest()
    more = tables("walking", 5, positions=("head",))
    files["acc"] |= more["acc"]
    archive(tmp_path, files)
    chest_, head = convert("realworld", tmp_path)
    assert (chest_.signal.shape[1], [c.name for c in head.channels]) == (9, [f"head_acc_{a}" for a in "xyz"])


@pytest.mark.slow
@pytest.mark.parametrize("how", ["folders", "beside", "flat", "outer zips only"])
def test_unpacked_tables_are_read_likewise(how: str, tmp_path: Path, found: dict[str, Recording]):
    write(tmp_path)
    for _ in range(1 if how == "outer zips only" else 2):
        for path in sorted(tmp_path.rglob("*_csv.zip")):
            with zipfile.ZipFile(path) as file:
                file.extractall(path.with_suffix(""))
            if how != "beside":
                path.unlink()
    if how == "flat":
        for path in sorted(tmp_path.rglob("*.csv")):
            path.rename(tmp_path.joinpath(*path.relative_to(tmp_path).parts[:2]) / path.name)
    again = {recording.name: recording for recording in convert("realworld", tmp_path)}
    assert again.keys() == found.keys()
    for name, recording in again.items():
        np.testing.assert_array_equal(recording.signal, found[name].signal)
        assert (recording.session, recording.offset) == (found[name].session, found[name].offset)


def test_what_systems_leave_behind_does_no_harm(tmp_path: Path):
    files = chest()
    files["acc"] |= {"__MACOSX/._acc_walking_chest.csv": b"\0\5\x16\7", ".DS_Store": b"\0"}
    data = archive(tmp_path, files)
    (data / "mic_walking_csv.zip").write_bytes(b"")
    (tmp_path / "proband1.zip").write_bytes(b"")
    assert len(list(convert("realworld", tmp_path))) == 1


def test_conversion_streams(tmp_path: Path):
    write(tmp_path)
    last = tmp_path / "proband4" / "data" / "mag_walking_csv.zip"
    last.write_bytes(b"damaged")
    stream = convert("realworld", tmp_path)
    assert len(next(stream).signal) > 100
    with pytest.raises(DataError, match="mag_walking_csv.zip is damaged or cut off"):
        list(stream)


def test_one_part_is_one_activity_of_one_person(archives: Archives):
    assert [len(list(part())) for part in parts("realworld", archives("realworld"))] == [7, 7, 6, 6, 7]


# Damage


@pytest.mark.parametrize("sensor", TITLES)
def test_missing_sensor(sensor: str, tmp_path: Path):
    data = archive(tmp_path)
    (data / f"{sensor}_walking_csv.zip").unlink()
    sentence = f"{sensor}_walking_csv.zip" if sensor != "acc" else "no proband*/data/acc_* of dataset"
    refused("realworld", tmp_path, sentence)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda lines: [], f"{FIRST} is empty"),
        (lambda lines: lines[:1], f"{FIRST} is empty"),
        (lambda lines: [lines[0].replace("attr_y", "y"), *lines[1:]], f"{FIRST}, line 1: column 'attr_y' is missing"),
        (lambda lines: [*lines[:4], lines[4] + ",1", *lines[5:]], f"{FIRST}, line 5: 6 columns instead of 5"),
        (lambda lines: [*lines[:-1], lines[-1][:9]], f"{FIRST}, line 601: 2 columns instead of 5"),
        (cell(5, 1, "x"), f"{FIRST}, line 5: 'x' is not a whole number"),
        (cell(5, 2, "nan"), f"{FIRST}, line 5: 'nan' is not a number"),
        (lambda lines: [line.replace(",", ";") for line in lines], "line 1: column 'id' is missing"),
        (lambda lines: [lines[0], *reversed(lines[1:])], "not in milliseconds or not in order"),
        (lambda lines: [re.sub(r",(\d{10})\d{3},", r",\1,", line) for line in lines], "not in milliseconds or not in"),
        (lambda lines: [re.sub(r",(\d{13}),", r",\g<1>000000,", line) for line in lines], "gives 5e-05 Hz where about"),
        (lambda lines: lines[:2], "attr_time gives 0 Hz where about 50 is expected"),
        (lambda lines: [*lines, "601,1436999159472,1,2,3"], "attr_time spans 100"),
        (lambda lines: [re.sub(",1435", ",1439", line) for line in lines], "share no time"),
        (cell(5, 2, "1e99"), f"acc_walking_csv.zip/{FIRST}, line 5: '1e99' is beyond what any sensor gives"),
    ],
)
def test_damaged_table_is_named(damage: Damage, sentence: str, tmp_path: Path):
    files = chest()
    files["acc"][FIRST] = "\n".join(damage(str(files["acc"][FIRST]).splitlines()))
    archive(tmp_path, files)
    refused("realworld", tmp_path, sentence)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "acc_walking_nose.csv",
            "acc_walking_csv.zip/acc_walking_nose.csv is no table of acc while walking, at one of",
        ),
        ("acc_running_chest.csv", "acc_running_chest.csv is no table of acc while walking"),
        ("Gyroscope_walking_chest.csv", "Gyroscope_walking_chest.csv is no table of acc while walking"),
        ("x\ny.csv", "acc_walking_csv.zip/x?y.csv is no table of acc"),
        (f"again/{FIRST}", f"acc_walking_csv.zip/{FIRST} is there twice"),
    ],
)
def test_table_that_does_not_belong_there(name: str, sentence: str, tmp_path: Path):
    files = chest()
    files["acc"][name] = files["acc"][FIRST]
    archive(tmp_path, files)
    refused("realworld", tmp_path, sentence)


def test_unknown_activity_and_person(tmp_path: Path):
    data = archive(tmp_path)
    (data / "acc_flying_csv.zip").write_bytes(b"")
    refused("realworld", tmp_path, "acc_flying_csv.zip: activity 'flying' is not one of climbingdown, climbingup")
    (data / "acc_flying_csv.zip").unlink()
    (tmp_path / "proband1").rename(tmp_path / "proband16")
    refused("realworld", tmp_path, "proband16 is not of 'realworld': expected proband1 to proband15")


# Hostile zips


@pytest.mark.parametrize("part", [0, 10, 3000, -30, -1])
def test_zip_that_is_cut_off(part: int, tmp_path: Path):
    data = archive(tmp_path)
    path = data / "gyr_walking_csv.zip"
    path.write_bytes(path.read_bytes()[:part])
    refused("realworld", tmp_path, "gyr_walking_csv.zip is damaged or cut off")


@pytest.mark.parametrize("at", [0, 40, 5000])
def test_zip_with_a_changed_byte(at: int, tmp_path: Path):
    data = archive(tmp_path)
    path = data / "gyr_walking_csv.zip"
    content = bytearray(path.read_bytes())
    content[at] ^= 0x55
    path.write_bytes(content)
    refused("realworld", tmp_path, "Gyroscope_walking_chest.csv is damaged, cut off or encrypted")


def test_encrypted_or_oddly_packed_zip(tmp_path: Path):
    data = archive(tmp_path)
    path = data / "acc_walking_csv.zip"
    whole = path.read_bytes()
    locked = bytearray(whole)
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        locked[locked.index(mark) + at] |= 1
    path.write_bytes(locked)
    refused("realworld", tmp_path, "damaged, cut off or encrypted")
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w", zipfile.ZIP_LZMA) as file:
        file.writestr(FIRST, HEADER)
    path.write_bytes(other.getvalue())
    refused("realworld", tmp_path, "packed in a way that the published ones are not")


def test_zips_within_zips_within_a_zip(tmp_path: Path):
    files = chest()
    inner = zipped({"acc_walking_1_csv.zip": zipped(files["acc"])})
    archive(tmp_path, files | {"acc": {"acc_walking_1_csv.zip": inner}})
    refused("realworld", tmp_path, "acc_walking_1_csv.zip is larger or nested deeper than any published")


def bomb(megabytes: int) -> bytes:
    return zipped({FIRST: bytes(megabytes * 1024**2)})


def nested_bomb() -> bytes:
    return zipped({f"acc_walking_{k}_csv.zip": bytes(20 * 1024**2) for k in (1, 2, 3, 4)})


def list_of_members() -> bytes:
    """A list of a hundred thousand members, of which none is there."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    entries = entry * 100_000
    return entries + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(entries), 0, 0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (lambda: bomb(10), "unfolds to more than 50 times the size of its zip"),
        (lambda: bomb(60), "unfolds to more than 50 times the size of its zip"),
        (nested_bomb, "unfolds to more than 50 times"),
        (list_of_members, "acc_walking_csv.zip holds more files than any published"),
    ],
)
def test_zip_bomb_ends_in_a_sentence_and_little_memory(content: Callable[[], bytes], sentence: str, tmp_path: Path):
    data = archive(tmp_path)
    (data / "acc_walking_csv.zip").write_bytes(content())
    tracemalloc.start()
    try:
        refused("realworld", tmp_path, sentence)
        assert tracemalloc.get_traced_memory()[1] < 200 * 1024**2
    finally:
        tracemalloc.stop()


def test_table_larger_than_any_published(tmp_path: Path):
    data = archive(tmp_path)
    with zipfile.ZipFile(data / "acc_walking_csv.zip", "w") as file:  # stored, so that it unfolds to its own size
        file.writestr(FIRST, bytes(17 * 1024**2))
    refused("realworld", tmp_path, f"{FIRST} is larger than any table published")


def test_names_in_a_zip_are_no_paths(tmp_path: Path):
    files = chest()
    files["acc"] = {f"../../../{FIRST}": files["acc"][FIRST]}
    archive(tmp_path / "in", files)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    assert len(list(convert("realworld", tmp_path / "in"))) == 1
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def test_numbers_of_the_copy_are_as_published():
    """Like the table in the R package imuf: from 1, milliseconds, single precision, no end to the last line."""
    values, times = sensors(0)["acc"]
    text = table(values[:2], times[:2])
    assert re.fullmatch(r"id,attr_time,attr_x,attr_y,attr_z(\n\d,\d{13}(,-?\d+\.\d{1,9}(e-\d+)?){3}){2}", text)
