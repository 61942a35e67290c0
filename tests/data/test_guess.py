"""The proposal finds what real recordings were written as, says why, and leaves open what numbers cannot tell."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from otolith.data.channels import GRAVITY
from otolith.data.importers import TableMapping, Wearing, generic, read_table
from otolith.data.importers.guess import guess
from otolith.data.importers.guess.naming import meaning
from otolith.data.recording import Recording
from otolith.data.signal import resample
from otolith.types import DataError, OtolithError

WRIST = Wearing("left wrist", "smartwatch", "ann")
ACC = {"g": GRAVITY, "m/s^2": 1.0, "mg": GRAVITY / 1000, "counts": GRAVITY / 4096}
GYRO = {"rad/s": 1.0, "deg/s": math.pi / 180}
TIME = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def mapping(text: str) -> TableMapping:
    return TableMapping.from_values(yaml.safe_load(text), "the proposal")


def comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if "#" in line)


def columns_of(
    real: Recording, names: str = "acc_{} gyro_{} time", acc: str = "g", gyro: str = "deg/s", time: str = "ms",
    rate: float = 50.0, began: float = 0.0,
) -> tuple[pd.DataFrame, np.ndarray]:  # fmt: skip
    """A real recording as another logger would write it, and what it is in SI at that rate."""
    signal = resample(real.signal.astype(np.float64), real.rate, rate)
    first, second, clock = names.split()
    ticks = (np.arange(len(signal)) / rate + began) * TIME[time]
    table = {clock: ticks if time == "s" else np.round(ticks).astype(np.int64)}
    for i, axis in enumerate("xyz"):
        table[first.format(axis)] = signal[:, i] / ACC[acc]
    for i, axis in enumerate("xyz"):
        table[second.format(axis)] = signal[:, 3 + i] / GYRO[gyro]
    return pd.DataFrame(table), signal


def written(table: pd.DataFrame, path: Path, sep: str = ",") -> Path:
    table.to_csv(path, index=False, sep=sep, float_format="%.13g")
    return path


@pytest.mark.parametrize(
    ("number", "names", "acc", "gyro", "time", "rate", "began", "sep"),
    [
        (0, "acc_{} gyro_{} time", "g", "deg/s", "ms", 50, 0, ","),
        (13, "Accel{} Gyr{} Timestamp", "m/s^2", "rad/s", "s", 25, 0, ";"),
        (29, "{}_acc {}_gyro t", "mg", "deg/s", "us", 100, 1.7e9, "\t"),
        (44, "a{} g{} ts", "g", "rad/s", "ns", 64, 1.7e9, ","),
        (58, "Acceleration_{} Rotation_{} seconds_elapsed", "g", "deg/s", "s", 100, 0, "|"),
        (77, "{}1 {}2 clock", "m/s^2", "deg/s", "ms", 40, 1.7e9, ","),
        (91, "LW_Acc.{} LW_Gyro.{} elapsed", "mg", "rad/s", "s", 50, 1.7e9, ";"),
        (118, "{}1 {}2 t", "g", "rad/s", "us", 32, 0, ","),
        (139, "accelerometer_{} gyroscope_{} time", "m/s^2", "deg/s", "ns", 50, 0, "\t"),
    ],
)  # fmt: skip
def test_a_real_recording_in_other_units_names_and_rates_is_found_again(
    tmp_path: Path, spar_recordings: list[Recording], number: int, names: str, acc: str, gyro: str, time: str,
    rate: float, began: float, sep: str,
) -> None:  # fmt: skip
    """Exercises without rest, in which acceleration is far from gravity alone."""
    table, signal = columns_of(spar_recordings[number], names, acc, gyro, time, rate, began)
    path = written(table, tmp_path / "a.csv", sep)
    text = guess(path, WRIST)
    found = mapping(text)
    first, second, clock = names.split()
    said = {name: (c.sensor, c.axis, c.unit, c.gravity, c.scale) for name, c in found.columns.items()}
    assert said == {
        **{first.format(a): ("acc", a, acc, True, 1.0) for a in "xyz"},
        **{second.format(a): ("gyro", a, gyro, None, 1.0) for a in "xyz"},
    }
    assert (found.time, found.time_unit) == (clock, time)
    assert (found.placement, found.device, found.subject) == ("left wrist", "smartwatch", "ann")
    again = read_table(path, found)
    assert again.rate == pytest.approx(rate, rel=0.002)
    np.testing.assert_allclose(again.signal[:1000], signal[:1000], atol=0.25)


def test_every_recording_of_the_set_is_told_by_its_numbers(tmp_path: Path, spar_recordings: list[Recording]) -> None:
    """Units of both sensors, without names, in each seventh recording of all people and exercises."""
    wrong = []
    for number, real in enumerate(spar_recordings[::7]):
        acc, gyro, time = (list(units)[number % len(units)] for units in (list(ACC)[:3], GYRO, TIME))
        table, _ = columns_of(real, "{}1 {}2 t", acc, gyro, time)
        found = mapping(guess(written(table, tmp_path / f"{number}.csv"), WRIST))
        units = [found.columns[name].unit for name in ("x1", "x2")]
        wrong += [real.name] if [*units, found.time_unit] != [acc, gyro, time] else []
    assert wrong == []


def test_each_line_has_its_evidence(tmp_path: Path, spar_recordings: list[Recording]) -> None:
    table, _ = columns_of(spar_recordings[2], "A{}(g) w{} ms")
    table["what"] = "lifting"
    table.loc[500:, "what"] = "resting"
    table["battery"] = "ok"
    text = guess(written(table, tmp_path / "a.csv"), WRIST)
    said = comments(text)
    assert (
        "by its name: acc, in g" in said and ": g, with gravity" in said
    ) or "which only in g is near to one g" in said
    assert "times slower than these numbers say in rad/s" in said and ": deg/s" in said
    assert "its name says ms; the usual step is 20, so rows come at 50 Hz" in said
    assert "taken as what an accelerometer feels" in said
    assert "2 different values in 2 runs: lifting, resting" in said or "resting, lifting" in said
    assert "battery: text" in said
    assert "Nothing has been imported" in said
    assert mapping(text).label == "what"


def still(count: int = 600, one: float = 1.0) -> dict[str, np.ndarray]:
    """A device that lies, is turned over slowly, and lies again; gravity is `one`."""
    angle = np.clip((np.arange(count) - 200) / 200, 0, 1) * np.pi / 2
    noise = np.random.default_rng(0).normal(0, 0.002 * one, (count, 3))
    return dict(zip("xyz", (one * np.stack([np.sin(angle), 0 * angle, np.cos(angle)], axis=1) + noise).T, strict=True))


def frame(one: float = 1.0, count: int = 600, **more: object) -> pd.DataFrame:
    return pd.DataFrame({**more, **{f"acc_{axis}": values for axis, values in still(count, one).items()}})


@pytest.mark.parametrize(
    ("one", "unit", "scale", "why"),
    [
        (1.002, "g", 1.0, "at rest its magnitude is 1.00"),
        (9.79, "m/s^2", 1.0, "m/s^2, with gravity"),
        (1001.0, "mg", 1.0, "mg, with gravity"),
        (4096.0, "g", 1 / 4096, "near 4096: counts, 4096 to the g"),
        (64.3, "g", 1 / 64, "near 64: counts, 64 to the g"),
        (320.0, "", 1.0, "in no known unit"),
    ],
)
def test_the_unit_of_acceleration_is_that_of_gravity(
    tmp_path: Path, one: float, unit: str, scale: float, why: str
) -> None:
    text = guess(written(frame(one, t=np.arange(600) * 20.0), tmp_path / "a.csv"), WRIST)
    column = yaml.safe_load(text)["columns"]["acc_x"]
    assert (column["unit"], column.get("scale", 1.0)) == (unit, pytest.approx(scale))
    assert why in comments(text)
    if not unit:
        with pytest.raises(OtolithError, match="has no unit"):
            mapping(text)


def test_a_name_that_contradicts_the_numbers_is_shouted_about(tmp_path: Path, spar_recordings: list[Recording]) -> None:
    table, _ = columns_of(spar_recordings[1], "acc_{}_mg gyro_{}_dps t_s", acc="g", gyro="rad/s", time="ms")
    text = guess(written(table, tmp_path / "a.csv"), WRIST)
    for shouted in ("ITS NAME SAYS mg", "ITS NAME SAYS deg/s", "ITS NAME SAYS s, which no motion sensor would be in"):
        assert shouted in text


def test_acceleration_without_gravity_has_no_unit_unless_named(
    tmp_path: Path, spar_recordings: list[Recording]
) -> None:
    moved = spar_recordings[0].signal[:, :3].astype(float)
    moved = (moved - pd.DataFrame(moved).rolling(100, center=True, min_periods=1).mean().to_numpy()) / GRAVITY
    for name, unit in (("lin_acc_{}", ""), ("linear_acceleration_{} (g)", "g")):
        table = pd.DataFrame(
            {"t_ms": np.arange(len(moved)) * 20, **dict(zip((name.format(a) for a in "xyz"), moved.T, strict=True))}
        )
        text = guess(written(table, tmp_path / "a.csv"), WRIST)
        column = yaml.safe_load(text)["columns"][name.format("x")]
        assert (column["unit"], column["gravity"]) == (unit, False)
        assert "no gravity in it" in text


def test_gravity_in_columns_of_its_own_is_added(tmp_path: Path, spar_recordings: list[Recording]) -> None:
    """As Core Motion gives it, without a clock; gravity turning then tells the rate."""
    angle = 0.9 * np.sin(np.arange(1500) / 50 * 2.1)
    speed = -np.gradient(angle) * 50  # du/dt = u x omega
    gravity = -np.stack([np.sin(angle), 0 * angle, np.cos(angle)], axis=1)
    rest = np.random.default_rng(0).normal(0, 0.05, (1500, 3))
    rate = np.stack([0 * angle, speed, 0 * angle], axis=1) + rest / 50
    groups = {"gravity": gravity, "rotationRate": rate, "userAcceleration": rest}
    table = pd.DataFrame(
        {f"{name}.{a}": v for name, values in groups.items() for a, v in zip("xyz", values.T, strict=True)}
    )
    table.insert(0, "", range(1500))
    path = written(table, tmp_path / "a.csv")
    text = guess(path, WRIST)
    found = mapping(text)
    assert found.columns["userAcceleration.y"].plus == "gravity.y"
    assert (found.columns["userAcceleration.y"].unit, found.columns["rotationRate.y"].unit) == ("g", "rad/s")
    assert (found.rate, found.time, found.core_motion) == (50.0, "", True)
    assert "gravity turns as the gyroscope says at about 50" in text
    again = read_table(path, found)
    np.testing.assert_allclose(again.signal[:, :3], -(gravity + rest) * GRAVITY, atol=1e-3)


def test_what_no_number_tells_is_left_to_the_person(tmp_path: Path) -> None:
    text = guess(written(frame(), tmp_path / "a.csv"), Wearing(""))
    assert "rate:  # fill in" in text and "nothing in the numbers says how many samples" in text
    assert 'placement: ""  # no file can say it' in text
    with pytest.raises(OtolithError, match="rate must be a number"):
        mapping(text)
    with pytest.raises(OtolithError, match="no placement"):
        mapping(text.replace("rate:  # fill in", "rate: 50"))


# Clocks


@pytest.mark.parametrize(
    ("name", "times", "unit", "why"),
    [
        ("t", np.arange(600) * 0.02, "s", "likely only in s; the usual step is 0.02, so rows come at 50 Hz"),
        ("t", np.arange(600) * 20, "ms", "likely only in ms"),
        ("t", 1_700_000_000_000 + np.arange(600) * 20, "ms", "it counts from 1970 in ms"),
        ("time_us", np.arange(600) * 20_000, "us", "its name says us"),
        ("t (ns)", np.arange(600) * 20_000_000, "ns", "its name says ns"),
        ("what", np.arange(600) * 16_666, "us", "likely only in us"),
        ("ms", np.arange(4000), "ms", "its name says ms; the usual step is 1, so rows come at 1000 Hz"),
    ],
)
def test_the_unit_of_time(tmp_path: Path, name: str, times: np.ndarray, unit: str, why: str) -> None:
    text = guess(written(frame(count=len(times), **{name: times}), tmp_path / "a.csv"), WRIST)
    assert (mapping(text).time, mapping(text).time_unit) == (name, unit)
    assert why in comments(text)


def test_dates_are_a_clock_and_need_no_unit(tmp_path: Path) -> None:
    dates = pd.Series(pd.date_range("2024-03-01T12:00:00", periods=600, freq="20ms")).dt.strftime(
        "%Y-%m-%dT%H:%M:%S.%f"
    )
    path = written(frame(when=dates), tmp_path / "a.csv")
    found = mapping(guess(path, WRIST))
    assert (found.time, found.time_unit) == ("when", "")
    assert read_table(path, found).rate == pytest.approx(50)


def test_the_number_of_a_row_is_no_time(tmp_path: Path) -> None:
    text = guess(written(frame(index=np.arange(600), time=np.arange(600)), tmp_path / "a.csv"), WRIST)
    assert "'time' goes up by one from row to row: the number of a row, not a time" in text
    assert "rate:  # fill in" in text


def test_time_that_goes_back_and_people_who_change_are_pointed_out(tmp_path: Path) -> None:
    times = np.r_[np.arange(300), np.arange(300)] * 20.0
    text = guess(written(frame(time=times, user=np.repeat([1, 2], 300)), tmp_path / "a.csv"), WRIST)
    assert "'time' looks like a time and goes back at row 301 of 600" in text and "likely in ms, 50 Hz" in text
    assert "ATTENTION: 'user' has 2 values" in text
    text = guess(written(frame(t=np.arange(600) * 20, user=np.full(600, 7)), tmp_path / "a.csv"), Wearing("waist"))
    assert mapping(text).subject == "7"


def test_rows_that_share_a_time_need_a_rate_and_two_clocks_are_both_told(tmp_path: Path) -> None:
    times = np.arange(600) * 20
    table = frame(uptime=times * 1_000_000 + 77, time=times // 1000 * 1000)
    path = written(table, tmp_path / "a.csv")
    text = guess(path, WRIST)
    found = mapping(text)
    assert (found.time, found.rate) == ("time", pytest.approx(50, rel=0.01))
    assert "'uptime' could be the time as well" in text and "50 rows share each time" in text
    assert read_table(path, found).rate == pytest.approx(50, rel=0.01)
    text = guess(written(frame(time=np.repeat(times[9::10], 10)), path), WRIST)
    assert "stamped in bursts, with a mean step of " in text and mapping(text).rate is None


# Layouts


def test_lines_above_units_below_and_decimal_commas(tmp_path: Path) -> None:
    rows = [
        f"{20 * i};{x:.4f};{y:.4f};{z:.4f}".replace(".", ",")
        for i, (x, y, z) in enumerate(zip(*still().values(), strict=True))
    ]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["Logger 3", "serial;4711", "Clock;X;Y;Z", "ms;g;g;g", *rows]) + "\n")
    text = guess(path, WRIST)
    found = mapping(text)
    assert (found.above, found.below, found.decimal, found.delimiter) == (2, 1, ",", ";")
    assert "the table begins in line 3" in text and "by its name: acc, in g" in text
    assert read_table(path, found).signal[:100].mean(axis=0) == pytest.approx([0, 0, GRAVITY], abs=0.01)


def test_a_table_without_names(tmp_path: Path) -> None:
    """As WISDM writes: subject, activity, nanoseconds and three axes, with a semicolon at the end of each line."""
    rows = [f"1600,{'A' if i < 300 else 'B'},{252207666810782 + i * 20_000_000},{x},{y},{z};"
            for i, (x, y, z) in enumerate(zip(*still(one=9.8).values(), strict=True))]  # fmt: skip
    path = tmp_path / "data_1600.txt"
    path.write_text("\n".join(rows) + "\n")
    found = mapping(guess(path, WRIST))
    assert not found.header and list(found.columns) == ["column 4", "column 5", "column 6"]
    assert (found.time, found.time_unit, found.label) == ("column 3", "ns", "column 2")
    recording = read_table(path, found)
    assert recording.rate == pytest.approx(50) and [a.activity for a in recording.annotations] == ["A", "B"]
    assert recording.signal[-100:].mean(axis=0) == pytest.approx([9.8, 0, 0], abs=0.01)


def test_a_folder_of_tables(tmp_path: Path, spar_recordings: list[Recording]) -> None:
    table, _ = columns_of(spar_recordings[3], began=1.7e9)
    folder = tmp_path / "walk"
    folder.mkdir()
    written(table.drop(columns=[f"gyro_{a}" for a in "xyz"]), folder / "Accelerometer.csv")
    written(table.drop(columns=[f"acc_{a}" for a in "xyz"]), folder / "Gyroscope.csv")
    (folder / "notes.txt").write_text("nothing but words\nin two lines\n")
    text = guess(folder, WRIST)
    assert "# notes.txt is not read" in text
    # Alone in its file, a gyroscope has no gravity beside it.
    assert "nothing shows how fast it turns" in text or "which no gyroscope does in rad/s" in text
    (tmp_path / "m.yaml").write_text(text.replace('unit: ""', "unit: deg/s"))
    session = generic.read(folder, generic.read_mapping(tmp_path / "m.yaml", WRIST))
    assert [c.name for s in session.streams for c in s.channels] == [f"{s}_{a}" for s in ("acc", "gyro") for a in "xyz"]


def test_parquet_is_guessed_as_csv_is(tmp_path: Path, spar_recordings: list[Recording]) -> None:
    table, _ = columns_of(spar_recordings[5])
    pq.write_table(pa.Table.from_pandas(table), tmp_path / "a.parquet")
    one, other = (guess(p, WRIST) for p in (tmp_path / "a.parquet", written(table, tmp_path / "a.csv")))
    assert yaml.safe_load(one) == yaml.safe_load(other)


def test_names_cannot_leave_their_place_in_the_yaml(tmp_path: Path) -> None:
    evil = 'x"}\nrate: 1\n#'
    columns = {f"acc_{a}": pa.array(v) for a, v in still().items()} | {evil: pa.array(["q\nplacement: there"] * 600)}
    columns |= {"t: [": pa.array(np.arange(600) * 20.0), "yes": pa.array(["a\nb: c", "d"] * 300)}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    text = guess(tmp_path / "a.parquet", WRIST)
    assert mapping(text).placement == "left wrist" and mapping(text).time == "t: ["
    assert set(mapping(text).columns) == {"acc_x", "acc_y", "acc_z"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"just words\nin lines\n", "no lines of equally many values"),
        (b"a,b,c\n1,2,3\n", "has 1 rows of values"),
        (b"a,b,c\n" + b"1,2,3\n" * 50, "no three columns look like"),
        (b"\xff\xfe\x00\x01" * 100, "is not text|does not begin"),
        (b"acc_x,acc_y,acc_z\n" + b"1,2,\xff\n" * 50, "is not text in UTF-8"),
        (b"acc_x,acc_y,acc_z\n" + b"nan,nan,nan\n1,1,1\n" * 5, "no three columns|too few|no lines"),
        (b"acc_x,acc_y,acc_z\n" + b"1e999,1,1\n" * 50, "no three columns"),
        (b",".join(b"%d a" % i for i in range(600)) + b"\n" + b"1," * 599 + b"1\n", "has 600 columns"),
        (b'"' * 70000, "does not begin|no lines"),
    ],
)
def test_what_is_no_table(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        guess(path, WRIST)
    assert "\n" not in str(caught.value)


def test_a_folder_without_tables(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no table with a motion sensor"):
        guess(tmp_path, WRIST)


def test_only_the_beginning_of_a_long_file_is_looked_at(
    tmp_path: Path, spar_recordings: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, _ = columns_of(spar_recordings[0])
    path = written(table, tmp_path / "a.csv")
    whole = mapping(guess(path, WRIST))
    monkeypatch.setattr("otolith.data.importers.rows.BEGINNING", 60_000)
    text = guess(path, WRIST)
    rows = int(text.split("looked at ")[1].split()[0])
    assert 300 < rows < len(table) and mapping(text) == whole


@pytest.mark.parametrize(
    ("name", "sensor", "axis", "unit", "placement"),
    [
        ("Accel X (g)", "acc", "x", "g", ""),
        ("left_wrist_acc_x", "acc", "x", "", "left wrist"),
        ("R.ankle gyr z", "gyro", "z", "", "right ankle"),
        ("RightUpperArm_AccX", "acc", "x", "", "right upper arm"),
        ("userAcceleration.x", "acc", "x", "", ""),
        ("motionRotationRateX(rad/s)", "gyro", "x", "rad/s", ""),
        ("GyroX (°/s)", "gyro", "x", "°/s", ""),
        ("acc_x_mg", "acc", "x", "mg", ""),
        ("gyr_y_dps", "gyro", "y", "deg/s", ""),
        ("Magnetic field x (µT)", "mag", "x", "µT", ""),
        ("wz", "gyro", "z", "", ""),
        ("T_xacc", "acc", "x", "", ""),
        ("x-axis (g)", "acc", "x", "g", ""),
        ("gravity.z", "gravity", "z", "", ""),
        ("attitude.roll", "orientation", "", "", ""),
        ("heart rate (bpm)", "heart_rate", "", "bpm", ""),
        ("timestamp", "", "", "", ""),
        ("", "", "", "", ""),
    ],
)
def test_names(name: str, sensor: str, axis: str, unit: str, placement: str) -> None:
    found = meaning(name)
    assert (found.sensor, found.axis, found.unit, found.placement) == (sensor, axis, unit, placement)


# Real files


@pytest.fixture
def archive(raw_dir: Path) -> Callable[..., list[Path]]:
    def files(pattern: str, *names: str) -> list[Path]:
        found = sorted(path for name in names for path in (raw_dir / name).rglob(pattern))
        if not found:
            pytest.skip(f"needs the archive of {names[0]} in OTOLITH_RAW_DIR")
        return found

    return files


def test_real_motionsense(archive: Callable[..., list[Path]]) -> None:
    """Its own files: Core Motion, gravity apart, no clock. The rate is 50 Hz where gravity moves enough to tell it."""
    rates = []
    for path in archive("sub_*.csv", "motionsense")[::40]:
        given = yaml.safe_load(guess(path, WRIST))
        assert given["core_motion"] is True
        assert given["columns"]["userAcceleration.x"] == {
            "sensor": "acc", "axis": "x", "unit": "g", "gravity": True, "plus": "gravity.x"
        }  # fmt: skip
        assert given["columns"]["rotationRate.z"]["unit"] == "rad/s"
        rates.append(given["rate"])
    assert set(rates) <= {50.0, None} and rates.count(50.0) > len(rates) / 2


def test_real_timed_up_and_go(archive: Callable[..., list[Path]]) -> None:
    for path in archive("s*_s[pw].csv", "tug", "sp_sw_har")[::23]:
        text = guess(path, WRIST)
        found = mapping(text)
        units = {column.unit for column in found.columns.values()}
        assert (units, found.time_unit, found.label) == ({"m/s^2", "rad/s"}, "ms", "label"), path
        assert read_table(path, found).rate == pytest.approx(103.3, abs=1.5)


def test_real_wisdm(archive: Callable[..., list[Path]]) -> None:
    """Its own files have no names, and time goes back where one activity follows another."""
    for path in archive("data_*_accel_*.txt", "wisdm")[::3]:
        text = guess(path, WRIST)
        assert "column 4: {sensor: acc, axis: x, unit: m/s^2, gravity: true}" in text, path
        assert "label: column 2" in text
        assert "time: column 3" in text or "'column 3' looks like a time and goes back" in text
