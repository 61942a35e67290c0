"""A small copy of the archive of motionsense, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import simulate

HEADER = (
    ",attitude.roll,attitude.pitch,attitude.yaw,gravity.x,gravity.y,gravity.z,rotationRate.x,rotationRate.y,"
    "rotationRate.z,userAcceleration.x,userAcceleration.y,userAcceleration.z"
)


def write(folder: Path) -> None:
    for seed, (trial, subject) in enumerate((t, s) for t in ("wlk_7", "sit_5", "jog_9") for s in (1, 2, 10)):
        path = folder / "A_DeviceMotion_data" / trial / f"sub_{subject}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        acc, gyro = simulate(12, seed)
        gravity = np.tile([-1.0, 0.0, 0.0], (len(acc), 1))  # Core Motion: towards the ground
        attitude = np.tile([0.1, 0.2, 0.3], (len(acc), 1)) + 0.01 * gyro
        rows = np.hstack([np.arange(len(acc))[:, None], attitude, gravity, gyro, -acc - gravity])
        np.savetxt(path, rows, fmt=["%d"] + ["%.6f"] * 12, delimiter=",", header=HEADER, comments="")
