"""A small copy of the archive of hhar, in its layout, with the ways of its devices' clocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archives.motion import G, simulate

HEADER = "Index,Arrival_Time,Creation_Time,x,y,z,User,Model,Device,gt"
START = 1_424_696_633_908  # ms, when the first sample of every device was taken
UPTIME = 27_920.678471  # s, since a device was switched on
SECONDS = 16


def motion(seed: int, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a device feels at these times: acceleration in m/s^2 and rate of turn in rad/s."""
    acc, gyro = simulate(SECONDS, seed)
    grid = np.arange(len(acc)) / 50
    return tuple(np.stack([np.interp(seconds, grid, column) for column in v.T], 1) for v in (acc * G, gyro))


@dataclass
class Take:
    """What one device of a person recorded.

    Attributes:
        user: The person.
        device: Its name.
        seed: Of the motion.
        rates: Samples per second of accelerometer and gyroscope; zero where there is none.
        creation: From the times in s, and whether it is the gyroscope, to seconds on the device's own clock.
        asleep: From when to when nothing was recorded.
        late: How long after it was taken each sample arrived, in s.
    """

    user: str
    device: str
    seed: int
    rates: tuple[float, float]
    creation: Callable[[np.ndarray, bool], np.ndarray]
    asleep: tuple[tuple[float, float], ...] = ()
    late: Callable[[np.ndarray], np.ndarray] = np.zeros_like

    def rows(self, sensor: int) -> list[str]:
        if not self.rates[sensor]:
            return []
        seconds = np.arange(round(SECONDS * self.rates[sensor])) / self.rates[sensor]
        for start, end in self.asleep:
            seconds = seconds[(seconds < start) | (seconds >= end)]
        values = np.round(motion(self.seed, seconds)[sensor], 7).tolist()
        arrival = (START + 1000 * (seconds + self.late(seconds))).astype(np.int64).tolist()
        creation = np.round(1e6 * self.creation(seconds, sensor == 1)).astype(np.int64) * 1000
        words = np.array(["null", "stand", "walk", "null"])[np.searchsorted([1, 9, 15], seconds, side="right")]
        who = f"{self.user},{self.device.split('_')[0]},{self.device}"
        table = zip(arrival, creation.tolist(), values, words.tolist(), strict=True)
        return [f"{k},{a},{c},{x!r},{y!r},{z!r},{who},{word}" for k, (a, c, (x, y, z), word) in enumerate(table)]


def jumping(seconds: np.ndarray, gyro: bool) -> np.ndarray:
    """The time of day, for the first rows 2^17 s early, as on nexus4_1 of person a."""
    return START / 1000 - 2 + seconds - np.where(seconds < 0.165, 2.0**17, 0)


def sleeping(seconds: np.ndarray, gyro: bool) -> np.ndarray:
    """A clock that stands still while the device sleeps, as on the S3: from 3 to 4 s and from 9 to 12 s."""
    return UPTIME + seconds - np.clip(seconds - 3, 0, 1) - np.clip(seconds - 9, 0, 3)


def awake(seconds: np.ndarray, gyro: bool) -> np.ndarray:
    """Since the device was switched on; the gyroscope counts from elsewhere."""
    return UPTIME + seconds + (5000 if gyro else 0)


def in_bursts(seconds: np.ndarray) -> np.ndarray:
    """Of every two seconds, what is taken in the last half arrives at once at their end."""
    return np.where(seconds % 2 > 1.5, 2 - seconds % 2, 0)


PHONES = (
    Take("d", "nexus4_1", 1, (198.6, 198.6), jumping, asleep=((10, 15),)),
    Take("d", "samsungold_1", 2, (50, 0), lambda seconds, gyro: UPTIME + seconds),
    Take("e", "s3_1", 3, (98.9, 198), sleeping, asleep=((3, 4), (9, 12))),
    Take("i", "s3mini_2", 4, (0.5, 0.5), awake),
    Take("i", "nexus4_2", 5, (198.6, 198.6), awake),
)
WATCHES = (
    Take("d", "gear_1", 6, (100, 100), awake),
    Take("i", "lgwatch_1", 7, (200, 200), awake, late=in_bursts),
)


def write(folder: Path) -> None:
    root = folder / "Activity recognition exp"
    root.mkdir(parents=True)
    for prefix, takes in (("Phones", PHONES), ("Watch", WATCHES)):
        for number, sensor in enumerate(("accelerometer", "gyroscope")):
            lines = [HEADER, *(row for take in takes for row in take.rows(number))]
            (root / f"{prefix}_{sensor}.csv").write_text("\n".join(lines) + "\n")
