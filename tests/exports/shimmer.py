"""Shimmer Consensys: one unit, tabs, the trailing separator that Consensys writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import G, simulate

START_MS = 1_611_327_132_325.5615
SIGNALS = [("Accel_LN", "m/(s^2)"), ("Accel_WR", "m/(s^2)"), ("Gyro", "deg/s"), ("Mag", "local_flux")]


def write(folder: Path, separator: str = "\t", form: str = "CAL", clock: str = "Timestamp_Unix") -> Path:
    path = folder / "S1_Session1_Shimmer_40AC_Calibrated_SD.csv"
    acc, gyro = simulate(14, 11, rate=51.2)
    names = [f"Shimmer_40AC_{clock}_CAL", *(f"Shimmer_40AC_{s}_{a}_{form}" for s, _ in SIGNALS for a in "XYZ")]
    units = ["ms", *(unit for _, unit in SIGNALS for _ in "XYZ")]
    names.append("Shimmer_40AC_Battery_CAL")
    units.append("mV")
    mag = np.tile([0.2, -0.5, 0.7], (len(acc), 1))
    times = START_MS + np.arange(len(acc)) * 1000 / 51.2
    rows = np.column_stack([times, acc * G, acc * G + 0.05, np.degrees(gyro), mag, np.full(len(acc), 4000.0)])
    escaped = separator.replace("\t", "\\t")
    lines = [f'"sep={escaped}"' if separator == "\t" else f"sep={separator}"]
    lines += [separator.join([*cells, ""]) for cells in (names, units)]
    lines += [separator.join([*(repr(v) for v in row), ""]) for row in rows.tolist()]
    path.write_text("\n".join(lines) + "\n")
    return path
