"""PAMAP2: sensors at wrist, chest and ankle and a heart rate during eighteen activities (Reiss and Stricker 2012)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.tables import find_folder, read_numbers
from otolith.data.recording import MIN_SAMPLES, Annotation, Recording
from otolith.data.signal import to_uniform
from otolith.types import DataError

_SENSOR = (
    "temperature",
    *(f"{sensor}_{axis}" for sensor in ("acc16", "acc6", "gyro", "mag") for axis in "xyz"),
    *(f"orientation_{number}" for number in range(1, 5)),  # invalid in this collection, as the readme says
)
_COLUMNS = ("timestamp", "activity", "heart_rate", *(f"{at}_{n}" for at in ("hand", "chest", "ankle") for n in _SENSOR))
_SIGNALS = ("heart_rate", *(name for name in _COLUMNS[3:] if "orientation" not in name))
_MISSING = "NaN"
_FILE = re.compile(r"subject10[1-9]\.dat")
_SESSIONS = ("Protocol", "Optional")

_BLOCK_BYTES = 1 << 20
_MOST_ROWS = 2_000_000  # the longest file has 447,000
_END_OF_TIME = 1e9  # s
_RATES = (80.0, 110.0)
_BRIDGE_SAMPLES = 3
"""Gaps of up to this many sampling intervals are filled in linearly; longer ones become NaN."""
_SPLIT_SECONDS = 2.0
"""Longer gaps end a recording."""
_SHORTEST_SECONDS = 1.0


class _Stretch(NamedTuple):
    """Rows without a long gap: seconds [T], codes of activities [T], heart rate and the other signals [T, 40]."""

    times: NDArray[np.float64]
    activities: NDArray[np.float64]
    signals: NDArray[np.float32]


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """Two recordings for each file and stretch of it, of the sensors and of the heart rate, which share a session.

    Raises:
        DataError: A file is damaged or is of nobody in the dataset.
    """
    inner = ("", "PAMAP2_Dataset", "PAMAP2_Dataset/PAMAP2_Dataset")
    candidates = [f"{base}/{nested}" for base in (".", card.name) for nested in inner]
    folder = find_folder(raw_dir, candidates, "Protocol/subject*.dat", card.name)
    for session in _SESSIONS:
        for path in sorted((folder / session).glob("subject*.dat")):
            if not _FILE.fullmatch(path.name):
                raise DataError(f"{path} is not of '{card.name}': subjects are subject101 to subject109")
            yield partial(_read, path, f"{session.lower()}_{path.stem}", card)


def _read(path: Path, session: str, card: DatasetCard) -> Iterator[Recording]:
    rows = _load(path)
    _check(path, rows, card)
    for number, stretch in enumerate(_stretches(path, rows), start=1):
        name = session + (f"_{number}" if number > 1 else "")
        told = np.isfinite(stretch.signals[:, 0])  # one row in eleven has a heart rate
        for part, times, values, channels in (
            (name, stretch.times, stretch.signals[:, 1:], card.channels[:-1]),
            (f"{name}_heart_rate", stretch.times[told], stretch.signals[told, :1], card.channels[-1:]),
        ):
            # A sensor whose connection was lost throughout has nothing to say.
            heard = np.asarray(np.isfinite(values).any(axis=0))
            kept = tuple(channel for channel, there in zip(channels, heard, strict=True) if there)
            if not kept or times[-1] - times[0] < MIN_SAMPLES / card.rate_of(kept):
                continue
            rate, offset = card.rate_of(kept), float(times[0] - rows.times[0])
            # The readme's units are SI, and the numbers bear them out: at rest |acc| is 9.8, the accelerometers are cut
            # off at 157 and 62 m/s^2 (16 g and a little above 6 g), and turns reach 17, which is nothing in deg/s.
            max_gap = (_BRIDGE_SAMPLES + 0.5) / rate
            signal, start = to_uniform(times, values if heard.all() else values[:, heard], rate, max_gap)
            notes = tuple(_annotations(stretch, start, len(signal) / rate, card))
            single = signal.astype(np.float32, copy=False)
            yield Recording(single, rate, kept, path.stem, part, notes, session, offset)


def _load(path: Path) -> _Stretch:
    """The file's rows, read in blocks: as text the largest has 207 MB."""
    kinds = {"timestamp": pa.float64(), "activity": pa.float64(), **dict.fromkeys(_SIGNALS, pa.float32())}
    clocks, codes, signals, rows = [], [], [], 0
    try:
        with path.open("rb") as file:
            blocks = csv.open_csv(
                file,
                read_options=csv.ReadOptions(column_names=list(_COLUMNS), use_threads=False, block_size=_BLOCK_BYTES),
                parse_options=csv.ParseOptions(delimiter=" ", quote_char=False),
                convert_options=csv.ConvertOptions(column_types=kinds, include_columns=list(kinds), null_values=[]),
            )
            for block in blocks:
                rows += block.num_rows
                if rows > _MOST_ROWS:
                    raise DataError(f"{path} has more than {_MOST_ROWS} lines: it is no file of this archive")
                clock, code, *values = (column.to_numpy() for column in block.columns)
                clocks.append(clock)
                codes.append(code)
                signals.append(np.column_stack(values))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise DataError(f"{path} is missing: unpack the whole archive again") from error
    except pa.ArrowInvalid as error:
        raise _damage(path) from error
    if not rows or any(np.isinf(block).any() for block in signals):
        raise _damage(path)
    return _Stretch(np.concatenate(clocks), np.concatenate(codes), np.concatenate(signals))


def _damage(path: Path) -> DataError:
    """What is wrong with a file that cannot be read."""
    try:
        read_numbers(path, _COLUMNS, delimiter=" ", missing=_MISSING)
    except DataError as error:
        return error
    return DataError(f"{path} cannot be read as a table of {len(_COLUMNS)} numbers a line: unpack the archive again")


def _check(path: Path, rows: _Stretch, card: DatasetCard) -> None:
    """Refuses what no file of the archive has: times that are lost or go back, and unknown activities."""
    timed = np.abs(rows.times) < _END_OF_TIME
    if not timed.all():
        line = int(np.argmin(timed))
        raise DataError(f"{path}, line {line + 1}: the timestamp '{rows.times[line]:g}' is no time in seconds")
    back = np.diff(rows.times) < 0
    if back.any():
        raise DataError(f"{path}, line {int(np.argmax(back)) + 2}: time goes back; unpack the archive again")
    strange = ~np.isin(rows.activities, [0, *(int(code) for code in card.activities)])
    if strange.any():
        line = int(np.argmax(strange))
        raise DataError(
            f"{path}, line {line + 1}: activity {rows.activities[line]:g} is not one of 0, {', '.join(card.activities)}"
        )


def _stretches(path: Path, rows: _Stretch) -> list[_Stretch]:
    """The rows between long gaps, each at about 100 Hz."""
    cuts = [0, *(np.flatnonzero(np.diff(rows.times) > _SPLIT_SECONDS) + 1).tolist(), len(rows.times)]
    pieces = [_Stretch(rows.times[a:b], rows.activities[a:b], rows.signals[a:b]) for a, b in pairwise(cuts)]
    found = [piece for piece in pieces if piece.times[-1] - piece.times[0] >= _SHORTEST_SECONDS]
    for piece in found:
        rate = (len(piece.times) - 1) / float(piece.times[-1] - piece.times[0])
        if not _RATES[0] <= rate <= _RATES[1]:
            raise DataError(
                f"{path}: the timestamps from {piece.times[0]:.2f} s on give {rate:.1f} Hz where 100 Hz is expected, "
                "so samples are missing, or the times are not in s; unpack the archive again"
            )
    if not found:
        raise DataError(f"{path} has no second of signal without a gap: unpack the archive again")
    return found


def _annotations(stretch: _Stretch, start: float, seconds: float, card: DatasetCard) -> Iterator[Annotation]:
    """What was done, in seconds of a recording that begins at `start`; transient activities stay unannotated."""
    codes = stretch.activities
    cuts = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist()]
    ends = [*stretch.times[cuts[1:]].tolist(), float(stretch.times[-1]) + 1 / card.rate]
    for first, end in zip(cuts, ends, strict=True):
        activity = card.activities.get(f"{codes[first]:g}")
        begin, stop = max(float(stretch.times[first]) - start, 0.0), min(end - start, seconds)
        if activity and begin < stop:
            yield Annotation(begin, stop, activity)
