"""VTT-ConIot: sensors at hip, back and upper arm during construction work (Mäkelä et al. 2022)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.layout import LOST, Layout
from otolith.data.converters.tables import find_folder, read_columns
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import scale_to_si, short_gap, to_uniform
from otolith.types import DataError, UnitError

_SENSORS = {"A{}_g": "g", "G{}_dps": "deg/s", "M{}_uT": "uT"}
_UNITS = ("trousers", "back", "hand")  # in the order of the card: hip, back, upper arm
_COLUMNS = [f"{unit}_{sensor.format(axis)}" for unit in _UNITS for sensor in _SENSORS for axis in "xyz"]
_WIDTH = len(_COLUMNS) // len(_UNITS)
_FILE = re.compile(r"activity_([1-9]\d?)_user_([1-9]\d?)_combined\.csv")
_SECONDS = (54.0, 66.0)


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each file, annotated as a whole.

    Raises:
        DataError: A file is damaged, or is of no activity or user of the dataset.
    """
    inner = ("VTT-ConIot-IMU-Data", "VTT_ConIot_Dataset/VTT-ConIot-IMU-Data", ".")
    folder = find_folder(raw_dir, inner, "activity_*_user_*.csv", card.name)
    files = {}
    for path in folder.glob("activity_*_user_*.csv"):
        match = _FILE.fullmatch(path.name)
        if match is None or match[1] not in card.activities or int(match[2]) > card.subjects:
            raise DataError(
                f"{path} is not of '{card.name}': expected activity_1_user_1_combined.csv to "
                f"activity_{len(card.activities)}_user_{card.subjects}_combined.csv"
            )
        files[int(match[2]), int(match[1])] = path
    for (user, activity), path in sorted(files.items()):
        yield partial(_read, path, f"user{user:02d}", str(activity), card)


def _read(path: Path, subject: str, code: str, card: DatasetCard) -> list[Recording]:
    signal = _signal(path, card.rate)
    whole = Annotation(0.0, len(signal) / card.rate, card.activities[code])
    name = f"{subject}_activity{int(code):02d}"
    return [Recording(signal, card.rate, card.channels, subject, name, (whole,))]


def _signal(path: Path, rate: float) -> NDArray[np.float32]:
    """The signal of a file [T, 27] in SI."""
    # Which columns there are beside these is not known.
    columns = read_columns(path, Layout(dict.fromkeys(_COLUMNS, np.float64), header=True, others=True, lost=LOST))
    values = np.column_stack([columns[name] for name in _COLUMNS])
    empty = np.isnan(values).all(axis=0)
    if empty.any():
        raise DataError(f"{path}: column '{_COLUMNS[int(np.argmax(empty))]}' has no numbers; unpack the archive again")
    if not _SECONDS[0] <= len(values) / rate <= _SECONDS[1]:
        raise DataError(
            f"{path} has {len(values)} rows where a minute at {rate:g} Hz has about {60 * rate:g}, so it is "
            "cut short or of another rate: unpack the archive again"
        )
    for first in range(0, len(_COLUMNS), _WIDTH):
        values[:, first : first + 3] *= _in_g(path, _COLUMNS[first], values[:, first : first + 3])
    units = [unit for unit in _SENSORS.values() for _ in "xyz"] * len(_UNITS)
    times = np.arange(len(values)) / rate
    signal, _ = to_uniform(times, scale_to_si(values, units), rate, short_gap(rate))
    return signal.astype(np.float32)


def _in_g(path: Path, column: str, acceleration: NDArray[np.float64]) -> float:
    """What turns the acceleration of one unit [T, 3] into g.

    The columns say g, but in a plot by others the hip reads 1.9 while the person stands and walks, and never more than
    4.0, which is where a sensor of 2 g ends; another reader of the archive halves all three units. Should the archive
    be mended one day, gravity tells: the median of a minute of such work is close to it.

    Raises:
        UnitError: The values are neither g nor half g.
    """
    felt = np.linalg.norm(acceleration, axis=1)
    felt = felt[np.isfinite(felt)]
    median = float(np.median(felt)) if felt.size else 0.0
    for factor in (0.5, 1.0):
        if 0.7 < median * factor < 1.4:
            return factor
    raise UnitError(
        f"{path}: the acceleration of which '{column}' is a part has a median of {median:.3g} where gravity gives 2 "
        "(half g, as published) or 1 (g); convert it to g"
    )
