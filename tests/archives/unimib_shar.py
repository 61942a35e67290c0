"""A small copy of the archive of unimib_shar, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.matlab import mat_file
from archives.motion import G, simulate

LABELS = [(1, 1, 1), (3, 1, 1), (3, 1, 1), (3, 1, 2), (3, 2, 2), (10, 2, 3), (10, 2, 4), (17, 2, 6)]
"""Activity, subject and trial of each window."""
WINDOW = 151


def window(seed: int) -> np.ndarray:
    """Acceleration [151, 3] in m/s²."""
    return simulate(WINDOW / 50, seed)[0] * G


def write(folder: Path) -> None:
    """Eight windows; labels are whole numbers that MATLAB packs into bytes."""
    data = folder / "UniMiB-SHAR" / "data"
    data.mkdir(parents=True)
    windows = np.stack([window(seed).T.reshape(-1) for seed in range(len(LABELS))])
    (data / "acc_data.mat").write_bytes(mat_file(windows, b"acc_data"))
    (data / "acc_labels.mat").write_bytes(mat_file(np.array(LABELS, "f8"), b"acc_labels", stored="u1"))
    (folder / "UniMiB-SHAR" / "readme.txt").write_text("UniMiB SHAR: a new dataset for human\n")
