"""VTT-ConIot: sensors at hip, back and upper arm during construction work (Mäkelä et al. 2022)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.tables import find_folder
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import scale_to_si, to_uniform
from otolith.types import DataError, UnitError

_SENSORS = {"A{}_g": "g", "G{}_dps": "deg/s", "M{}_uT": "uT"}
_UNITS = ("trousers", "back", "hand")  # in the order of the card: hip, back, upper arm
_COLUMNS = [f"{unit}_{sensor.format(axis)}" for unit in _UNITS for sensor in _SENSORS for axis in "xyz"]
_WIDTH = len(_COLUMNS) // len(_UNITS)
_FILE = re.compile(r"activity_([1-9]\d?)_user_([1-9]\d?)_combined\.csv")
_MISSING = ["", "nan", "NaN"]

_MOST_BYTES = 64 << 20
_SECONDS = (54.0, 66.0)
_BRIDGE_SAMPLES = 3
"""Gaps of up to this many sampling intervals are filled in linearly; longer ones become NaN."""


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each file, annotated as a whole.

    Raises:
        DataError: A file is damaged, or is of no activity or user of the dataset.
    """
    inner = ("VTT-ConIot-IMU-Data", "VTT_ConIot_Dataset/VTT-ConIot-IMU-Data", ".")
    candidates = [f"{base}/{folder}" for base in (".", card.name) for folder in inner]
    folder = find_folder(raw_dir, candidates, "activity_*_user_*.csv", card.name)
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


@np.errstate(over="ignore")  # nonsense becomes infinite, which no recording accepts
def _signal(path: Path, rate: float) -> NDArray[np.float32]:
    """The signal of a file [T, 27] in SI."""
    values = _table(path)
    if not _SECONDS[0] <= len(values) / rate <= _SECONDS[1]:
        raise DataError(
            f"{path} has {len(values)} rows where a minute at {rate:g} Hz has about {60 * rate:g}, so it is "
            "cut short or of another rate: unpack the archive again"
        )
    for first in range(0, len(_COLUMNS), _WIDTH):
        values[:, first : first + 3] *= _in_g(path, _COLUMNS[first], values[:, first : first + 3])
    units = [unit for unit in _SENSORS.values() for _ in "xyz"] * len(_UNITS)
    times = np.arange(len(values)) / rate
    signal, _ = to_uniform(times, scale_to_si(values, units), rate, (_BRIDGE_SAMPLES + 0.5) / rate)
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


def _table(path: Path) -> NDArray[np.float64]:
    """The columns of `_COLUMNS` as [rows, columns]; NaN where a cell is empty.

    Raises:
        DataError: The file is damaged or too large, or a column is missing or empty.
    """
    kinds = dict.fromkeys(_COLUMNS, pa.float64())
    with path.open("rb") as file:
        if file.seek(0, io.SEEK_END) > _MOST_BYTES:
            raise DataError(f"{path} has more than {_MOST_BYTES} bytes, so it is none of the archive: unpack it again")
        file.seek(0)
        try:
            table = csv.read_csv(
                file,
                read_options=csv.ReadOptions(use_threads=False),
                convert_options=csv.ConvertOptions(
                    column_types=kinds, include_columns=_COLUMNS, include_missing_columns=True, null_values=_MISSING
                ),
            )
        except pa.ArrowInvalid as error:
            what = "".join(character for character in " ".join(str(error).split()) if character.isprintable())
            raise DataError(f"{path} is damaged ({what[:160]}): unpack the archive again") from error
    numbers = np.column_stack([column.to_numpy() for column in table.columns])
    empty = np.isnan(numbers).all(axis=0)
    if empty.any():
        name = _COLUMNS[int(np.argmax(empty))]
        raise DataError(f"{path}: column '{name}' is missing or has no numbers; unpack the archive again")
    return numbers
