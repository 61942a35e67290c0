"""A person's own logger: a folder with a table for each sensor, and beside it the mapping of their columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import simulate

BEGAN_MS = 1_700_000_000_000
MAPPING = """
files:
  "acc*.csv":
    columns:
      X (mg): {sensor: acc, axis: x, unit: mg, gravity: true}
      Y (mg): {sensor: acc, axis: y, unit: mg, gravity: true}
      Z (mg): {sensor: acc, axis: z, unit: mg, gravity: true}
    label: what
  gyro.csv:
    columns:
      X: {sensor: gyro, axis: x, unit: deg/s}
      Y: {sensor: gyro, axis: y, unit: deg/s}
      Z: {sensor: gyro, axis: z, unit: deg/s}
  heart.csv:
    columns:
      bpm: {sensor: heart_rate, unit: bpm}
time: ms
time_unit: ms
device: data logger
"""


def write(folder: Path) -> Path:
    """One session; the gyroscope begins 0.3 s late and has a clock of its own, the heart rate comes once a second."""
    session = folder / "ride"
    session.mkdir(parents=True)
    acc, gyro = simulate(20, 5, rate=100)
    ms = BEGAN_MS + np.round(np.arange(len(acc)) * 10)
    words = np.where(np.arange(len(acc)) < 1000, "cycling", "")
    rows = [f"{t:.0f},{x:.5f},{y:.5f},{z:.5f},{w}" for t, (x, y, z), w in zip(ms, acc * 1000, words, strict=True)]
    (session / "acc_2023-11-14.csv").write_text("\n".join(["ms,X (mg),Y (mg),Z (mg),what", *rows]) + "\n")
    late = np.degrees(gyro[30:])
    rows = [f"{t + 4:.0f};{x:.5f};{y:.5f};{z:.5f}" for t, (x, y, z) in zip(ms[30:], late, strict=True)]
    (session / "gyro.csv").write_text("\n".join(["ms;X;Y;Z", *rows]) + "\n")
    rows = [f"{BEGAN_MS + 1000 * s + 500},{70 + s}" for s in range(19)]
    (session / "heart.csv").write_text("\n".join(["ms,bpm", *rows]) + "\n")
    (folder / "mapping.yaml").write_text(MAPPING)
    return session
