"""What is particular to Shimmer, Empatica, ActiGraph and GENEActiv."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from archives.motion import G, simulate
from exports import actigraph, empatica_e4, geneactiv, shimmer
from otolith.data.channels import NORMALISED
from otolith.data.importers import Session, Wearing, importer
from otolith.data.importers import actigraph as actigraph_importer
from otolith.data.importers.clocks import recordings
from otolith.types import ConfigError, DataError, MissingExtraError, UnitError


def read(name: str, path: Path) -> list[Session]:
    return list(importer(name).read(path, Wearing("left wrist")))


# Shimmer


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_shimmer_units_and_clock(separator: str, tmp_path: Path) -> None:
    path = shimmer.write(tmp_path, separator)
    assert importer("shimmer").recognises(path)
    (session,) = read("shimmer", path)
    (stream,) = session.streams
    acc, gyro = simulate(14, 11, rate=51.2)
    np.testing.assert_allclose(stream.values[:, :3], acc * G)  # the low-noise one
    np.testing.assert_allclose(stream.values[:, 3:6], gyro)
    assert [c.unit for c in stream.channels[6:]] == [NORMALISED] * 3
    np.testing.assert_allclose(stream.times, np.arange(len(acc)) / 51.2, atol=1e-6)
    assert session.started == pytest.approx(1_611_327_132.3255615)
    assert "wide-range" in session.notes[0] and "Battery" in session.notes[1]


def test_shimmer_local_dates(tmp_path: Path) -> None:
    path = shimmer.write(tmp_path, clock="Timestamp_FormattedUnix")
    lines = path.read_text().splitlines()
    dated = [
        f"2024/03/01 12:00:{k // 50:02d}.{k % 50 * 20:03d}\t" + line.split("\t", 1)[1]
        for k, line in enumerate(lines[3:])
    ]
    path.write_text("\n".join(lines[:3] + dated) + "\n")
    (session,) = read("shimmer", path)
    assert session.started is None and "local" in session.notes[0]
    np.testing.assert_allclose(session.streams[0].times[:3], [0, 0.02, 0.04])


def test_shimmer_what_has_no_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnitError, match="uncalibrated values, which have no unit"):
        read("shimmer", shimmer.write(tmp_path, form="RAW"))
    path = shimmer.write(tmp_path)
    path.write_text(path.read_text().replace("deg/s", "mV", 1))
    with pytest.raises(UnitError, match="'mV' is not a unit of column 'Shimmer_40AC_Gyro_X_CAL'"):
        read("shimmer", path)


def test_shimmer_of_two_units(tmp_path: Path) -> None:
    path = shimmer.write(tmp_path)
    path.write_text(path.read_text().replace("Shimmer_40AC_Gyro", "Shimmer_77BB_Gyro"))
    with pytest.raises(ConfigError, match="several sensors"):
        read("shimmer", path)


# Empatica


def test_e4_starts_and_rates_of_each_file(tmp_path: Path) -> None:
    (session,) = read("empatica-e4", empatica_e4.write(tmp_path))
    acc, heart, warm = session.streams
    true, _ = simulate(16, 10, rate=32)
    np.testing.assert_allclose(acc.values, true * G, atol=G / 64)
    assert (acc.rate, heart.rate, warm.rate) == (32, 1, 4)
    assert heart.times[0] == 10 and session.started == empatica_e4.START
    assert session.notes == ("left out, as otolith has no such channel: BVP, EDA, IBI, tags",)
    found, _ = recordings(session)
    assert [(r.rate, r.offset, r.channels[0].sensor) for r in found] == [
        (32, 0, "acc"), (1, 10, "heart_rate"), (4, 0, "temperature")]  # fmt: skip


@pytest.mark.parametrize("head", ["1544027337.0\n", "1544027337.0\n0.0\n", "-5.0\n4.0\n1.0\n"])
def test_e4_damaged_head(head: str, tmp_path: Path) -> None:
    path = empatica_e4.write(tmp_path)
    (path / "TEMP.csv").write_text(head)
    with pytest.raises(DataError, match=r"TEMP.csv"):
        read("empatica-e4", path)


# ActiGraph


@pytest.mark.parametrize("columns", [None, []])
@pytest.mark.parametrize("separator", [",", ";"])
def test_actigraph_in_g_with_and_without_names(separator: str, columns: list[str] | None, tmp_path: Path) -> None:
    (session,) = read("actigraph", actigraph.write(tmp_path, separator, columns=columns))
    acc, _ = simulate(14, 12, rate=30)
    np.testing.assert_allclose(session.streams[0].values, acc * G, atol=0.006)
    assert session.streams[0].rate == 30 and session.started is None


def test_actigraph_imu(tmp_path: Path) -> None:
    acc, gyro = simulate(14, 12, rate=30)
    mag = np.full((len(acc), 3), 20.0)
    columns = [f"{kind} {axis}" for kind in ("Accelerometer", "Gyroscope", "Magnetometer") for axis in "XYZ"]
    rows = np.hstack([acc, np.degrees(gyro), mag])
    (session,) = read("actigraph", actigraph.write(tmp_path, columns=columns, rows=rows))
    np.testing.assert_allclose(session.streams[0].values[:, 3:6], gyro, atol=math.radians(0.001))
    assert [c.sensor for c in session.streams[0].channels[::3]] == ["acc", "gyro", "mag"]


def test_actigraph_is_cut_into_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actigraph_importer, "DAY", 5)
    sessions = read("actigraph", actigraph.write(tmp_path))
    assert [len(s.streams[0].times) for s in sessions] == [150, 150, 120]
    assert sessions[1].name.endswith("_day2")


def test_actigraph_counts_are_no_motion(tmp_path: Path) -> None:
    with pytest.raises(UnitError, match="holds counts of epochs"):
        read("actigraph", actigraph.write(tmp_path, epoch="00:01:00"))


def test_actigraph_damage(tmp_path: Path) -> None:
    path = actigraph.write(tmp_path)
    path.write_text(path.read_text() + "1.0,2.0\n")
    with pytest.raises(DataError, match="a line that is not 3 numbers"):
        read("actigraph", path)


# GENEActiv


def test_geneactiv_is_calibrated_and_on_its_clock(tmp_path: Path) -> None:
    (session,) = read("geneactiv", geneactiv.write(tmp_path))
    acc, warm = session.streams
    true, _ = simulate(18, 9, rate=50)
    np.testing.assert_allclose(acc.values, true * G, atol=0.0045 * G)
    assert acc.rate == 50 and warm.values[0, 0] == pytest.approx(21.6)
    assert session.started == 1_709_294_400 - 3600  # 12:00 at GMT +01:00


def test_geneactiv_damage(tmp_path: Path) -> None:
    path = geneactiv.write(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:800])
    with pytest.raises(DataError, match="is damaged"):
        read("geneactiv", path)
    path.write_bytes(whole[: whole.rindex(b"Recorded Data")])
    (session,) = read("geneactiv", path)
    assert session.notes == ("the file says that it has 3 pages and holds 2",)


def test_geneactiv_without_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = geneactiv.write(tmp_path)
    monkeypatch.setitem(sys.modules, "actfast", None)
    with pytest.raises(MissingExtraError, match=r"otolith\[devices\]"):
        read("geneactiv", path)
