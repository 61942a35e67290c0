"""A small copy of the archive of ku_har, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import G, simulate

FILES = (("0.Stand", "1002_A_6"), ("0.Stand", "1101_A_1"), ("12.Walk-backwards", "1002_M_1"), ("9.Push-up", "1002_J_2"))


def rows(seed: int, seconds: float = 12) -> np.ndarray:
    """Rows of a file: times to the millisecond, in s; m/s^2 without gravity, rad/s; the gyroscope is late and slower.

    Now and then the clock of the accelerometer hands out a time twice.
    """
    acc, gyro = simulate(seconds, seed, rate=100)
    index = np.arange(len(acc))
    acc_times, gyro_times = np.round(0.006 + index * 0.01, 3), np.round(0.010 + index * 0.01004, 3)
    acc_times[50::100] = acc_times[49::100]
    still = np.random.default_rng(seed).normal(0, 0.02, acc.shape)
    return np.column_stack([acc_times, (acc - [1.0, 0.0, 0.0]) * G + still, gyro_times, gyro])


def write(folder: Path) -> None:
    for seed, (activity, name) in enumerate(FILES):
        path = folder / "1.Raw_time_domian_data" / activity / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, rows(seed), fmt="%.8g", delimiter=",")
