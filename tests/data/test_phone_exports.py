"""What is particular to the exports of phone apps: Sensor Logger and phyphox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archives.motion import G, simulate
from exports import phyphox, sensor_logger
from otolith.data.importers import Session, Wearing, importer
from otolith.types import DataError


def read(name: str, path: Path) -> Session:
    (session,) = importer(name).read(path, Wearing("left wrist"))
    return session


def values(session: Session, channel: str) -> np.ndarray:
    for stream in session.streams:
        for index, one in enumerate(stream.channels):
            if one.name == channel:
                return stream.values[:, index]
    raise AssertionError(channel)


# Sensor Logger


@pytest.mark.parametrize(("platform", "standard"), [("ios", "false"), ("ios", "true"), ("android", "false")])
def test_sensor_logger_has_one_sign_whatever_the_phone(platform: str, standard: str, tmp_path: Path) -> None:
    session = read("sensor-logger", sensor_logger.write(tmp_path, platform, standard))
    acc, gyro = simulate(14, 5, rate=100)
    for index, axis in enumerate("xyz"):
        np.testing.assert_allclose(values(session, f"acc_{axis}"), acc[:, index] * G, atol=1e-9)
        np.testing.assert_allclose(values(session, f"linear_acc_{axis}"), (acc - [1, 0, 0])[:, index] * G, atol=1e-9)
        np.testing.assert_allclose(values(session, f"gyro_{axis}"), gyro[:, index])
    assert session.started == pytest.approx(1_698_501_144.401773)
    assert [stream.times[0] for stream in session.streams][:3] == [0.002, 0, 0.003] if platform == "android" else True
    assert "Location" in session.notes[0] and "--labels" in session.notes[1]


def test_sensor_logger_watch(tmp_path: Path) -> None:
    folder = sensor_logger.write(tmp_path)
    acc, gyro = simulate(14, 5, rate=100)
    stamps = sensor_logger.EPOCH_NS + np.arange(len(acc)) * 10_000_000
    gravity = np.tile([-1.0, 0.0, 0.0], (len(acc), 1))
    columns = {
        f"{kind}{axis}": rows[:, index]
        for kind, rows in (("rotationRate", gyro), ("gravity", gravity), ("acceleration", -acc - gravity))
        for index, axis in enumerate("XYZ")
    }
    sensor_logger.table(folder / "WristMotion.csv", stamps, columns)
    session = read("sensor-logger", folder)
    np.testing.assert_allclose(values(session, "wrist_acc_x"), acc[:, 0] * G)
    assert {c.placement for s in session.streams for c in s.channels} == {"left wrist", "wrist"}


def test_sensor_logger_one_file(tmp_path: Path) -> None:
    folder = sensor_logger.write(tmp_path)
    session = read("sensor-logger", folder / "Gyroscope.csv")
    assert [c.name for s in session.streams for c in s.channels] == ["gyro_x", "gyro_y", "gyro_z"]


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        ("Metadata.csv", lambda text: text.replace(",ios,", ",palm,"), "platform 'palm' is neither ios nor android"),
        ("Metadata.csv", lambda text: "", "Metadata.csv cannot be read, and it alone says whether the phone was"),
        ("Gyroscope.csv", lambda text: text.replace("\n1698", "\nx698", 3), "Gyroscope.csv, line 2: the time is not a"),
        ("Gyroscope.csv", lambda text: text.replace("\n1698", "\n-1698", 1), "not nanoseconds since 1970"),
        ("Gravity.csv", lambda text: text.replace(",z,", ",q,"), "Gravity.csv has no column 'z'"),
    ],
)
def test_sensor_logger_damage(file: str, change: Callable[[str], str], sentence: str, tmp_path: Path) -> None:
    folder = sensor_logger.write(tmp_path)
    (folder / file).write_text(change((folder / file).read_text()))
    with pytest.raises(DataError, match=sentence):
        read("sensor-logger", folder)


# phyphox


@pytest.mark.parametrize("dialect", [(",", "."), ("\t", "."), (";", "."), ("\t", ","), (";", ",")])
def test_phyphox_dialects(dialect: tuple[str, str], tmp_path: Path) -> None:
    folder = phyphox.write(tmp_path, *dialect)
    assert importer("phyphox").recognises(folder)
    session = read("phyphox", folder)
    acc, gyro = simulate(14, 6, rate=200)
    np.testing.assert_allclose(values(session, "acc_x"), acc[:, 0] * G, rtol=1e-8)
    np.testing.assert_allclose(values(session, "gyro_z"), gyro[:, 2], rtol=1e-8)
    assert session.started == 1_759_650_000.0
    assert session.notes == ("left out, as otolith has no such channel: Gravity, Light",)


def test_phyphox_pauses_are_gaps(tmp_path: Path) -> None:
    folder = phyphox.write(tmp_path)
    with (folder / "meta/time.csv").open("a") as file:
        file.write('"START",1.400000000E1,1759650074.500,"x"\n')
    table = (folder / "Gyroscope.csv").read_text().splitlines()
    later = [f"{phyphox.number(14.2 + k / 200)},0.0E0,0.0E0,0.0E0" for k in range(400)]
    (folder / "Gyroscope.csv").write_text("\n".join([*table, *later]) + "\n")
    session = read("phyphox", folder)
    times = next(s.times for s in session.streams if s.channels[0].sensor == "gyro")
    assert times[len(table) - 2] < 14.1 and times[len(table) - 1] == pytest.approx(14.2 + 60.5)
    assert "paused 1 times" in session.notes[1]


def test_phyphox_ready_made_experiment_is_one_table(tmp_path: Path) -> None:
    acc, _ = simulate(14, 6, rate=100)
    rows = np.column_stack([np.arange(len(acc)) / 100, acc * G, np.linalg.norm(acc * G, axis=1)])
    names = [*phyphox.names("Linear Acceleration", "m/s^2"), "Absolute acceleration (m/s^2)"]
    phyphox.table(tmp_path / "Raw Data.csv", names, rows)
    session = read("phyphox", tmp_path / "Raw Data.csv")
    assert [c.name for c in session.streams[0].channels] == ["linear_acc_x", "linear_acc_y", "linear_acc_z"]
    assert session.streams[0].channels[0].gravity is False and session.started is None


def test_phyphox_columns_of_older_versions(tmp_path: Path) -> None:
    rows = np.column_stack([np.arange(100) / 100, np.ones((100, 3))])
    phyphox.table(tmp_path / "Magnetometer.csv", ["Time (s)", "X (µT)", "Y (µT)", "Z (µT)"], rows)
    session = read("phyphox", tmp_path / "Magnetometer.csv")
    assert [c.name for c in session.streams[0].channels] == ["mag_x", "mag_y", "mag_z"]


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        ("meta/time.csv", lambda text: text.replace("1759650000.000", "soon"), "time.csv cannot be read"),
        ("meta/time.csv", lambda text: text + '"START",1.0E0,5.0,""\n', "times go back"),
        ("Gyroscope.csv", lambda text: text.replace("E-", "F-", 1), "Gyroscope.csv, line .* is not a number"),
    ],
)
def test_phyphox_damage(file: str, change: Callable[[str], str], sentence: str, tmp_path: Path) -> None:
    folder = phyphox.write(tmp_path)
    (folder / file).write_text(change((folder / file).read_text()))
    with pytest.raises(DataError, match=sentence):
        read("phyphox", folder)
