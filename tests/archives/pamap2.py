"""A small copy of the archive of pamap2, in its layout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from archives.motion import G, simulate

START = 8.38
BEAT = 11
"""Rows from one value of the heart rate to the next: 9.09 Hz."""
FILES = (("Protocol", 101), ("Protocol", 108), ("Optional", 101))
LABELS = ((0, 200), (1, 500), (24, 300), (0, 200))
"""Activity and rows, one after another."""
SHORT, LONG, QUIET = slice(300, 302), slice(420, 450), slice(600, 700)
"""Rows that the wrist's radio lost, those that the ankle's lost, and those without a heart rate."""


def columns(seed: int) -> np.ndarray:
    """The 54 columns, NaN where something was lost or the slower heart rate has no value."""
    count = sum(rows for _, rows in LABELS)
    rng = np.random.default_rng(seed)
    heart = np.full(count, np.nan)
    heart[::BEAT] = 100 + np.arange(0, count, BEAT) // 100
    heart[QUIET] = np.nan
    sensors = []
    for place in range(3):
        acc, gyro = simulate(count / 100, 10 * seed + place, rate=100)
        if place == 1:  # at the chest y is up, else x
            acc, gyro = acc[:, [1, 0, 2]], gyro[:, [1, 0, 2]]
        acc6 = np.clip(acc * G + rng.normal(0, 0.05, acc.shape), -61.9, 61.9)
        mag = rng.normal(0, 0.5, acc.shape) + np.array([-60.0, -39.0, -58.0])
        sensors.append(
            np.column_stack([np.full(count, 30 + place), acc * G, acc6, gyro, mag, np.tile([1, 0, 0, 0], (count, 1))])
        )
    sensors[0][SHORT] = np.nan
    sensors[2][LONG] = np.nan
    labels = np.repeat([label for label, _ in LABELS], [rows for _, rows in LABELS])
    return np.column_stack([START + np.arange(count) / 100, labels, heart, *sensors])


def line(values: np.ndarray) -> str:
    """A row as the archive writes it: six digits, blanks, and NaN in this spelling."""
    return " ".join("NaN" if np.isnan(value) else f"{value:.6g}" for value in values)


@cache  # many tests damage a copy of it
def _text(seed: int) -> str:
    return "".join(line(row) + "\n" for row in columns(seed))


def write(folder: Path) -> None:
    """Two people, one of them with optional activities too."""
    for seed, (session, subject) in enumerate(FILES):
        path = folder / "PAMAP2_Dataset" / session / f"subject{subject}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(seed))
    (folder / "PAMAP2_Dataset" / "readme.pdf").write_bytes(b"%PDF-1.5\n")
