"""Sensor Logger on an iPhone: acceleration without gravity and gravity apart, in Core Motion's sign, x last."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import G, simulate

EPOCH_NS = 1_698_501_144_401_773_000
METADATA = (
    "version,device name,recording epoch time,recording time,recording timezone,platform,appVersion,device id,sensors,"
    "sampleRateMs,standardisation\n"
    "3,iPhone 13,1698501144185,2023-10-28_13-52-24,Europe/London,{platform},1.29.1,XYZ,Accelerometer|Gravity,10|10,"
    "{standardisation}\n"
)


def table(file: Path, stamps: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    lines = [",".join(["time", "seconds_elapsed", *columns])]
    for row, stamp in enumerate(stamps.tolist()):
        values = [repr(float(column[row])) for column in columns.values()]
        lines.append(",".join([str(stamp), repr((stamp - EPOCH_NS + 216_772_949) / 1e9), *values]))
    file.write_text("\n".join(lines) + "\n")


def axes(values: np.ndarray) -> dict[str, np.ndarray]:
    return {"z": values[:, 2], "y": values[:, 1], "x": values[:, 0]}


def write(folder: Path, platform: str = "ios", standardisation: str = "false") -> Path:
    place = folder / "2023-10-28_13-52-24"
    place.mkdir()
    acc, gyro = simulate(14, 5, rate=100)
    gravity = np.tile([1.0, 0.0, 0.0], (len(acc), 1))
    sign = -G if (platform, standardisation) == ("ios", "false") else G
    stamps = EPOCH_NS + (np.arange(len(acc)) * 10_004_321).astype(np.int64)
    (place / "Metadata.csv").write_text(METADATA.format(platform=platform, standardisation=standardisation))
    table(place / "Accelerometer.csv", stamps, axes((acc - gravity) * sign))
    table(place / "Gravity.csv", stamps, axes(gravity * sign))
    if platform == "android":
        table(place / "TotalAcceleration.csv", stamps + 2_000_000, axes(acc * sign))
    table(place / "Gyroscope.csv", stamps + 3_000_000, axes(gyro))
    table(place / "Magnetometer.csv", stamps[::2], axes(np.tile([20.0, 5.0, -40.0], (len(acc), 1))))
    table(place / "HeartRate.csv", stamps[::100], {"bpm": np.linspace(70, 80, len(acc))[::100]})
    table(place / "Location.csv", stamps[::100], {"latitude": np.full(len(acc), 51.5)})
    (place / "Annotation.csv").write_text(f"time,seconds_elapsed,text\n{EPOCH_NS},0.2,walk\n")
    return place
