"""`otolith import`: exports and tables become a dataset, in one step or not at all; `--guess` only proposes."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.cli.conftest import Command, listing, write_csv

from exports import WRITERS, generic
from otolith.data.channels import GRAVITY
from otolith.data.importers import IMPORTERS, TableMapping, importer, read_table
from otolith.data.recording import Recording
from otolith.data.store import Dataset

Refused = Callable[..., str]

MAPPING = """
columns:
  acc_x: {sensor: acc, axis: x, unit: m/s^2, gravity: true}
  acc_y: {sensor: acc, axis: y, unit: m/s^2, gravity: true}
  acc_z: {sensor: acc, axis: z, unit: m/s^2, gravity: true}
  gyro_x: {sensor: gyro, axis: x, unit: rad/s}
  gyro_y: {sensor: gyro, axis: y, unit: rad/s}
  gyro_z: {sensor: gyro, axis: z, unit: rad/s}
time: time
time_unit: s
"""


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "map.yaml"
    path.write_text(MAPPING)
    return path


def export(name: str, folder: Path) -> Path:
    folder.mkdir(parents=True)
    return WRITERS[IMPORTERS[name]](folder)


@pytest.mark.parametrize("name", sorted(IMPORTERS))
def test_an_export_becomes_a_dataset(otolith: Command, tmp_path: Path, name: str) -> None:
    path = export(name, tmp_path / "in")
    done = otolith("import", path, "-o", "own", "--placement", "left wrist", "--subject", "ann")
    assert done.code == 0, done.err
    dataset = Dataset.open("own")
    dataset.verify()
    assert (dataset.name, dataset.info["title"]) == ("own", "own recordings")
    (source,) = dataset.info["sources"]
    assert source["url"] == path.name and len(source["sha256"]) == 64 and source["bytes"] > 0
    first, *lines = done.out.splitlines()
    assert first == f"{path}: {importer(name).TITLE}"
    assert [line.split(":")[0] for line in lines] == list(dataset.recordings["name"])
    assert all(" Hz" in line and " s at " in line and " at the " in line for line in lines)
    assert otolith("datasets", "check", "own").code in (0, 1)


def test_a_table_arrives_as_it_would_be_classified(
    otolith: Command, csv: Path, mapping: Path, session: Recording
) -> None:
    done = otolith(
        "import", csv, "-o", "own", "--mapping", mapping, "--placement", "left wrist", "--device", "smartwatch"
    )
    assert done.code == 0, done.err
    assert done.out.startswith(
        f"{csv}: table, by {mapping}\nsession: 48.0 s at 50 Hz, smartwatch at the left wrist: acc_x acc_y acc_z gyro_x"
    )
    found = Dataset.open("own").read(0)
    plain = read_table(
        csv,
        TableMapping.from_values({**yaml.safe_load(MAPPING), "placement": "left wrist", "device": "smartwatch"}, ""),
    )
    np.testing.assert_array_equal(found.signal, plain.signal)
    assert (found.channels, found.rate, found.name) == (plain.channels, plain.rate, "session")
    np.testing.assert_allclose(found.signal, session.signal, atol=1e-3)


def test_a_zip_is_imported_under_its_own_name(otolith: Command, tmp_path: Path) -> None:
    path = export("sensor-logger", tmp_path / "in")
    for name, inside in (("flat.zip", ""), ("deep.zip", "some folder/")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("__MACOSX/._x", b"clutter")
            for file in path.rglob("*"):
                archive.write(file, inside + str(file.relative_to(path)))
    done = otolith("import", "flat.zip", "deep.zip", "-o", "own", "--placement", "pocket")
    assert done.code == 0, done.err
    names = set(Dataset.open("own").recordings["name"])
    assert {"flat", "deep"} <= names
    signals = [
        Dataset.open("own").read(list(Dataset.open("own").recordings["name"]).index(n)).signal for n in ("flat", "deep")
    ]
    np.testing.assert_array_equal(*signals)


def test_paths_have_their_own_placements_or_share_one(
    otolith: Command, csv: Path, mapping: Path, tmp_path: Path
) -> None:
    other = shutil.copyfile(csv, tmp_path / "other.csv")
    worn = ("--placement", "left wrist", "--placement", "right wrist", "--subject", "ann", "--subject", "bob")
    assert otolith("import", csv, other, "-o", "own", "--mapping", mapping, *worn, "--device", "watch").code == 0
    dataset = Dataset.open("own")
    assert [dataset.channels(i)[0].placement for i in range(2)] == ["left wrist", "right wrist"]
    assert {dataset.channels(i)[0].device for i in range(2)} == {"watch"}
    assert list(dataset.recordings["subject"]) == ["ann", "bob"]


def test_same_names_are_numbered(otolith: Command, csv: Path, mapping: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    other = shutil.copyfile(csv, tmp_path / "b" / csv.name)
    assert otolith("import", csv, other, "-o", "own", "--mapping", mapping, "--placement", "wrist").code == 0
    assert list(Dataset.open("own").recordings["name"]) == ["session", "session_2"]


def test_a_dataset_is_added_to_or_replaced_only_when_said(
    otolith: Command, refused: Refused, csv: Path, mapping: Path
) -> None:
    said = ("import", csv, "-o", "own", "--mapping", mapping, "--placement", "wrist")
    assert otolith(*said).code == 0
    first = Dataset.open("own").sha256
    assert "own is a dataset already; --add keeps its recordings" in refused(*said)
    assert "give one of them" in refused(*said, "--add", "--replace")
    assert "leave out --name" in refused(*said, "--add", "--name", "other")
    assert otolith(*said, "--add").code == 0
    both = Dataset.open("own")
    both.verify()
    assert list(both.recordings["name"]) == ["session", "session_2"] and len(both.info["sources"]) == 2
    np.testing.assert_array_equal(both.signal(0), both.signal(1))
    assert otolith(*said, "--replace").code == 0
    assert Dataset.open("own").sha256 == first


def test_a_folder_of_tables_with_its_mapping(otolith: Command, tmp_path: Path) -> None:
    path = generic.write(tmp_path)
    done = otolith("import", path, "-o", "own", "--mapping", "mapping.yaml", "--placement", "handlebar")
    assert done.code == 0, done.err
    assert [line.split(":")[0] for line in done.out.splitlines()[1:]] == ["ride", "ride_heart_rate"]
    assert "begins at 0.196 s" in done.out and "cycling 9.7 s" in done.out


def watches(csv: Path, tmp_path: Path, *, late: float, epoch: bool = True) -> tuple[Path, Path]:
    """Two devices: the session, and 30 s of it from `late` on, on a clock of its own and mounted otherwise."""
    table = pd.read_csv(csv)
    second = table[(table["time"] >= late) & (table["time"] < late + 30)].copy()
    second["acc_x"], second["acc_y"] = second["acc_y"], -second["acc_x"]
    second["time"] += 1.7e9 if epoch else 1000 - late
    table["time"] += 1.7e9 if epoch else 0
    for frame in (table, second):
        frame["time"] = (frame["time"] * 1000).round().astype("int64")
    return write_csv(table, tmp_path / "l.csv"), write_csv(second, tmp_path / "r.csv")


WORN = ("--placement", "left wrist", "--placement", "right wrist", "--together")


def test_devices_go_together_by_their_clocks(otolith: Command, csv: Path, mapping: Path, tmp_path: Path) -> None:
    mapping.write_text(MAPPING.replace("time_unit: s", "time_unit: ms"))
    paths = watches(csv, tmp_path, late=12.0)
    done = otolith("import", *paths, "-o", "own", "--mapping", mapping, *WORN)
    assert done.code == 0, done.err
    assert "r: began +12.000 s from it by the devices' own clocks" in done.out
    assert "which not all sensors cover, are left out" in done.err
    found = Dataset.open("own").read(0)
    assert [c.name for c in found.channels][::3] == [
        f"{s}_wrist_{x}_x" for s in ("left", "right") for x in ("acc", "gyro")
    ]
    assert found.duration == pytest.approx(30, abs=0.1)
    np.testing.assert_allclose(found.signal[:, 6], found.signal[:, 1], atol=1e-3)


def test_devices_go_together_by_offset_or_by_movement(
    otolith: Command, refused: Refused, csv: Path, mapping: Path, tmp_path: Path
) -> None:
    mapping.write_text(MAPPING.replace("time_unit: s", "time_unit: ms"))
    paths = watches(csv, tmp_path, late=7.0, epoch=False)
    said = ("import", *paths, "-o", "own", "--mapping", mapping, *WORN)
    assert "nothing in l says when it was recorded: give --offset, or --sync shake" in refused(*said)
    signals = []
    for how in (("--offset", 7), ("--sync", "shake")):
        done = otolith(*said, *how, "--replace")
        assert done.code == 0, done.err
        signals.append(Dataset.open("own").read(0).signal)
    assert "so a movement of 5 s agrees by 1.00, and at the next best offset" in done.out
    count = min(map(len, signals)) - 2
    np.testing.assert_allclose(signals[0][1:count], signals[1][1:count], atol=0.3)


def test_labels_in_seconds_and_by_the_clock(
    otolith: Command, refused: Refused, csv: Path, mapping: Path, tmp_path: Path
) -> None:
    said = ("import", csv, "-o", "own", "--mapping", mapping, "--placement", "wrist", "--labels", "l.csv", "--replace")
    labels = tmp_path / "l.csv"
    labels.write_text("start,end,activity\n2,10.5,lifting\n12,20,resting\n40,99,lifting\n")
    done = otolith(*said)
    assert done.code == 0, done.err
    assert "lifting 16.5 s, resting 8.0 s" in done.out
    notes = Dataset.open("own").read(0).annotations
    assert [(n.start, n.end, n.activity) for n in notes][:2] == [(2, 10.5, "lifting"), (12, 20, "resting")]
    assert notes[2].end == pytest.approx(48, abs=0.05)
    for text, why in (
        ("start,end,activity\n90,99,far\n", "none of the stretches in l.csv lies within a recording"),
        ("start,end,activity\n2,1,back\n", "l.csv, line 2: give a start, a later end and an activity"),
        ("start,end,activity\n1,5,a\n4,8,b\n", "overlaps the one before it"),
        ("begin,activity\n1,a\n", "needs one column 'end'"),
        ("start,end,activity\n2024-03-01T12:00:00Z,2024-03-01T12:00:05Z,a\n", "nothing in session 'session' says when"),
        ("start,end,activity\nsoon,later,a\n", "'soon' in column 'start' is not a number; give seconds, or dates"),
        ("start,end,activity\n", "has no row"),
    ):
        labels.write_text(text)
        assert why in refused(*said)
    table = pd.read_csv(csv)
    table["time"] += 1_700_000_000
    write_csv(table.astype({"time": "float64"}), csv)
    csv.write_text("\n".join([csv.read_text().split("\n")[0], *(f"{t:.3f},{rest}" for t, rest in _rows(table))]) + "\n")
    labels.write_text("start,end,activity\n2023-11-14T22:13:25Z,2023-11-14T22:13:30+00:00,lifting\n")
    done = otolith(*said)
    assert done.code == 0, done.err
    assert [(n.start, n.end) for n in Dataset.open("own").read(0).annotations] == [pytest.approx((5, 10), abs=1e-3)]


def _rows(table: pd.DataFrame) -> list[tuple[float, str]]:
    values = table.to_numpy()
    return [(row[0], ",".join(f"{value:.6g}" for value in row[1:])) for row in values]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.csv", "-o", "own"), "there is no file or folder none.csv"),
        (("session.csv", "-o", "own"), "session.csv is no export that is known (sensor-logger, "),
        (("session.csv",), "say with --output (-o) in which folder"),
        (("session.csv", "-o", "own", "--format", "csv"), "a table needs a --mapping"),
        (("session.csv", "-o", "own", "--format", "fitbit"), "there is no format 'fitbit'; use one of auto, csv, "),
        (("session.csv", "-o", "own", "--format", "phyphox"), "has no sensor that can be used"),
        (("session.csv", "-o", "own", "--mapping", "map.yaml"), "no placement"),
        (("session.csv", "-o", "own", "--mapping", "map.yaml", "--format", "shimmer"), "shimmer describes itself"),
        (("session.csv", "-o", "own", "--mapping", "none.yaml"), "there is no file none.yaml"),
        (("session.csv", "-o", "own", "--together"), "--together needs the paths of two devices"),
        (("session.csv", "session.csv", "-o", "own", "--offset", "1"), "add --together"),
        (
            ("a", "b", "-o", "own", "--together", "--offset", "1", "--offset", "2"),
            "once for each path after the first: 1",
        ),
        (("a", "b", "-o", "own", "--together", "--offset", "1", "--sync", "shake"), "give one of them"),
        (("a", "b", "-o", "own", "--together", "--sync", "dance"), "there is no way 'dance'"),
        (
            ("a", "b", "c", "-o", "own", "--placement", "x", "--placement", "y"),
            "--placement is given 2 times for 3 paths",
        ),
        (("session.csv", "-o", ".", "--mapping", "map.yaml", "--placement", "wrist"), "is left as it is"),
        (("session.csv", "-o", "own", "--labels", "none.csv"), "there is no file none.csv"),
        (("session.csv", "--guess", "--mapping", "map.yaml"), "--guess looks at one path and imports nothing"),
        (("session.csv", "--guess", "-o", "map.yaml"), "map.yaml is there already"),
        (("bad.zip", "-o", "own"), "bad.zip"),
    ],
)
def test_what_is_refused(refused: Refused, csv: Path, mapping: Path, arguments: tuple[str, ...], said: str) -> None:
    csv.with_name("bad.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    assert said in refused("import", *arguments)


def test_a_wrong_unit_leaves_nothing_behind(refused: Refused, csv: Path, mapping: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text(MAPPING)
    mapping.write_text(MAPPING.replace("unit: m/s^2", "unit: g"))
    said = refused("import", csv, "-o", "own", "--mapping", mapping, "--placement", "wrist")
    assert "recording 'session': " in said and "m/s^2" in said


def test_a_hostile_zip_writes_nothing_outside(refused: Refused, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../outside.csv", b"x")
    assert "leads outside its folder" in refused("import", "evil.zip", "-o", "own", "--placement", "wrist")


# Guessing


def test_a_guess_is_printed_corrected_and_then_imported(
    otolith: Command, refused: Refused, csv: Path, tmp_path: Path, session: Recording
) -> None:
    table = pd.read_csv(csv)
    table[["acc_x", "acc_y", "acc_z"]] /= GRAVITY
    table["time"] *= 1000
    write_csv(table.rename(columns={"time": "clock", "acc_x": "ax", "acc_y": "ay", "acc_z": "az"}), tmp_path / "my.csv")
    before = listing(tmp_path)
    printed = otolith("import", "my.csv", "--guess")
    assert printed.code == 0 and printed.err == ""
    assert listing(tmp_path) == before
    assert "Nothing has been imported" in printed.out
    assert otolith("import", "my.csv", "--guess", "-o", "my.yaml").code == 0
    assert (tmp_path / "my.yaml").read_text() == printed.out
    assert "no placement" in refused("import", "my.csv", "-o", "own", "--mapping", "my.yaml")
    done = otolith("import", "my.csv", "-o", "own", "--mapping", "my.yaml", "--placement", "left wrist")
    assert done.code == 0, done.err
    np.testing.assert_allclose(Dataset.open("own").read(0).signal, session.signal, atol=1e-3)


def test_a_guess_knows_what_was_said(otolith: Command, csv: Path) -> None:
    out = otolith("import", csv, "--guess", "--placement", "left wrist", "--subject", "ann").out
    assert yaml.safe_load(out)["placement"] == "left wrist" and yaml.safe_load(out)["subject"] == "ann"


def test_the_imported_can_be_classified(otolith: Command, csv: Path, mapping: Path, checkpoint: Path) -> None:
    assert (
        otolith(
            "import", csv, "-o", "own", "--mapping", mapping, "--placement", "left wrist", "--device", "smartwatch"
        ).code
        == 0
    )
    arguments = ("--model", checkpoint, "--labels", "lifting,resting", "--json")
    done = otolith("classify", "own", "--recording", "session", *arguments)
    assert done.code == 0, done.err
    assert json.loads(done.out)
