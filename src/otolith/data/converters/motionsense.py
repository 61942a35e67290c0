"""MotionSense: an iPhone in the front trouser pocket, six activities (Malekzadeh et al. 2018, 2019)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.tables import find_folder, read_numbers
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import add_gravity, from_core_motion, scale_to_si
from otolith.types import DataError

_COLUMNS = (
    "",  # the row number, from 0
    *(f"attitude.{angle}" for angle in ("roll", "pitch", "yaw")),
    *(f"{vector}.{axis}" for vector in ("gravity", "rotationRate", "userAcceleration") for axis in "xyz"),
)
_TRIAL = re.compile(r"([a-z]{3})_(\d+)")
_SUBJECT = re.compile(r"sub_(\d+)\.csv")
# The official archive unpacks to a folder of the same name inside itself when a tool adds one of its own.
_NESTING = ("", "A_DeviceMotion_data", "A_DeviceMotion_data/A_DeviceMotion_data")


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each trial of each subject, annotated as a whole.

    Raises:
        DataError: A file is missing or damaged, or a trial's code is unknown.
    """
    folder = find_folder(raw_dir, _NESTING, "*_*/sub_*.csv", card.name)
    trials = _trials(folder, card)
    subjects = sorted({subject for files in trials.values() for subject in files})
    for (code, trial), files in sorted(trials.items()):
        for subject in subjects:
            path = files.get(subject, folder / f"{code}_{trial}" / f"sub_{subject}.csv")
            yield partial(_read, path, code, f"sub_{subject}", f"{code}_{trial}_sub_{subject}", card)


def _read(path: Path, code: str, subject: str, name: str, card: DatasetCard) -> list[Recording]:
    signal = _signal(read_numbers(path, _COLUMNS, header=True)).astype(np.float32)
    whole = Annotation(0.0, len(signal) / card.rate, card.activities[code])
    return [Recording(signal, card.rate, card.channels, subject, name, (whole,))]


def _trials(folder: Path, card: DatasetCard) -> dict[tuple[str, int], dict[int, Path]]:
    trials: dict[tuple[str, int], dict[int, Path]] = {}
    for path in sorted(folder.glob("*_*/sub_*.csv")):
        trial, subject = _TRIAL.fullmatch(path.parent.name), _SUBJECT.fullmatch(path.name)
        if trial is None or trial[1] not in card.activities:
            raise DataError(
                f"{path.parent}: '{path.parent.name}' is not a trial of '{card.name}'; "
                f"its code must be one of {', '.join(card.activities)}"
            )
        if subject is not None:
            trials.setdefault((trial[1], int(trial[2])), {})[int(subject[1])] = path
    return trials


def _signal(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns in the order of the card: acc, gyro, attitude, acceleration without gravity."""
    roll, pitch, yaw = rows[:, 1:4].T
    # Core Motion documents gravity and userAcceleration in G's and rotationRate in rad/s.
    gravity = scale_to_si(from_core_motion(rows[:, 4:7]), ["g"] * 3)
    user = scale_to_si(from_core_motion(rows[:, 10:13]), ["g"] * 3)
    attitude = np.column_stack([pitch, roll, yaw])  # turns about x, y and z
    return np.hstack([add_gravity(user, gravity), rows[:, 7:10], attitude, user])
