"""A small copy of the archive of hapt, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import simulate


def write(folder: Path) -> None:
    raw = folder / "RawData"
    raw.mkdir(parents=True)
    labels = []
    for experiment, user in ((1, 1), (2, 1), (3, 2)):
        for kind, values in zip(("acc", "gyro"), simulate(20, experiment), strict=True):
            np.savetxt(raw / f"{kind}_exp{experiment:02d}_user{user:02d}.txt", values, fmt="%.16g")
        labels += [f"{experiment} {user} 5 11 400", f"{experiment} {user} 7 401 500", f"{experiment} {user} 4 601 1000"]
    (raw / "labels.txt").write_text("\n".join(labels) + "\n")
