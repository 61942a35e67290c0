"""A small copy of the archive of vtt_coniot, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import simulate

UNITS = ("trousers", "back", "hand")
FILES = ((1, 1), (16, 1), (6, 13))
"""Activity and user."""


def header(units: tuple[str, ...] = UNITS) -> list[str]:
    """The names of the columns that are known."""
    return [f"{unit}_{name}" for unit in units for name in ("Ax_g", "Ay_g", "Az_g", "Gx_dps", "Gy_dps", "Gz_dps",
            "Mx_uT", "My_uT", "Mz_uT")]  # fmt: skip


def rows(seed: int) -> np.ndarray:
    """A minute of the three units [5999, 27]: half g, deg/s, uT; cut off at 4 half g as in the archive."""
    units = []
    for unit in range(len(UNITS)):
        acc, gyro = simulate(60, 10 * seed + unit, rate=100)
        units.append(np.hstack([np.clip(2 * acc, -4, 4), np.degrees(gyro), 30 + 5 * acc]))
    return np.hstack(units)[:-1]


def write(folder: Path) -> None:
    folder = folder / "VTT_ConIot_Dataset" / "VTT-ConIot-IMU-Data"
    folder.mkdir(parents=True)
    for seed, (activity, user) in enumerate(FILES):
        path = folder / f"activity_{activity}_user_{user}_combined.csv"
        np.savetxt(path, rows(seed), fmt="%.4f", delimiter=",", header=",".join(header()), comments="")
