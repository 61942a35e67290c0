"""Small copies of the archives of those datasets that no package carries, exactly in the layout of the archives."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from otolith.data.registry import CARDS

Writers = dict[str, Callable[[Path], None]]
Archives = Callable[[str], Path | None]
Motion = Callable[..., tuple[np.ndarray, np.ndarray]]

MOTIONSENSE_HEADER = (
    ",attitude.roll,attitude.pitch,attitude.yaw,gravity.x,gravity.y,gravity.z,rotationRate.x,rotationRate.y,"
    "rotationRate.z,userAcceleration.x,userAcceleration.y,userAcceleration.z"
)
TUG_HEADER = "x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label"
WISDM_START = 252_207_666_810_782
G = 9.80665


def simulate(seconds: float, seed: int, rate: float = 50) -> tuple[np.ndarray, np.ndarray]:
    """Specific force in g of a device that stands on its x axis and is moved in every second two seconds; rad/s."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    moving = (np.arange(count) // (2 * rate) % 2)[:, None]
    acc = [1.0, 0.0, 0.0] + moving * rng.normal(0, 0.3, (count, 3))
    return acc, moving * rng.normal(0, 1.0, (count, 3)) + rng.normal(0, 0.01, (count, 3))


def write_hapt(folder: Path) -> None:
    raw = folder / "RawData"
    raw.mkdir(parents=True)
    labels = []
    for experiment, user in ((1, 1), (2, 1), (3, 2)):
        for kind, values in zip(("acc", "gyro"), simulate(20, experiment), strict=True):
            np.savetxt(raw / f"{kind}_exp{experiment:02d}_user{user:02d}.txt", values, fmt="%.16g")
        labels += [f"{experiment} {user} 5 11 400", f"{experiment} {user} 7 401 500", f"{experiment} {user} 4 601 1000"]
    (raw / "labels.txt").write_text("\n".join(labels) + "\n")


def write_motionsense(folder: Path) -> None:
    for seed, (trial, subject) in enumerate((t, s) for t in ("wlk_7", "sit_5", "jog_9") for s in (1, 2, 10)):
        path = folder / "A_DeviceMotion_data" / trial / f"sub_{subject}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        acc, gyro = simulate(12, seed)
        gravity = np.tile([-1.0, 0.0, 0.0], (len(acc), 1))  # Core Motion: towards the ground
        attitude = np.tile([0.1, 0.2, 0.3], (len(acc), 1)) + 0.01 * gyro
        rows = np.hstack([np.arange(len(acc))[:, None], attitude, gravity, gyro, -acc - gravity])
        np.savetxt(path, rows, fmt=["%d"] + ["%.6f"] * 12, delimiter=",", header=MOTIONSENSE_HEADER, comments="")


def write_dsads(folder: Path) -> None:
    """Two recordings of a01 and one of a05 that is padded: four seconds and 25 rows of zeros in each segment."""
    for seed, (activity, person) in enumerate((("a01", "p1"), ("a01", "p2"), ("a05", "p1"))):
        path = folder / "data" / activity / person
        path.mkdir(parents=True)
        acc, gyro = simulate(300, seed, rate=25)
        rows = np.hstack([np.hstack([acc * G, gyro, 0.1 * acc + unit / 10]) for unit in range(5)])
        for segment in range(60):
            part = rows[segment * 125 : segment * 125 + 125].copy()
            if activity == "a05":
                part = np.vstack([rows[segment * 100 : segment * 100 + 100], np.zeros((25, 45))])
            np.savetxt(path / f"s{segment + 1:02d}.txt", part, fmt="%.5g", delimiter=",")


def write_wisdm(folder: Path) -> None:
    """Two subjects, phone and watch, walking and sitting; the gyroscope starts 30 ms later than the accelerometer.

    In the watch's files of 1601 the sitting has a gap of 0.5 s and comes in two parts, 10 s apart, the later one
    first.
    """
    for subject in (1600, 1601):
        for device, step in (("phone", 50_354_004), ("watch", 49_900_000)):
            for sensor, late in (("accel", 0), ("gyro", 30_000_000)):
                lines = []
                for code, seed in (("A", 1), ("D", 2)):
                    acc, gyro = simulate(30, seed + subject, rate=20)
                    values = acc * G if sensor == "accel" else gyro
                    times = (
                        WISDM_START + late + (seed * 400_000_000_000) + np.arange(len(values), dtype=np.int64) * step
                    )
                    rows = np.arange(len(values))
                    if (subject, device, code) == (1601, "watch", "D"):
                        times[300:] += 10_000_000_000
                        rows = np.r_[300:600, 0:100, 110:300]
                    lines += [
                        f"{subject},{code},{times[k]}," + ",".join(f"{v:.8g}" for v in values[k]) + ";" for k in rows
                    ]
                path = folder / "wisdm-dataset" / "raw" / device / sensor / f"data_{subject}_{sensor}_{device}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("\n".join(lines) + "\n")


def write_tug(folder: Path) -> None:
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
            path.write_text("\n".join([TUG_HEADER, *rows]) + "\n")


def mat_file(values: np.ndarray, name: bytes = b"d_iner") -> bytes:
    """A MATLAB 5 file as MATLAB writes it: header, one compressed element, in it a matrix of doubles."""
    data = np.asfortranarray(values, "<f8").tobytes("F")
    rows, columns = values.shape
    inner = struct.pack("<4I2I2i2I8s2I", 6, 8, 6, 0, 5, 8, rows, columns, 1, 6, name, 9, len(data)) + data
    packed = zlib.compress(struct.pack("<2I", 14, len(inner)) + inner)
    header = b"MATLAB 5.0 MAT-file, Platform: PCWIN64, Created on: Thu Jan 15 10:00:00 2015".ljust(124) + b"\x00\x01IM"
    return header + struct.pack("<2I", 15, len(packed)) + packed


def write_utd_mhad(folder: Path) -> None:
    (folder / "Inertial").mkdir(parents=True)
    for seed, (action, person, trial) in enumerate(((1, 1, 1), (1, 1, 2), (21, 2, 1), (22, 2, 1), (27, 1, 4))):
        acc, gyro = simulate(6, seed)
        path = folder / "Inertial" / f"a{action}_s{person}_t{trial}_inertial.mat"
        path.write_bytes(mat_file(np.hstack([acc, np.degrees(gyro)])))


WRITERS: Writers = {
    "hapt": write_hapt,
    "motionsense": write_motionsense,
    "dsads": write_dsads,
    "wisdm": write_wisdm,
    "tug": write_tug,
    "utd_mhad": write_utd_mhad,
}


@pytest.fixture(scope="session")
def writers() -> Writers:
    """For each dataset that no package carries, what writes a few recordings as the archive lays them out."""
    return WRITERS


@pytest.fixture(scope="session")
def motion() -> Motion:
    """`simulate`, which the archives are made with."""
    return simulate


@pytest.fixture(scope="session")
def mat() -> Callable[..., bytes]:
    """`mat_file`, which the files of UTD-MHAD are made with."""
    return mat_file


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    """The folder of a dataset's small archive; None where a package carries the dataset. Read only."""
    made: dict[str, Path] = {}

    def archive(name: str) -> Path | None:
        if CARDS[name].package:
            return None
        if name not in made:
            made[name] = tmp_path_factory.mktemp("raw") / name
            WRITERS[name](made[name])
        return made[name]

    return archive
