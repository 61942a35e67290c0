"""A small copy of the archive of mhealth, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import G, simulate

PEOPLE = (1, 2, 10)
LABELS = ((0, 100), (1, 400), (0, 100), (11, 300), (12, 100))
"""Label and rows, one after another; 12 follows 11 at once."""


def field(seed: int, count: int) -> np.ndarray:
    """The magnetometer in units of the local field; a new sample ten times a second."""
    steps = np.random.default_rng(seed).normal(0, 0.01, (-(-count // 5), 3))
    return np.repeat(steps + np.array([-0.21, -0.89, -0.51]), 5, axis=0)[:count]


def columns(person: int) -> np.ndarray:
    """The 24 columns: chest upside down, ECG, then acceleration, magnetometer and gyroscope (deg/s) of two limbs."""
    count = sum(rows for _, rows in LABELS)
    chest, ankle, wrist = (simulate(count / 50, 10 * person + k) for k in range(3))
    ecg = np.random.default_rng(person).normal(0, 0.2, (count, 2))
    limbs = [
        np.hstack([acc[:, [1, 0, 2]] * [1, -1, 1] * G, field(person, count), np.degrees(gyro)])
        for acc, gyro in (ankle, wrist)
    ]
    labels = np.repeat([label for label, _ in LABELS], [rows for _, rows in LABELS])
    return np.column_stack([chest[0] * [-1, 1, 1] * G, ecg, *limbs, labels])


def write(folder: Path) -> None:
    """Three people, of whom the tenth comes before the second by name."""
    archive = folder / "MHEALTHDATASET"
    archive.mkdir(parents=True)
    (archive / "README.txt").write_bytes(b"\nAuthors: Oresti Ba\xf1os, Rafael Garcia, Alejandro Saez\n")
    for person in PEOPLE:
        np.savetxt(archive / f"mHealth_subject{person}.log", columns(person), fmt="%.5g", delimiter="\t")
