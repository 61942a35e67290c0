"""Xsens MT Manager: one MTw tracker, tabs, the long header, no SampleTimeFine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import G, simulate

HEAD = """\
// General information:
//  MT Manager version: 2022.2.0
// Device information:
//  DeviceId: 00B4D6D1
//  ProductCode: MTW2-3A7G6
// Device settings:
//  Filter Profile: human(46.1)
//  Update Rate: 100.0Hz
// Coordinate system: ENU
"""
COLUMNS = [
    "PacketCounter",
    "SampleTimeFine",
    "Acc_X",
    "Acc_Y",
    "Acc_Z",
    "Gyr_X",
    "Gyr_Y",
    "Gyr_Z",
    "Mag_X",
    "Mag_Y",
    "Mag_Z",
    "Mat[1][1]",
]


def write(folder: Path, head: str = HEAD, fine: bool = False) -> Path:
    path = folder / "MT_012005D6-000-00B4D6D1.txt"
    acc, gyro = simulate(14, 7, rate=100)
    mag = np.tile([0.4, -0.2, 0.9], (len(acc), 1))
    lines = ["\t".join(COLUMNS)]
    for row, values in enumerate(np.hstack([acc * G, gyro, mag, np.ones((len(acc), 1))])):
        counter = (65_000 + row) % 65_536
        ticks = str((2**32 - 5000 + row * 100) % 2**32) if fine else ""
        lines.append("\t".join([f"{counter:05d}", ticks, *(f"{value:.6f}" for value in values)]))
    path.write_text(head + "\n".join(lines) + "\n")
    return path
