"""A small copy of the archive of uci_har, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import simulate

LABELS = ("WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING")
PEOPLE = {"train": (1, 3), "test": (2,)}
STRETCHES = ((5, 5, 0), (5, 4, 1), (1, 3, 2))
"""Activity, windows and seed of each stretch that a person's windows are cut from; two stretches of standing follow."""


def stretch(windows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Acceleration [T, 3] in g and rate of turn in rad/s of a stretch that gives so many windows."""
    return simulate((windows + 1) * 64 / 50, seed)


def write(folder: Path) -> None:
    root = folder / "UCI HAR Dataset"
    root.mkdir(parents=True)
    (root / "activity_labels.txt").write_text("".join(f"{k} {name}\n" for k, name in enumerate(LABELS, start=1)))
    for side, people in PEOPLE.items():
        (root / side / "Inertial Signals").mkdir(parents=True)
        columns: list[list[int]] = [[], []]
        windows = []
        for person in people:
            for activity, count, seed in STRETCHES:
                acc, gyro = stretch(count, 10 * person + seed)
                signal = np.hstack([acc, gyro, acc - [1, 0, 0]])
                windows += [signal[64 * k : 64 * k + 128] for k in range(count)]
                columns[0] += [person] * count
                columns[1] += [activity] * count
        for name, column in zip(("subject", "y"), columns, strict=True):
            (root / side / f"{name}_{side}.txt").write_text("".join(f"{value}\n" for value in column))
        signals = [f"{kind}_{axis}" for kind in ("total_acc", "body_gyro", "body_acc") for axis in "xyz"]
        for name, values in zip(signals, np.moveaxis(np.array(windows), 2, 0), strict=True):
            lines = ("".join(_number(value) for value in row) for row in values)
            path = root / side / "Inertial Signals" / f"{name}_{side}.txt"
            path.write_text("".join(line + "\n" for line in lines))


def _number(value: float) -> str:
    """Sixteen characters, the exponent in three digits as its authors' computer writes it."""
    mantissa, exponent = f"{value:.7e}".split("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:]:0>3}".rjust(16)
