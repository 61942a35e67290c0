"""What is particular to Xsens MT Manager and Movella DOT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archives.motion import G, simulate
from exports import movella_dot, xsens_mt
from otolith.data.channels import NORMALISED
from otolith.data.importers import Session, Wearing, importer
from otolith.types import DataError, UnitError

SHORT = "// Start Time: Unknown\n// Update Rate: 40.0Hz\n// Filter Profile: human (46.1)\n"


def read(name: str, path: Path) -> Session:
    (session,) = importer(name).read(path, Wearing("left wrist"))
    return session


def test_mt_counts_packets_over_the_end_of_their_counter(tmp_path: Path) -> None:
    (stream,) = read("xsens-mt", xsens_mt.write(tmp_path)).streams
    acc, gyro = simulate(14, 7, rate=100)
    assert stream.rate == 100
    np.testing.assert_allclose(stream.times, np.arange(len(acc)) / 100)
    np.testing.assert_allclose(stream.values[:, :3], acc * G, atol=1e-6)
    np.testing.assert_allclose(stream.values[:, 3:6], gyro, atol=1e-6)
    assert [c.unit for c in stream.channels[6:]] == [NORMALISED] * 3


def test_mt_fine_time_comes_first_and_lost_rows_are_a_gap(tmp_path: Path) -> None:
    path = xsens_mt.write(tmp_path, SHORT, fine=True)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:200] + lines[260:]) + "\n")
    (stream,) = read("xsens-mt", path).streams
    assert stream.rate == 40  # as stated; merging notes that the times say otherwise
    assert np.diff(stream.times).max() == pytest.approx(0.61)


def test_mt_without_a_clock(tmp_path: Path) -> None:
    path = xsens_mt.write(tmp_path, "// Start Time: Unknown\n")
    with pytest.raises(DataError, match="neither SampleTimeFine nor PacketCounter with a stated update rate"):
        read("xsens-mt", path)


def test_mt_orientation_alone_is_nothing(tmp_path: Path) -> None:
    path = xsens_mt.write(tmp_path)
    path.write_text(path.read_text().replace("Acc_", "Ori_").replace("Gyr_", "Ang_"))
    assert not importer("xsens-mt").recognises(path)
    path.write_text(path.read_text().replace("Ori_X", "FreeAcc_X").replace("Mag_", "Foo_"))
    assert [c.name for c in read("xsens-mt", path).streams[0].channels] == ["linear_acc_x"]
    assert read("xsens-mt", path).streams[0].channels[0].frame == "world"


@pytest.mark.parametrize("head", [movella_dot.HEAD, "", "DeviceTag:,1\n"])
def test_dot_turns_degrees_and_wraps_its_clock(head: str, tmp_path: Path) -> None:
    path = movella_dot.write(tmp_path, head)
    assert importer("movella-dot").recognises(path) and not importer("xsens-mt").recognises(path)
    session = read("movella-dot", path)
    (stream,) = session.streams
    acc, gyro = simulate(14, 8, rate=60)
    np.testing.assert_allclose(stream.times, np.arange(len(acc)) / 60, atol=2e-6)
    np.testing.assert_allclose(stream.values[:, 3:6], gyro, atol=1e-6)
    assert stream.rate == (60 if "OutputRate" in head else None)
    assert session.notes[0] == "left out: Euler_X, Status"


def test_dot_of_orientation_alone(tmp_path: Path) -> None:
    path = movella_dot.write(tmp_path)
    path.write_text(path.read_text().replace("Acc_", "Foo_").replace("Gyr_", "Bar_"))
    assert not importer("movella-dot").recognises(path)
    with pytest.raises((DataError, UnitError)):
        read("movella-dot", path)
