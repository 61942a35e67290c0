"""phyphox: a simple experiment with accelerometer and gyroscope, exported as CSV with commas."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import G, simulate

EVENTS = [
    ('"START"', "0.000000000E0", "1759650000.000", '"2025-10-05 10:20:00.000 UTC+02:00"'),
    ('"PAUSE"', "1.400000000E1", "1759650014.000", '"2025-10-05 10:20:14.000 UTC+02:00"'),
]


def number(value: float) -> str:
    """Java's DecimalFormat 0.000000000E0."""
    mantissa, exponent = f"{value:.9E}".split("E")
    return f"{mantissa}E{int(exponent)}"


def table(file: Path, names: list[str], rows: np.ndarray, delimiter: str = ",", decimal: str = ".") -> None:
    lines = [delimiter.join(f'"{name}"' for name in names)]
    lines += [delimiter.join("NaN" if np.isnan(v) else number(v).replace(".", decimal) for v in row) for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def names(kind: str, unit: str) -> list[str]:
    return ["Time (s)", *(f"{kind} {axis} ({unit})" for axis in "xyz")]


def write(folder: Path, delimiter: str = ",", decimal: str = ".") -> Path:
    place = folder / "My experiment 2025-10-05 10-20-00"
    (place / "meta").mkdir(parents=True)
    acc, gyro = simulate(14, 6, rate=200)
    times = np.arange(len(acc)) / 200.3 + 0.004
    dialect = (delimiter, decimal)
    table(place / "Accelerometer.csv", names("Acceleration", "m/s^2"), np.column_stack([times, acc * G]), *dialect)
    gyro_rows = np.column_stack([times + 0.002, gyro])
    table(place / "Gyroscope.csv", names("Gyroscope", "rad/s"), gyro_rows, *dialect)
    gravity = np.column_stack([times, np.tile([G, 0, 0], (len(acc), 1))])
    table(place / "Gravity.csv", names("Acceleration", "m/s^2"), gravity, *dialect)
    table(place / "Light.csv", ["Time (s)", "Illuminance (lx)"], np.column_stack([times, times])[::40], *dialect)
    (place / "meta/device.csv").write_text('"property","value"\n"deviceModel","Pixel 6a"\n')
    head = delimiter.join(f'"{name}"' for name in ("event", "experiment time", "system time", "system time text"))
    lines = [delimiter.join([e[0], e[1].replace(".", decimal), e[2].replace(".", decimal), e[3]]) for e in EVENTS]
    (place / "meta/time.csv").write_text("\n".join([head, *lines]) + "\n")
    return place
