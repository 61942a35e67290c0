"""A person's own table: its numbers arrive in SI, and what is wrong with it is said in one sentence."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from otolith.data.channels import GRAVITY
from otolith.data.importers import Column, TableMapping, read_columns, read_table, rows
from otolith.data.recording import Recording, check_physics
from otolith.types import ConfigError, DataError, OtolithError, UnitError

RATE = 50.0
AXES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")


def turning(samples: int = 300) -> dict[str, np.ndarray]:
    """A wrist that swings slowly about y under gravity: acceleration in g, angular rate in deg/s, time in s."""
    t = np.arange(samples) / RATE
    angle = 0.8 * np.sin(2 * np.pi * 0.5 * t)
    zero = np.zeros(samples) + 1e-3 * np.sin(t)
    speed = np.degrees(0.8 * 2 * np.pi * 0.5 * np.cos(2 * np.pi * 0.5 * t))
    return {"time": t, "acc_x": np.sin(angle), "acc_y": zero, "acc_z": np.cos(angle),
            "gyro_x": zero, "gyro_y": speed, "gyro_z": zero}  # fmt: skip


def table(path: Path, columns: dict, delimiter: str = ",") -> Path:
    lines = [delimiter.join(columns), *(delimiter.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def mapping(columns=AXES, **options) -> TableMapping:
    values = {"rate": RATE, "placement": "left wrist", "acc_unit": "g", "gyro_unit": "deg/s", **options}
    return TableMapping.standard(columns, **values)


def refused(path: Path, how: TableMapping, said: str, kind: type[OtolithError] = DataError) -> None:
    with pytest.raises(kind, match=said) as caught:
        read_table(path, how)
    assert "\n" not in str(caught.value)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return table(tmp_path / "walk.csv", turning())


def test_csv_arrives_in_si(csv: Path) -> None:
    assert read_columns(csv) == ["time", *AXES]
    recording = read_table(csv, mapping(device="watch", subject="ann"))
    data = turning()
    assert (recording.name, recording.subject, recording.rate) == ("walk", "ann", RATE)
    assert [c.name for c in recording.channels] == list(AXES)
    assert recording.channels[0].description == "accelerometer x axis with gravity, watch at the left wrist"
    assert recording.signal.dtype == np.float32
    np.testing.assert_allclose(recording.signal[:, 0], data["acc_x"] * GRAVITY, atol=1e-5)
    np.testing.assert_allclose(recording.signal[:, 4], np.radians(data["gyro_y"]), atol=1e-5)


@pytest.mark.parametrize("compressed", [False, True])
def test_parquet_and_csv_give_the_same(csv: Path, tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "walk.parquet"
    pq.write_table(pa.table(turning()), path, compression="zstd" if compressed else "none")
    np.testing.assert_array_equal(read_table(path, mapping()).signal, read_table(csv, mapping()).signal)


def test_core_motion_points_to_the_ground(csv: Path) -> None:
    """Acceleration is negated, nothing else; the reason is in `otolith.data.signal`."""
    plain, turned = (read_table(csv, mapping(core_motion=on)).signal for on in (False, True))
    np.testing.assert_array_equal(turned[:, :3], -plain[:, :3])
    np.testing.assert_array_equal(turned[:, 3:], plain[:, 3:])


def test_labels_become_annotations(tmp_path: Path) -> None:
    data = turning(300)
    label = np.array(["walking"] * 100 + [""] * 50 + ["sitting"] * 100 + ["walking"] * 50)
    path = table(tmp_path / "a.csv", {**data, "activity": label})
    for columns, options in ((AXES, {}), (["time", *AXES], {"time_unit": "s"})):
        notes = read_table(path, mapping(columns, label="activity", **options)).annotations
        assert [n.activity for n in notes] == ["walking", "sitting", "walking"]
        assert [(n.start, n.end) for n in notes] == [
            pytest.approx(pair, abs=1e-6) for pair in ((0, 2), (3, 5), (5, 6))
        ]  # fmt: skip


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_and_bom_and_blank_lines_are_skipped(tmp_path: Path, delimiter: str) -> None:
    path = table(tmp_path / "a.csv", turning(), delimiter)
    path.write_bytes(b"\xef\xbb\xbf\r\n" + path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert read_table(path, mapping()).signal.shape == (300, 6)


@pytest.mark.parametrize(
    "names",
    [
        ("ax", "ay", "az", "gx", "gy", "gz"),
        ("Accelerometer_X", "ACCELEROMETER_Y", "accelerometer z", "Gyroscope_X", "gyroscope.y", "GYROSCOPE-Z"),
        ("AccX", "AccY", "AccZ", "GyrX", "GyrY", "GyrZ"),
    ],
)
def test_obvious_names(tmp_path: Path, csv: Path, names: tuple[str, ...]) -> None:
    data = turning()
    path = table(tmp_path / "b.csv", dict(zip(("Timestamp", *names), data.values(), strict=True)))
    how = mapping(read_columns(path))
    assert how.time == "Timestamp"
    recording = read_table(path, how)
    assert [c.name for c in recording.channels] == list(AXES)
    np.testing.assert_allclose(recording.signal, read_table(csv, mapping()).signal, atol=1e-5)


YAML = """
columns:
  acc_x: {sensor: acc, axis: x, unit: g, gravity: true}
  acc_y: {sensor: acc, axis: y, unit: g, gravity: true}
  acc_z: {sensor: acc, axis: z, unit: g, gravity: true}
  gyro_y: {sensor: gyro, axis: y, unit: deg/s, placement: right ankle}
time: time
time_unit: s
placement: left wrist
subject: 3
"""


def test_yaml_mapping(csv: Path, tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(YAML)
    recording = read_table(csv, TableMapping.from_yaml(file))
    assert recording.subject == "3"
    assert [c.name for c in recording.channels] == [
        "left_wrist_acc_x", "left_wrist_acc_y", "left_wrist_acc_z", "right_ankle_gyro_y"
    ]  # fmt: skip
    np.testing.assert_allclose(recording.signal[:, :3], read_table(csv, mapping()).signal[:, :3], atol=1e-5)
    file.write_text(YAML + "core_motion: true\n")
    np.testing.assert_array_equal(read_table(csv, TableMapping.from_yaml(file)).signal[:, :3], -recording.signal[:, :3])


@pytest.mark.parametrize(
    ("old", "new", "said", "kind"),
    [
        ("time_unit", "time_units", r"unknown key 'time_units' \(did you mean 'time_unit'\?\)", ConfigError),
        ("sensor: gyro", "senser: gyro", r"'gyro_y'.*'senser' \(did you mean 'sensor'\?\)", ConfigError),
        ("sensor: gyro, ", "", "sensor is missing", ConfigError),
        ("sensor: gyro", "sensor: sonar", "unknown sensor 'sonar'", DataError),
        (", unit: deg/s", "", r"'gyro_y' \(gyroscope\) has no unit", UnitError),
        ("deg/s", "deg/h", "unknown unit 'deg/h': did you mean", UnitError),
        ("deg/s", "g", "'g' is not a unit of the gyroscope", UnitError),
        (", gravity: true", "", "whether gravity is in it", UnitError),
        ("gravity: true", "gravity: maybe", "gravity must be true or false", ConfigError),
        ("time_unit: s", "core_motion: maybe", "core_motion must be true or false", ConfigError),
        ("time_unit: s", "time_unit: hours", "unknown time unit 'hours'", UnitError),
        ("time_unit: s", "rate: fast", "rate must be a number", ConfigError),
        ("time_unit: s", "rate: .nan", "not plausible", ConfigError),
        ("time: time\n", "", "neither a time column nor a rate", ConfigError),
        ("time: time", "time: acc_x", "'acc_x' is used twice", ConfigError),
        ("placement: left wrist", "", "no placement", DataError),
        ("axis: y, unit: g", "axis: x, unit: g", "'acc_x' and 'acc_y' are both accelerometer x axis", DataError),
        ("columns:", "columns: [", "cannot be read as YAML", ConfigError),
        (YAML, "just text", "must be a mapping", ConfigError),
        (YAML, "placement: waist", "'columns' must name", ConfigError),
        (YAML, "!!python/object/apply:os.getcwd []", "cannot be read as YAML", ConfigError),
    ],
)
def test_mistakes_in_the_yaml(tmp_path: Path, old: str, new: str, said: str, kind: type[OtolithError]) -> None:
    file = tmp_path / "map.yaml"
    assert old in YAML
    file.write_text(YAML.replace(old, new))
    with pytest.raises(kind, match=said) as caught:
        TableMapping.from_yaml(file)
    assert "\n" not in str(caught.value)


def test_yaml_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        TableMapping.from_yaml(tmp_path / "x.yaml")
    (tmp_path / "b.yaml").write_bytes(bytes(range(128, 256)))
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        TableMapping.from_yaml(tmp_path / "b.yaml")


def test_units_are_never_guessed() -> None:
    with pytest.raises(UnitError, match=r"'acc_x' \(accelerometer\) has no unit; .*--acc-unit"):
        mapping(acc_unit="")
    with pytest.raises(UnitError, match="--gyro-unit"):
        mapping(gyro_unit="")
    with pytest.raises(UnitError, match="--mag-unit"):
        mapping([*AXES, "mag_x"])
    with pytest.raises(UnitError, match="unknown unit 'furlong'"):
        mapping(acc_unit="furlong")


def test_names_that_are_not_obvious_or_say_the_same() -> None:
    with pytest.raises(DataError, match="none of the columns foo, bar has an obvious name"):
        mapping(["foo", "bar"])
    with pytest.raises(DataError, match="'acc_x' and 'ax' are both accelerometer x axis"):
        mapping(["acc_x", "ax"])


def test_wrong_unit_is_seen_in_the_numbers(csv: Path) -> None:
    refused(csv, mapping(acc_unit="m/s^2"), "values look like g", UnitError)
    refused(csv, mapping(acc_unit="mg"), "gravity", UnitError)
    assert read_table(csv, mapping(gravity=False, acc_unit="m/s^2")).channels[0].gravity is False


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z", "0 below its header"),
        (b"acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n", "0 below its header"),
        (b"acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n0,0,1,0,0,0\n", "1 below its header"),
        (b"acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n" + b"0,0,1,0,0,0\n" * 3, "3 below its header"),
        (b"acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n" + b"0,0,1,0,0,0\n" * 20 + b"0,0\n", "has 2 values where .* 6"),
        (bytes(range(256)) * 40, "is not text|does not begin"),
        (b"\x00\x01\x02" * 4000, "does not begin with a line"),
        (b"x" * 100_000, "does not begin with a line"),
        (b"acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n" + b"0,0,1,0,0,\xff\xfe\n" * 20, "cannot be read as CSV"),
        (b"PAR1" + b"\x00" * 500, "cannot be read as Parquet"),
    ],
)
def test_content_that_is_no_recording(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    refused(path, mapping(), said)


def test_truncated_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(turning()), path)
    path.write_bytes(path.read_bytes()[:-100])
    refused(path, mapping(), "cannot be read as Parquet, it is cut off")
    path.write_bytes(b"")
    refused(path, mapping(), "is empty")


def test_damage_inside_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(turning()), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[10:2000] = b"\xff" * 1990
    path.write_bytes(content)
    refused(path, mapping(), "is damaged")


def test_places_that_are_no_file(tmp_path: Path) -> None:
    refused(tmp_path, mapping(), "is a folder")
    refused(tmp_path / "none.csv", mapping(), "there is no file")


def test_file_without_permission(csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    refused(csv, mapping(), "Permission denied")


def test_too_large_is_refused_before_reading(csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_BYTES", 1000)
    refused(csv, mapping(), "are read; cut it")
    monkeypatch.undo()
    monkeypatch.setattr(rows, "MAX_VALUES", 1000)
    pq.write_table(pa.table(turning()), tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", mapping(), "more than can be read at once")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("oops", r"line 12: 'oops' in column 'gyro_x' is not a number"),
        ("1,5", "values where the header has"),
        ("inf", r"line 12: inf in column 'gyro_x' is infinite"),
        ("-Infinity", r"line 12: -inf"),
        ("1e300", r"line 12: 1e\+300 in column 'gyro_x' is infinite or far too large"),
        ("1e20", "beyond the"),
        ("5000", "beyond the 69.81"),
    ],
)
def test_values_that_are_no_measurement(tmp_path: Path, value: str, said: str) -> None:
    data = {k: v.astype(object) for k, v in turning().items()}
    data["gyro_x"][10] = value
    refused(table(tmp_path / "a.csv", data), mapping(), said)


def test_line_number_counts_blank_lines_and_parquet_names_the_row(tmp_path: Path) -> None:
    data = {k: [str(x) for x in v] for k, v in turning().items()}
    data["acc_y"][10] = "oops"
    path = table(tmp_path / "a.csv", data)
    path.write_text("\n" + path.read_text().replace("\n", "\n\n", 3))
    refused(path, mapping(), "line 16: 'oops'")
    assert path.read_text().splitlines()[15].split(",")[2] == "oops"
    pq.write_table(pa.table(data), tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", mapping(), "row 11: 'oops'")


@pytest.mark.parametrize("empty", ["", "NaN", "nan", " NA ", "null"])
def test_missing_values_are_nan_without_a_clock(tmp_path: Path, empty: str) -> None:
    data = {k: v.astype(object) for k, v in turning().items()}
    data["acc_x"][20:30] = empty
    recording = read_table(table(tmp_path / "a.csv", data), mapping())
    assert np.flatnonzero(np.isnan(recording.signal).any(axis=1)).tolist() == list(range(20, 30))
    assert any("missing" in finding.text for finding in check_physics(recording))


def test_column_without_values(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", {**turning(), "gyro_z": [""] * 300})
    refused(path, mapping(), "'gyro_z' has fewer than 8 values; leave it out")


def test_constant_channel_is_a_finding_not_an_error(tmp_path: Path) -> None:
    recording = read_table(table(tmp_path / "a.csv", {**turning(), "gyro_z": np.zeros(300)}), mapping())
    assert [f.text for f in check_physics(recording)] == ["channel 'gyro_z' never changes"]


def test_columns_that_are_missing_or_there_twice(tmp_path: Path, csv: Path) -> None:
    how = mapping(label="activty")
    path = table(tmp_path / "a.csv", {**turning(), "activity": ["a"] * 300})
    refused(path, how, r"no column 'activty' \(did you mean 'activity'\?\); its columns are time, acc_x")
    csv.write_text(csv.read_text().replace("gyro_z", "acc_x", 1))
    refused(csv, mapping(AXES[:5]), "more than one column 'acc_x'")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_53_channels(tmp_path: Path, kind: str) -> None:
    places = [f"place {i}" for i in range(18)]
    columns = {f"{p} {a}": Column("gyro", a, "rad/s", placement=p) for p in places for a in "xyz"}
    columns.pop("place 17 z")
    data = {name: np.sin(np.arange(100) + i) for i, name in enumerate(columns)}
    path = tmp_path / f"a.{kind}"
    if kind == "csv":
        table(path, data)
    else:
        pq.write_table(pa.table(data), path)
    how = TableMapping(columns, "waist", rate=50)
    refused(path, how, "53 channels, but 1 to 52 can be used")
    columns.pop("place 17 y")
    assert read_table(path, replace(how, columns=columns)).signal.shape == (100, 52)


def test_a_real_recording_comes_back_from_csv_in_other_units(tmp_path: Path, spar_recordings: list[Recording]) -> None:
    real = spar_recordings[0]
    acc = [i for i, c in enumerate(real.channels) if c.sensor == "acc"]
    gyro = [i for i, c in enumerate(real.channels) if c.sensor == "gyro"]
    assert len(acc) == len(gyro) == 3
    g, dps = real.signal[:, acc].astype(float) / GRAVITY, np.degrees(real.signal[:, gyro].astype(float))
    columns = dict(zip(AXES, np.concatenate([g, dps], axis=1).T, strict=True))
    milliseconds = 1000 * np.arange(len(g)) / real.rate
    path = table(tmp_path / "a.csv", {"t": milliseconds, **columns, "what": ["lifting"] * len(g)})
    how = mapping(read_columns(path), rate=None, time_unit="ms", label="what")
    again = read_table(path, how)
    assert again.rate == pytest.approx(real.rate, rel=1e-6)
    np.testing.assert_allclose(again.signal, real.signal[:, [*acc, *gyro]], atol=1e-3)
    (note,) = again.annotations
    assert (note.start, note.end) == pytest.approx((0, real.duration), abs=1e-6)
