"""PAMAP2: sensors at wrist, chest and ankle and a heart rate during eighteen activities (Reiss and Stricker 2012)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.layout import Layout
from otolith.data.converters.tables import check_order, find_folder, read_columns
from otolith.data.recording import MIN_SAMPLES, Recording, annotate
from otolith.data.signal import covered, short_gap, to_uniform
from otolith.types import DataError

_SENSOR = (
    "temperature",
    *(f"{sensor}_{axis}" for sensor in ("acc16", "acc6", "gyro", "mag") for axis in "xyz"),
    *(f"orientation_{number}" for number in range(1, 5)),  # invalid in this collection, as the readme says
)
_COLUMNS = ("timestamp", "activity", "heart_rate", *(f"{at}_{n}" for at in ("hand", "chest", "ankle") for n in _SENSOR))
_SIGNALS = ("heart_rate", *(name for name in _COLUMNS[3:] if "orientation" not in name))
_LOST = "NaN"
_NULL = "0"
_FILE = re.compile(r"subject10[1-9]\.dat")
_SESSIONS = ("Protocol", "Optional")

_RATES = (80.0, 110.0)
_SPLIT_SECONDS = 2.0
"""Longer gaps end a recording."""
_SHORTEST_SECONDS = 1.0


class _Rows(NamedTuple):
    """Rows of a file: seconds [T], activities [T], from 1 those of the card, heart rate and other signals [T, 40]."""

    times: NDArray[np.float64]
    activities: NDArray[np.int16]
    signals: NDArray[np.float32]


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """Two recordings for each file and stretch of it, of the sensors and of the heart rate, which share a session.

    Raises:
        DataError: A file is damaged or is of nobody in the dataset.
    """
    inner = (".", "PAMAP2_Dataset", "PAMAP2_Dataset/PAMAP2_Dataset")
    folder = find_folder(raw_dir, inner, "Protocol/subject*.dat", card.name)
    for session in _SESSIONS:
        for path in sorted((folder / session).glob("subject*.dat")):
            if not _FILE.fullmatch(path.name):
                raise DataError(f"{path} is not of '{card.name}': subjects are subject101 to subject109")
            yield partial(_read, path, f"{session.lower()}_{path.stem}", card)


def _read(path: Path, session: str, card: DatasetCard) -> Iterator[Recording]:
    whole = _load(path, card)
    for number, rows in enumerate(_stretches(path, whole), start=1):
        name = session + (f"_{number}" if number > 1 else "")
        told = np.isfinite(rows.signals[:, 0])  # one row in eleven has a heart rate
        for part, times, values, channels in (
            (name, rows.times, rows.signals[:, 1:], card.channels[:-1]),
            (f"{name}_heart_rate", rows.times[told], rows.signals[told, :1], card.channels[-1:]),
        ):
            # A sensor whose connection was lost throughout has nothing to say.
            heard = np.asarray(np.isfinite(values).any(axis=0))
            kept = tuple(channel for channel, there in zip(channels, heard, strict=True) if there)
            if not kept or times[-1] - times[0] < MIN_SAMPLES / card.rate_of(kept):
                continue
            rate, offset = card.rate_of(kept), float(times[0] - whole.times[0])
            # The readme's units are SI, and the numbers bear them out: at rest |acc| is 9.8, the accelerometers are cut
            # off at 157 and 62 m/s^2 (16 g and a little above 6 g), and turns reach 17, which is nothing in deg/s.
            signal, start = to_uniform(times, values if heard.all() else values[:, heard], rate, short_gap(rate))
            # Transient activities stay unannotated; the last row lasts as long as any.
            duration = min(float(rows.times[-1]) + 1 / card.rate - start, len(signal) / rate)
            notes = annotate(rows.activities, rows.times - start, duration, ("", *card.activities.values()))
            single = signal.astype(np.float32, copy=False)
            yield Recording(single, rate, kept, path.stem, part, notes, session, offset)


def _load(path: Path, card: DatasetCard) -> _Rows:
    """The file's rows: as text the largest has 207 MB.

    Raises:
        DataError: It is damaged, an activity is unknown, or a time is lost or goes back.
    """
    kinds = dict.fromkeys(_COLUMNS, None) | dict.fromkeys(_SIGNALS, np.float32)
    layout = Layout(
        {**kinds, "timestamp": np.float64, "activity": (_NULL, *card.activities)}, delimiter=" ", lost=(_LOST,)
    )
    columns = read_columns(path, layout)
    rows = _Rows(columns["timestamp"], columns["activity"], np.column_stack([columns[name] for name in _SIGNALS]))
    if np.isnan(rows.times).any():
        line = int(np.argmax(np.isnan(rows.times))) + 1
        raise DataError(f"{path}, line {line}: there is no timestamp; unpack the archive again")
    check_order(path, "time", rows.times, line=1)
    return rows


def _stretches(path: Path, rows: _Rows) -> list[_Rows]:
    """The rows between long gaps, each at about 100 Hz."""
    found = []
    for (used,) in covered([rows.times], _SPLIT_SECONDS, _SHORTEST_SECONDS):
        piece = _Rows._make(column[used] for column in rows)
        rate = (len(piece.times) - 1) / float(piece.times[-1] - piece.times[0])
        if not _RATES[0] <= rate <= _RATES[1]:
            raise DataError(
                f"{path}: the timestamps from {piece.times[0]:.2f} s on give {rate:.1f} Hz where 100 Hz is expected, "
                "so samples are missing, or the times are not in s; unpack the archive again"
            )
        found.append(piece)
    if not found:
        raise DataError(f"{path} has no second of signal without a gap: unpack the archive again")
    return found
