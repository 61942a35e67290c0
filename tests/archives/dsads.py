"""A small copy of the archive of dsads, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import G, simulate


def write(folder: Path) -> None:
    """Two recordings of a01 and one of a05 that is padded: four seconds and 25 rows of zeros in each segment."""
    for seed, (activity, person) in enumerate((("a01", "p1"), ("a01", "p2"), ("a05", "p1"))):
        path = folder / "data" / activity / person
        path.mkdir(parents=True)
        acc, gyro = simulate(300, seed, rate=25)
        rows = np.hstack([np.hstack([acc * G, gyro, 0.1 * acc + unit / 10]) for unit in range(5)])
        for segment in range(60):
            part = rows[segment * 125 : segment * 125 + 125].copy()
            if activity == "a05":
                part = np.vstack([rows[segment * 100 : segment * 100 + 100], np.zeros((25, 45))])
            np.savetxt(path / f"s{segment + 1:02d}.txt", part, fmt="%.5g", delimiter=",")
