"""Movella DOT: a recording from the sensor's memory, custom mode, as the Data Exporter writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import G, simulate

HEAD = """\
sep=,
DeviceTag:,DOT 3
FirmwareVersion:,2.4.0
AppVersion:,2023.6.0
SyncStatus:,Synced
OutputRate:,60 Hz
FilterProfile:,General
MeasurementMode:,Sensor fusion Mode - Custom mode 1

"""
COLUMNS = [
    "PacketCounter",
    "SampleTimeFine",
    "Euler_X",
    "Acc_X",
    "Acc_Y",
    "Acc_Z",
    "Gyr_X",
    "Gyr_Y",
    "Gyr_Z",
    "Mag_X",
    "Mag_Y",
    "Mag_Z",
    "Status",
]


def write(folder: Path, head: str = HEAD) -> Path:
    path = folder / "D422CD0011_20240301_120000.csv"
    acc, gyro = simulate(14, 8, rate=60)
    mag = np.tile([0.4, -0.2, 0.9], (len(acc), 1))
    lines = [",".join(COLUMNS)]
    for row, values in enumerate(np.hstack([acc * G, np.degrees(gyro), mag])):
        ticks = (2**32 - 3_000_000 + round(row * 1e6 / 60)) % 2**32
        lines.append(",".join([str(row + 1), str(ticks), "0.5", *(f"{value:.6f}" for value in values), "0"]))
    path.write_text(head + "\n".join(lines) + "\n")
    return path
