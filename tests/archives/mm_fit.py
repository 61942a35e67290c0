"""A small copy of the archive of mm_fit, in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archives.motion import G, simulate

SECONDS = 24
EPOCH = 1_562_790_870_000
"""When the session begins, in ms since 1970."""
FIRST_FRAME = 4040
LOST = (12.0, 12.5)
"""Seconds in which the camera lost what it saw; its frames are numbered on as if nothing was."""
FRAME_TIMES = np.concatenate([np.arange(0, LOST[0], 1 / 30), np.arange(LOST[1], SECONDS, 1 / 30)])
SETS = {"w00": [(2, 8, "squats"), (10, 14, "jumping_jacks")], "w03": [(4, 9, "bicep_curls"), (16, 20, "situps")]}
DEVICES = {
    "w00": {"sw_l": (0.0, 103), "sw_r": (0.4, 103), "sp_r": (0.2, 217), "eb_l": (0.1, 91.5)},
    "w03": {"sw_l": (0.0, 103), "sp_l": (0.3, 500)},
}
"""Start in seconds and rate of the devices that a workout has."""


def frame(seconds: float | np.ndarray) -> np.ndarray:
    """The camera's frame at a time."""
    return FIRST_FRAME + np.searchsorted(FRAME_TIMES, seconds, side="right") - 1


def felt(workout: str, device: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seconds of the session [T], acceleration in m/s² and rate of turn in rad/s [T, 3] of a device."""
    start, rate = DEVICES[workout][device]
    acc, gyro = simulate(SECONDS - start, ord(workout[2]) + len(device + workout) + int(rate), rate=rate)
    return start + np.arange(len(acc)) / rate, acc * G, gyro


def table(seconds: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.column_stack([frame(seconds), np.round(EPOCH + seconds * 1000), values])


def skeleton() -> np.ndarray:
    """[3, frames, 18] in mm; all joints go 1 m to the right at an even pace."""
    count = len(FRAME_TIMES)
    body = np.linspace([0, 0, 900], [-200, -50, 1200], 17).T
    pose = np.empty((3, count, 18))
    pose[:, :, 0] = FIRST_FRAME + np.arange(count)
    pose[:, :, 1:] = body[:, None, :]
    pose[0, :, 1:] += (FRAME_TIMES / SECONDS * 1000)[:, None]
    return pose


def write(folder: Path) -> None:
    """Two workouts. A watch repeats some times, a phone's files end in a number, its magnetometer is slower."""
    for workout, devices in DEVICES.items():
        place = folder / "mm-fit" / workout
        place.mkdir(parents=True)
        for device in devices:
            seconds, acc, gyro = felt(workout, device)
            end = "_0" if device == "sp_l" else ""
            acc_table = table(seconds, acc)
            acc_table[500:900:100, 1] = acc_table[499:899:100, 1]
            np.save(place / f"{workout}_{device}_acc{end}.npy", acc_table)
            np.save(place / f"{workout}_{device}_gyr{end}.npy", table(seconds, gyro)[:-1])
            if device.startswith("sp"):
                slow = seconds[::2]
                np.save(
                    place / f"{workout}_{device}_mag{end}.npy", table(slow, np.column_stack([slow, slow + 10, -slow]))
                )
        pose = skeleton()
        np.save(place / f"{workout}_pose_3d.npy", pose)
        np.save(place / f"{workout}_pose_2d.npy", np.concatenate([pose[:2], pose[:2, :, :1]], axis=2))
        rows = [f"{frame(start)},{frame(end)},10,{name}\n" for start, end, name in SETS[workout]]
        (place / f"{workout}_labels.csv").write_text("".join(rows))
    beats = np.arange(0.3, SECONDS, 0.966)
    np.save(folder / "mm-fit" / "w00" / "w00_sw_l_hr.npy", table(beats, 90 + beats))
