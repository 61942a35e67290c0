"""The clock of a person's own table: gaps, jitter, coarse times, packets, dates; the rate is measured, not believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.test_importers import AXES, RATE, csv, mapping, refused, table, turning

from otolith.data.channels import GRAVITY
from otolith.data.importers import read_table
from otolith.types import UnitError

__all__ = ["csv"]  # the fixture


def test_parquet_timestamps_need_no_unit(tmp_path: Path) -> None:
    data = turning()
    stamps = np.datetime64("2024-03-01T12:00:00", "ns") + (data["time"] * 1e9).astype("timedelta64[ns]")
    pq.write_table(pa.table({**data, "time": stamps}), tmp_path / "a.parquet")
    recording = read_table(tmp_path / "a.parquet", mapping(["time", *AXES], rate=None))
    assert recording.rate == pytest.approx(RATE)
    assert len(recording.signal) == 300


@pytest.mark.parametrize("form", ["{}", "{}Z", " {}+02:00"])
def test_dates_in_a_csv_need_no_unit(csv: Path, tmp_path: Path, form: str) -> None:
    data = turning()
    stamps = np.datetime64("2024-03-01T23:59:58", "ms") + np.round(data["time"] * 1e3).astype("timedelta64[ms]")
    path = table(tmp_path / "a.csv", {**data, "time": [form.format(stamp) for stamp in stamps]})
    recording = read_table(path, mapping(["time", *AXES], rate=None))
    assert recording.rate == pytest.approx(RATE)
    np.testing.assert_allclose(recording.signal, read_table(csv, mapping()).signal, atol=1e-4)
    path.write_text(path.read_text().replace("2024-03-01", "01.03.2024"))
    refused(path, mapping(["time", *AXES], rate=None), "line 2: .* give numbers, or dates as 2024-03-01T12:00:00.020")
    refused(csv, mapping(["time", *AXES], rate=None), "column 'time' has no unit; give it", UnitError)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("rate", [None, RATE])
def test_time_units(tmp_path: Path, unit: str, rate: float | None) -> None:
    factor = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    data = turning()
    clock = data["time"] if unit == "s" else np.round(data["time"] * factor).astype(np.int64) + 1_700_000_000 * factor
    path = table(tmp_path / "a.csv", {**data, "time": clock})
    # Without a unit the stated rate tells it; with neither the mapping itself is refused.
    for given in (unit, "") if rate else (unit,):
        recording = read_table(path, mapping(["time", *AXES], rate=rate, time_unit=given))
        assert recording.rate == pytest.approx(RATE, rel=1e-4)
        np.testing.assert_allclose(recording.signal[:299, 0], data["acc_x"][:299] * GRAVITY, atol=1e-3)


def test_coarse_clock_gives_the_true_rate(tmp_path: Path) -> None:
    data = turning(600)
    path = table(tmp_path / "a.csv", {**data, "time": np.floor(np.arange(600) * 1000 / 60).astype(int)})
    assert read_table(path, mapping(["time", *AXES], rate=None, time_unit="ms")).rate == pytest.approx(60, rel=2e-3)


@pytest.mark.parametrize("kind", ["whole seconds", "packets"])
def test_samples_that_share_a_time_keep_their_signal(tmp_path: Path, kind: str) -> None:
    """Rows stamped in whole seconds, or ten at a time when a packet arrives: no row is averaged away."""
    data = turning(900)
    late = np.repeat(np.random.default_rng(0).uniform(0, 0.03, 90), 10)
    stamps = np.floor(data["time"] + 0.37) if kind == "whole seconds" else np.repeat(data["time"][9::10], 10) + late
    path = table(tmp_path / "a.csv", {**data, "time": stamps})
    unstated = mapping(["time", *AXES], rate=None, time_unit="s")
    if kind == "packets":  # they stay near a line, which is the sensor's clock
        assert read_table(path, unstated).rate == pytest.approx(50, rel=0.002)
    else:
        refused(path, unstated, r"rows share each time .* \(rate\)")
    for unit in ("s", ""):
        signal = read_table(path, mapping(["time", *AXES], time_unit=unit)).signal
        assert abs(len(signal) - 900) <= 2 and np.isfinite(signal).all()
        np.testing.assert_allclose(signal[:850, 0], data["acc_x"][:850] * GRAVITY, atol=0.5)
    refused(path, mapping(["time", *AXES], rate=100.0, time_unit="s"), r"gives (50|49\.9\d) Hz, not the stated 100 Hz")


def test_a_lost_packet_stays_a_gap(tmp_path: Path) -> None:
    data = turning()
    kept = np.delete(np.arange(300), np.s_[100:130])
    columns = {name: values[kept] for name, values in data.items()}
    path = table(tmp_path / "a.csv", {**columns, "time": columns["time"][::10].repeat(10)})
    signal = read_table(path, mapping(["time", *AXES], time_unit="s")).signal
    assert signal.shape == (300, 6) and np.isnan(signal[101:129]).all()
    np.testing.assert_allclose(signal[kept, 0], data["acc_x"][kept] * GRAVITY, atol=1e-3)


def test_sensors_by_turns_share_a_time_once_but_not_in_packets(tmp_path: Path) -> None:
    """A row of each sensor at one time is no repetition; ten of each are, and their order is unknown."""
    twice = {name: values.repeat(2).astype(object) for name, values in turning(400).items()}
    for name in AXES:
        twice[name][(1 if name.startswith("acc") else 0) :: 2] = ""
    how = mapping(["time", *AXES], time_unit="s")
    assert np.isfinite(read_table(table(tmp_path / "a.csv", twice), how).signal).all()
    packets = {**twice, "time": twice["time"][::20].repeat(20)}
    refused(table(tmp_path / "b.csv", packets), how, "10 rows share each time .* sensors write by turns")


def test_gaps_become_nan_and_single_lost_samples_are_filled(tmp_path: Path) -> None:
    data = turning()
    keep = np.ones(300, bool)
    keep[50] = False
    keep[100:200] = False
    path = table(tmp_path / "a.csv", {k: v[keep] for k, v in data.items()})
    signal = read_table(path, mapping(["time", *AXES], time_unit="s")).signal
    assert signal.shape == (300, 6)
    assert np.isnan(signal[100:200]).all()
    assert np.isfinite(np.delete(signal, np.s_[100:200], axis=0)).all()
    assert signal[50, 0] == pytest.approx(data["acc_x"][50] * GRAVITY, abs=0.05)


def test_sensors_that_write_by_turns(tmp_path: Path) -> None:
    """Phone loggers merge streams: each row has one sensor, the other's cells are empty."""
    data = turning(400)
    cells = {k: v.astype(object) for k, v in data.items()}
    for name in AXES:
        cells[name][(1 if name.startswith("acc") else 0) :: 2] = ""
    path = table(tmp_path / "a.csv", cells)
    recording = read_table(path, mapping(["time", *AXES], rate=None, time_unit="s"))
    assert recording.rate == pytest.approx(RATE / 2)
    assert np.isfinite(recording.signal[1:-1]).all()
    np.testing.assert_allclose(recording.signal[1:-1, 0], data["acc_x"][2:-2:2] * GRAVITY, atol=0.02)


def test_a_gap_ends_an_annotation(tmp_path: Path) -> None:
    data = turning(300)
    keep = np.r_[np.arange(100), np.arange(200, 300)]
    path = table(tmp_path / "a.csv", {**{k: v[keep] for k, v in data.items()}, "activity": ["walking"] * 200})
    notes = read_table(path, mapping(["time", *AXES], time_unit="s", label="activity")).annotations
    assert [(n.start, n.end) for n in notes] == [pytest.approx((0, 2), abs=1e-6), pytest.approx((4, 6), abs=1e-6)]


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda t: t, {"rate": 100.0}, "gives 50 Hz, not the stated 100 Hz"),
        (lambda t: t, {"rate": 51.5}, "gives 50 Hz, not the stated 51.5 Hz"),
        (lambda t: t, {"rate": 100.0, "time_unit": ""}, "in no unit does .* give the stated 100 Hz"),
        (lambda t: t, {"rate": None, "time_unit": "ms"}, "gives 5e[+]04 Hz, which no motion sensor has"),
        (lambda t: np.where(np.arange(300) == 150, 0.5, t), {}, "line 152: the time goes back"),
        (lambda t: t[::-1], {}, "line 3: the time goes back"),
        (lambda t: t * 0, {}, "does not advance"),
        (lambda t: np.where(np.arange(300) == 299, 1e9, t), {}, "spans 1.16e[+]04 days"),
        (lambda t: np.where(np.arange(300) == 7, np.nan, t), {}, "line 9: there is no time"),
    ],
)
def test_clocks_that_cannot_be_right(tmp_path: Path, change, options: dict, said: str) -> None:
    data = turning()
    path = table(tmp_path / "a.csv", {**data, "time": change(data["time"])})
    refused(path, mapping(["time", *AXES], **{"time_unit": "s", **options}), said)


def test_a_rate_within_two_percent_is_taken(csv: Path) -> None:
    assert read_table(csv, mapping(["time", *AXES], rate=50.5, time_unit="s")).rate == 50.5


def test_repeated_times_are_one_sample(tmp_path: Path) -> None:
    data = turning()
    rows_twice = np.sort(np.r_[np.arange(300), [10, 11, 12]])
    path = table(tmp_path / "a.csv", {k: v[rows_twice] for k, v in data.items()})
    recording = read_table(path, mapping(["time", *AXES], time_unit="s"))
    np.testing.assert_allclose(recording.signal[:, 0], data["acc_x"] * GRAVITY, atol=1e-4)
