"""RecGym: three units with IMU and body capacitance during eleven gym workouts (Bian et al. 2022)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.layout import LOST, Layout
from otolith.data.converters.tables import find_folder, read_blocks
from otolith.data.recording import Recording, annotate, runs
from otolith.data.signal import short_gap, to_uniform
from otolith.types import DataError

_FILE = "RecGym.csv"
_IMU = [f"{sensor}_{axis}" for sensor in ("A", "G") for axis in "xyz"]
_SIGNALS = [*_IMU, "C_1"]
_OTHER_COLUMNS = {"Object": "Subject"}
_OTHER_WORKOUTS = {"StairsClimber": "StairClimber"}
"""Names on the page of the UCI repository and on that of the authors that differ from those in the file."""
_PLACEMENTS = {"wrist": "wrist", "pocket": "pocket", "leg": "calf"}
_PAUSE = "Null"
_REST = 0.5
_MOST_ROWS = 12 * 3600 * 20  # of one session, which lasts about an hour


class _Key(NamedTuple):
    """What a recording is known by: number of the subject, position, number of the session."""

    subject: int
    position: str
    session: int


class _Piece(NamedTuple):
    """Successive rows of one recording: workouts by their place in `_workouts`, and values."""

    key: _Key
    workouts: NDArray[np.int16]
    values: NDArray[np.float32]


def parts(raw_dir: Path, card: DatasetCard) -> list[Part]:
    """One file with a recording for each subject, session and position; it is read in blocks.

    Raises:
        DataError: The file is missing or damaged, or has a workout or a position that is unknown.
    """
    folder = find_folder(raw_dir, (".",), _FILE, card.name)
    return [partial(_read, folder / _FILE, card)]


def _read(path: Path, card: DatasetCard) -> Iterator[Recording]:
    stretches: Counter[_Key] = Counter()
    for key, pieces in groupby(_pieces(path, card), key=attrgetter("key")):
        stretches[key] += 1
        yield _recording(path, key, stretches[key], pieces, card)


def _recording(path: Path, key: _Key, number: int, pieces: Iterator[_Piece], card: DatasetCard) -> Recording:
    found: list[_Piece] = []
    rows = 0
    for piece in pieces:
        found.append(piece)
        rows += len(piece.values)
        if rows > _MOST_ROWS:
            raise DataError(
                f"{path}: session {key.session} of subject {key.subject} has more than {_MOST_ROWS} rows, which is "
                "half a day: it is not the published file"
            )
    signal, seconds = np.concatenate([piece.values for piece in found]), np.arange(rows) / card.rate
    if np.isnan(signal).any() and rows > 1:
        signal, _ = to_uniform(seconds, signal, card.rate, short_gap(card.rate))
    # Each column was scaled from its smallest and largest value to 0..1. In a plot by others the resting wrist reads
    # 0.500 on all six axes, and another reader of the file found a median distance of 0.013 from there at rest, where
    # gravity would be 0.06 in a range of 8 g to either side. So 0.5 is the zero, and gravity was removed. What is zero
    # for C_1 is not known.
    signal[:, : len(_IMU)] -= _REST
    channels = tuple(channel for channel in card.channels if channel.placement == _PLACEMENTS[key.position])
    activities = [card.activities.get(_OTHER_WORKOUTS.get(word, word), "") for word in _workouts(card)]
    notes = annotate(np.concatenate([piece.workouts for piece in found]), seconds, rows / card.rate, activities)
    subject = f"subject{key.subject:02d}"
    name = f"{subject}_session{key.session}_{key.position}" + (f"_{number}" if number > 1 else "")
    return Recording(signal, card.rate, channels, subject, name, notes)


def _pieces(path: Path, card: DatasetCard) -> Iterator[_Piece]:
    """The file's rows in order, cut where subject, position or session change; as a whole it has 475 MB.

    Raises:
        DataError: The file is damaged, or a workout, a position or a subject is unknown.
    """
    layout = Layout(
        {
            "Subject": tuple(str(number) for number in range(1, card.subjects + 1)),
            "Position": tuple(_PLACEMENTS),
            "Session": np.int64,
            **dict.fromkeys(_SIGNALS, np.float32),
            "Workout": _workouts(card),
        },
        header=True,
        others=True,
        aliases=_OTHER_COLUMNS,
        lost=LOST,
    )
    for _, block in read_blocks(path, layout):
        values = np.column_stack([block[name] for name in _SIGNALS])
        keys = [block[name] for name in ("Subject", "Position", "Session")]
        for start, stop in runs(*keys):
            subject, position, session = (int(column[start]) for column in keys)
            key = _Key(1 + subject, list(_PLACEMENTS)[position], session)
            yield _Piece(key, block["Workout"][start:stop], values[start:stop])


def _workouts(card: DatasetCard) -> tuple[str, ...]:
    """The words of the file's last column."""
    return (*card.activities, _PAUSE, *_OTHER_WORKOUTS)
