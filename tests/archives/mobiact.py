"""A small copy of the archive of mobiact (v2.0), in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import G, simulate

HEADER = "timestamp,rel_time,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z,azimuth,pitch,roll,label"
START = 46_449_824_617_000  # ns since the phone was switched on
RATE = 200
SECONDS = 10
LYING_DOWN = ("STD", "FOL", "LYI")
LEAVING_HOME = ("STD", "WAL", "STN", "WAL", "STD", "CSI", "SIT", "CSO", "STD")

RAW = """#Acceleration force along the x y z axes (including gravity).
#timestamp(ns),x,y,z(m/s^2)
#Datetime: 02/06/2014 15:24:25
##########################################
#Activity: 10 - FOL - Forward-lying - 10s
#Subject ID: 1
#First Name: sub1
#Last Name: sub1
#Age: 32
#Height(cm): 180
#Weight(kg): 85
#Gender: Male
##########################################

@DATA
46449824617000, 9.829816, 0.96881, 0.0358477
46449834843000, 9.8358477, 0.982825, 0.08529817
"""


def clock(seed: int) -> np.ndarray:
    """Nanoseconds of each row; every 5 ms, give or take 0.1 ms."""
    shake = np.random.default_rng(seed).integers(-100, 100, SECONDS * RATE)
    return START + (np.arange(SECONDS * RATE) * 5_000 + shake) * 1_000


def angles() -> np.ndarray:
    """Azimuth, pitch and roll in degrees: the person turns right through north, the phone stands on its side."""
    seconds = np.arange(SECONDS * RATE) / RATE
    return np.column_stack([(350 + 4 * seconds) % 360, -1.5 + 0.1 * seconds, 88 - 0.1 * seconds])


def table(labels: tuple[str, ...], seed: int) -> str:
    acc, gyro = simulate(SECONDS, seed, rate=RATE)
    stamps = clock(seed)
    numbers = np.hstack([acc * G, gyro, angles()]).astype(np.float32).astype(str)
    names = [labels[k * len(labels) // len(stamps)] for k in range(len(stamps))]
    rows = (
        f"{stamp},{(stamp - stamps[0]) / 1e9},{','.join(row)},{name}"
        for stamp, row, name in zip(stamps.tolist(), numbers, names, strict=True)
    )
    return "\n".join([HEADER, *rows]) + "\n"


def write(folder: Path) -> None:
    """Trials of two people, a fall and a scenario, beside the raw data that they are made from."""
    root = folder / "MobiAct_Dataset_v2.0"
    for seed, (code, person, trial, labels) in enumerate(
        (
            ("WAL", 1, 1, ("WAL",)),
            ("WAL", 12, 1, ("WAL",)),
            ("STU", 1, 6, ("STU",)),
            ("FOL", 1, 2, LYING_DOWN),
            ("SLH", 12, 1, LEAVING_HOME),
        )
    ):
        path = root / "Annotated Data" / code / f"{code}_{person}_{trial}_annotated.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(table(labels, seed))
    raw = root / "Raw Data" / "FOL" / "FOL_acc_1_2.txt"
    raw.parent.mkdir(parents=True)
    raw.write_text(RAW)
    (root / "Readme.txt").write_text("===========================MobiActDataset===========================\n")
