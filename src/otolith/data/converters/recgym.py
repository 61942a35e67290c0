"""RecGym: three units with IMU and body capacitance during eleven gym workouts (Bian et al. 2022)."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.tables import find_folder
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import to_uniform
from otolith.types import DataError

_FILE = "RecGym.csv"
_IMU = [f"{sensor}_{axis}" for sensor in ("A", "G") for axis in "xyz"]
_SIGNALS = [*_IMU, "C_1"]
_KINDS = {
    "Subject": pa.int64(),
    "Position": pa.dictionary(pa.int32(), pa.string()),
    "Session": pa.int64(),
    **dict.fromkeys(_SIGNALS, pa.float32()),
    "Workout": pa.dictionary(pa.int32(), pa.string()),
}
_ALIASES = {"Object": "Subject", "StairsClimber": "StairClimber"}
"""Names on the page of the UCI repository and on that of the authors that differ from those in the file."""
_PLACEMENTS = {"wrist": "wrist", "pocket": "pocket", "leg": "calf"}
_PAUSE = "Null"
_REST = 0.5
_MISSING = ["", "nan", "NaN"]

_BLOCK_BYTES = 4 << 20
_HEADER_BYTES = 4096
_MOST_ROWS = 12 * 3600 * 20  # of one session, which lasts about an hour
_BRIDGE_SAMPLES = 3
"""Gaps of up to this many sampling intervals are filled in linearly; longer ones become NaN."""


class _Key(NamedTuple):
    """What a recording is known by."""

    subject: int
    position: str
    session: int


class _Piece(NamedTuple):
    """Successive rows of one recording with the same workout."""

    key: _Key
    workout: str
    signal: NDArray[np.float32]


def parts(raw_dir: Path, card: DatasetCard) -> list[Part]:
    """One file with a recording for each subject, session and position; it is read in blocks.

    Raises:
        DataError: The file is missing or damaged, or has a workout or a position that is unknown.
    """
    folder = find_folder(raw_dir, (".", card.name), _FILE, card.name)
    return [partial(_read, folder / _FILE, card)]


def _read(path: Path, card: DatasetCard) -> Iterator[Recording]:
    stretches: Counter[_Key] = Counter()
    for key, pieces in groupby(_pieces(path, card), key=attrgetter("key")):
        stretches[key] += 1
        yield _recording(path, key, stretches[key], pieces, card)


def _recording(path: Path, key: _Key, number: int, pieces: Iterator[_Piece], card: DatasetCard) -> Recording:
    signals: list[NDArray[np.float32]] = []
    notes: list[Annotation] = []
    rows = 0
    for piece in pieces:
        start, rows = rows, rows + len(piece.signal)
        if rows > _MOST_ROWS:
            raise DataError(
                f"{path}: session {key.session} of subject {key.subject} has more than {_MOST_ROWS} rows, which is "
                "half a day: it is not the published file"
            )
        signals.append(piece.signal)
        activity = card.activities.get(piece.workout)
        if activity and notes and notes[-1].activity == activity and notes[-1].end == start / card.rate:
            start = round(notes.pop().start * card.rate)  # a workout that goes on in the next block
        if activity:
            notes.append(Annotation(start / card.rate, rows / card.rate, activity))
    signal = np.concatenate(signals)
    if np.isnan(signal).any() and rows > 1:
        signal, _ = to_uniform(np.arange(rows) / card.rate, signal, card.rate, (_BRIDGE_SAMPLES + 0.5) / card.rate)
    # Each column was scaled from its smallest and largest value to 0..1. In a plot by others the resting wrist reads
    # 0.500 on all six axes, and another reader of the file found a median distance of 0.013 from there at rest, where
    # gravity would be 0.06 in a range of 8 g to either side. So 0.5 is the zero, and gravity was removed. What is zero
    # for C_1 is not known.
    signal[:, : len(_IMU)] -= _REST
    channels = tuple(channel for channel in card.channels if channel.placement == _PLACEMENTS[key.position])
    subject = f"subject{key.subject:02d}"
    name = f"{subject}_session{key.session}_{key.position}" + (f"_{number}" if number > 1 else "")
    return Recording(signal, card.rate, channels, subject, name, tuple(notes))


def _pieces(path: Path, card: DatasetCard) -> Iterator[_Piece]:
    """The file's rows in order, cut where subject, position, session or workout change.

    Raises:
        DataError: The file is damaged, or a workout, a position or a subject is unknown.
    """
    line = 2
    for block in _blocks(path):
        codes = np.column_stack([_codes(path, line, block, name) for name in (*_Key._fields, "workout")])
        values = np.column_stack([block[name].to_numpy(zero_copy_only=False) for name in _SIGNALS])
        cuts = np.flatnonzero((codes[1:] != codes[:-1]).any(axis=1)) + 1
        for start, stop in pairwise([0, *cuts.tolist(), len(values)]):
            key = _Key(
                block["Subject"][start].as_py(), block["Position"][start].as_py(), block["Session"][start].as_py()
            )
            workout = block["Workout"][start].as_py()
            workout = _ALIASES.get(workout, workout)
            _check(f"{path}, line {line + start}", key, workout, card)
            yield _Piece(key, workout, values[start:stop])
        line += len(values)


def _codes(path: Path, line: int, block: pa.RecordBatch, field: str) -> NDArray[np.int64]:
    """A number for each row that tells the values of a column apart."""
    column = block[field.capitalize()]
    if column.null_count:
        empty = line + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise DataError(f"{path}, line {empty}: there is no {field}; download the file again")
    numbers = column.indices if isinstance(column, pa.DictionaryArray) else column
    return np.asarray(numbers.to_numpy(), dtype=np.int64)


def _check(where: str, key: _Key, workout: str, card: DatasetCard) -> None:
    for kind, value, known in (
        ("workout", workout, (*card.activities, _PAUSE)),
        ("position", key.position, tuple(_PLACEMENTS)),
        ("subject", str(key.subject), tuple(str(k) for k in range(1, card.subjects + 1))),
    ):
        if value not in known:
            raise DataError(f"{where}: {kind} {value[:40]!r} is not one of {', '.join(known)}")


def _blocks(path: Path) -> Iterator[pa.RecordBatch]:
    """The file's rows with the columns of `_KINDS`, some megabytes at a time: as a whole it has 475 MB."""
    rows = 0
    try:
        with path.open("rb") as file:
            names = _header(path, file.read(_HEADER_BYTES))
            file.seek(0)
            blocks = csv.open_csv(
                file,
                read_options=csv.ReadOptions(
                    column_names=names, skip_rows=1, use_threads=False, block_size=_BLOCK_BYTES
                ),
                parse_options=csv.ParseOptions(quote_char=False),
                convert_options=csv.ConvertOptions(
                    column_types=_KINDS, include_columns=list(_KINDS), null_values=_MISSING
                ),
            )
            for block in blocks:
                rows += block.num_rows
                yield block
    except pa.ArrowInvalid as error:
        what = "".join(character for character in " ".join(str(error).split()) if character.isprintable())
        raise DataError(f"{path} is damaged ({what[:160]}): download it again") from error
    if not rows:
        raise DataError(f"{path} has no rows: download it again")


def _header(path: Path, head: bytes) -> list[str]:
    """The names of the columns, each as it is called in `_KINDS`."""
    line = io.TextIOWrapper(io.BytesIO(head), encoding="utf-8-sig", errors="replace").readline()
    names = [_ALIASES.get(name, name) for name in (cell.strip().strip('"') for cell in line.split(","))]
    for wanted in _KINDS:
        if names.count(wanted) != 1:
            raise DataError(
                f"{path}, line 1: there must be one column '{wanted}', not {names.count(wanted)}; download it again"
            )
    return names
