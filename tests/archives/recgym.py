"""A small copy of the archive of recgym, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import simulate

HEADER = "Subject,Position,Session,A_x,A_y,A_z,G_x,G_y,G_z,C_1,Workout"
RUNS = ((1, "wrist", 1), (1, "leg", 1), (1, "wrist", 2), (10, "pocket", 1))


def values(seed: int, seconds: float = 20) -> np.ndarray:
    """IMU without gravity and capacitance [T, 7], each column scaled to 0..1 with rest at 0.5."""
    acc, gyro = simulate(seconds, seed, rate=20)
    imu = np.hstack([acc - [1.0, 0.0, 0.0], gyro])
    capacitance = np.random.default_rng(seed).uniform(0.2, 0.9, len(acc))
    return np.column_stack([0.5 + imu / (2.1 * np.abs(imu).max()), capacitance])


def write(folder: Path) -> None:
    """Four recordings: a pause, ten seconds of a workout, a pause, four seconds of another."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [HEADER]
    for seed, (subject, position, session) in enumerate(RUNS):
        workouts = ["Null"] * 60 + ["ArmCurl"] * 200 + ["Null"] * 60 + ["StairClimber"] * 80
        for row, workout in zip(values(seed), workouts, strict=True):
            numbers = ",".join(f"{value:.6f}" for value in row)
            lines.append(f"{subject},{position},{session},{numbers},{workout}")
    (folder / "RecGym.csv").write_text("\n".join(lines) + "\n")
