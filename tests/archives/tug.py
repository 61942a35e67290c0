"""A small copy of the archive of tug, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import G, simulate

HEADER = "x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label"


def write(folder: Path) -> None:
    """Three executions of two subjects; every tenth of a second a batch of samples arrives at once."""
    for seed, (subject, execution) in enumerate((("s01", "01"), ("s01", "02"), ("s02", "01"))):
        for device, rate in (("sp", 102.44), ("sw", 104.28)):
            acc, gyro = simulate(12, seed, rate=rate)
            index = np.arange(len(acc))
            # ms; of each ten samples, the sixth to the tenth arrive together
            ms = 1_657_533_977_813 + np.round((index + np.where(index % 10 > 4, 9 - index % 10, 0)) / rate * 1000)
            names = np.array(["SEATED", "STANDING_UP", "WALKING", "TURNING", "WALKING", "SITTING_DOWN", "SEATED"])
            labels = names[np.minimum(index * 7 // len(acc), 6)]
            path = folder / "DATA" / subject / f"{subject}_{execution}_{device}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = [
                ",".join([*(repr(float(v)) for v in (*a, *w)), f"{t:.0f}", label])
                for a, w, t, label in zip(acc * G, gyro, ms, labels, strict=True)
            ]
            path.write_text("\n".join([HEADER, *rows]) + "\n")
