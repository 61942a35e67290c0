"""Empatica E4: the files of E4 connect."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import simulate

START = 1_544_027_337.0


def table(file: Path, start: float, rate: float, values: np.ndarray, form: str) -> None:
    width = values.shape[1]
    head = [", ".join([f"{start:.6f}"] * width), ", ".join([f"{rate:.6f}"] * width)]
    file.write_text("\n".join([*head, *(",".join(form.format(v) for v in row) for row in values.tolist())]) + "\n")


def write(folder: Path) -> Path:
    place = folder / "1544027337_A01F11"
    place.mkdir()
    acc, _ = simulate(16, 10, rate=32)
    table(place / "ACC.csv", START, 32, np.round(acc * 64).astype(int), "{}")
    table(place / "HR.csv", START + 10, 1, np.linspace(70, 80, 10)[:, None], "{:.2f}")
    table(place / "TEMP.csv", START, 4, np.full((64, 1), 31.5), "{:.2f}")
    table(place / "EDA.csv", START, 4, np.full((64, 1), 0.3), "{:.6f}")
    table(place / "BVP.csv", START, 64, np.zeros((1024, 1)), "{:.2f}")
    (place / "IBI.csv").write_text(f"{START:.6f}, IBI\n7.1,0.9\n")
    (place / "tags.csv").write_text(f"{START + 5:.2f}\n")
    (place / "info.txt").write_text("ACC.csv\nData from 3-axis accelerometer sensor. The unit is 1/64g.\n")
    return place
