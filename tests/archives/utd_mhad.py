"""A small copy of the archive of utd_mhad, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.matlab import mat_file
from archives.motion import simulate

SECONDS, FRAMES = 6, 115
"""19 frames a second, as in the archive, not the 30 of the camera."""


def walk(frames: int) -> np.ndarray:
    """A skeleton [20, 3, frames] in metres, all of whose joints go 1 m from right to left at an even pace."""
    body = np.linspace([0.0, 0.5, 2.8], [0.1, -1.1, 2.9], 20)
    skeleton = np.repeat(body[:, :, None], frames, axis=2)
    skeleton[:, 0] -= np.arange(frames) / frames
    return skeleton


def write(folder: Path) -> None:
    """Five trials; the sensor is on the wrist up to action 21."""
    for kind in ("Inertial", "Skeleton"):
        (folder / kind).mkdir(parents=True)
    (folder / "Skeleton" / "Skeleton_joint_order.txt").write_text("The skeleton joint order in UTD-MAD dataset:\n")
    for seed, (action, person, trial) in enumerate(((1, 1, 1), (1, 1, 2), (21, 2, 1), (22, 2, 1), (27, 1, 4))):
        acc, gyro = simulate(SECONDS, seed)
        name = f"a{action}_s{person}_t{trial}"
        felt = mat_file(np.hstack([acc, np.degrees(gyro)]), b"d_iner")
        (folder / "Inertial" / f"{name}_inertial.mat").write_bytes(felt)
        (folder / "Skeleton" / f"{name}_skeleton.mat").write_bytes(mat_file(walk(FRAMES), b"d_skel"))
