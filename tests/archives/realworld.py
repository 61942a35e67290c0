"""A small copy of the archive of realworld, in its layout."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from archives.motion import G, simulate

START = 1_435_993_159_412  # ms
HEADER = "id,attr_time,attr_x,attr_y,attr_z"
POSITIONS = ("chest", "forearm", "head", "shin", "thigh", "upperarm", "waist")
TITLES = {"acc": "acc", "gyr": "Gyroscope", "mag": "MagneticField"}
SECONDS = 12


def table(values: np.ndarray, times: np.ndarray) -> str:
    """Numbers from 1, milliseconds, single precision as short as it can be; no line end after the last line."""
    numbers = values.astype(np.float32).astype(str)
    rows = (f"{k},{t:.0f},{','.join(xyz)}" for k, (t, xyz) in enumerate(zip(times, numbers, strict=True), start=1))
    return "\n".join([HEADER, *rows])


def zipped(files: dict[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def sensors(seed: int, late: float = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Values and stamps of each sensor; each starts 20 ms after the one before, and stamps shake by 2 ms."""
    acc, gyro = simulate(SECONDS, seed)
    field = np.tile([20.0, -30.0, 35.0], (len(acc), 1)) + 0.1 * gyro
    shake = np.random.default_rng(seed).integers(0, 3, len(acc))
    return {
        sensor: (values, START + late + 20 * order + 20.02 * np.arange(len(acc)) + shake)
        for order, (sensor, values) in enumerate({"acc": acc * G, "gyr": gyro, "mag": field}.items())
    }


def tables(
    activity: str, seed: int, number: str = "", late: float = 0, positions: tuple[str, ...] = POSITIONS
) -> dict[str, dict[str, str]]:
    """By sensor and name; each device starts 100 ms after the one before.

    The phone on the shin is busy for a second and a half, and hands over afterwards what has gathered meanwhile.
    """
    found: dict[str, dict[str, str]] = {sensor: {} for sensor in TITLES}
    for order, position in enumerate(POSITIONS):
        if position in positions:
            for sensor, (values, times) in sensors(seed + order, late + 100 * order).items():
                if position == "shin":
                    times[300:375] = times[375] - 75 + np.arange(75)
                found[sensor][f"{TITLES[sensor]}_{activity}{number}_{position}.csv"] = table(values, times)
    return found


def write(folder: Path) -> None:
    """Two people, and the oddities: no forearm, three parts in zips within zips, a part 2 that is the only one."""
    data = {person: folder / person / "data" for person in ("proband1", "proband2", "proband4")}
    for place in data.values():
        place.mkdir(parents=True)
    no_forearm = tuple(position for position in POSITIONS if position != "forearm")
    for person, activity, number, seed, positions in (
        ("proband1", "walking", "", 0, POSITIONS),
        ("proband1", "lying", "", 10, POSITIONS),
        ("proband2", "climbingup", "", 20, no_forearm),
        ("proband4", "walking", "_2", 30, POSITIONS),
    ):
        for sensor, files in tables(activity, seed, number, positions=positions).items():
            path = data[person] / f"{sensor}_{activity}_csv.zip"
            path.write_bytes(zipped({"readMe": "Device: a phone\n", **files}))
    light = "id,attr_time,attr_light\n1,1435993159412,40.0"
    (data["proband1"] / "lig_walking_csv.zip").write_bytes(zipped({"Light_walking_chest.csv": light}))
    (data["proband1"] / "gps_walking_csv.zip").write_bytes(zipped({"GPS_walking_chest.csv": "id,attr_time"}))
    outer: dict[str, dict[str, str | bytes]] = {sensor: {} for sensor in TITLES}
    for part in (1, 2, 3):
        number = f"_{part}" if part > 1 else ""
        for sensor, files in tables("climbingup", 40 + 10 * part, number, 300_000 * part, ("chest", "waist")).items():
            # Only of the accelerometer is the first zip numbered; the tables in it are not.
            own = "_1" if part == 1 and sensor == "acc" else number
            outer[sensor][f"{sensor}_climbingup{own}_csv.zip"] = zipped(dict(files))
    for sensor, zips in outer.items():
        (data["proband4"] / f"{sensor}_climbingup_csv.zip").write_bytes(zipped(zips))
