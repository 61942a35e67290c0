"""A small copy of the archive of wisdm, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import G, simulate

START = 252_207_666_810_782


def write(folder: Path) -> None:
    """Two subjects, phone and watch, walking and sitting; the gyroscope starts 30 ms later than the accelerometer.

    In the watch's files of 1601 the sitting has a gap of 0.5 s and comes in two parts, 10 s apart, the later one
    first.
    """
    for subject in (1600, 1601):
        for device, step in (("phone", 50_354_004), ("watch", 49_900_000)):
            for sensor, late in (("accel", 0), ("gyro", 30_000_000)):
                lines = []
                for code, seed in (("A", 1), ("D", 2)):
                    acc, gyro = simulate(30, seed + subject, rate=20)
                    values = acc * G if sensor == "accel" else gyro
                    times = START + late + (seed * 400_000_000_000) + np.arange(len(values), dtype=np.int64) * step
                    rows = np.arange(len(values))
                    if (subject, device, code) == (1601, "watch", "D"):
                        times[300:] += 10_000_000_000
                        rows = np.r_[300:600, 0:100, 110:300]
                    lines += [
                        f"{subject},{code},{times[k]}," + ",".join(f"{v:.8g}" for v in values[k]) + ";" for k in rows
                    ]
                path = folder / "wisdm-dataset" / "raw" / device / sensor / f"data_{subject}_{sensor}_{device}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("\n".join(lines) + "\n")
