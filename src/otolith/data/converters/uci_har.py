"""UCI HAR: a phone at the waist, six activities, published as overlapping windows (Anguita et al. 2013)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.tables import find_folder, read_numbers
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import scale_to_si
from otolith.types import DataError

_SIDES = ("train", "test")
_FOLDER = "Inertial Signals"
_WINDOW = 128
_STEP = _WINDOW // 2
_COLUMNS = [f"sample_{k}" for k in range(1, _WINDOW + 1)]
_SIGNALS = tuple(f"{kind}_{axis}" for kind in ("total_acc", "body_gyro", "body_acc") for axis in "xyz")
# The archive's README states g and rad/s; standing people read 1.02 on total_acc_x.
_UNITS = ["g"] * 3 + ["rad/s"] * 3 + ["g"] * 3

_SAME = 1e-5
"""Windows that share half of their samples show the same digits there; at rest the noise is some hundred times this."""
_LARGEST = 1e6
"""Of a value, in g or rad/s; a phone gives 20."""
_LONGEST_LINE = 64 * _WINDOW
"""Bytes; a line of the archive has 16 for each number."""


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each stretch that windows were cut from; it begins anew where one does not continue the other.

    Raises:
        DataError: A file is missing or damaged, or the files of one side do not belong together.
    """
    folders = ("UCI HAR Dataset", f"{card.name}/UCI HAR Dataset", ".", card.name)
    folder = find_folder(raw_dir, folders, f"*/{_FOLDER}/total_acc_x_*.txt", card.name)
    for side in _SIDES:
        people = _codes(folder / side / f"subject_{side}.txt", [str(k) for k in range(1, card.subjects + 1)])
        activities = _codes(folder / side / f"y_{side}.txt", list(card.activities))
        if len(people) != len(activities):
            raise DataError(
                f"{folder / side / f'y_{side}.txt'} has {len(activities)} lines, but subject_{side}.txt has "
                f"{len(people)}: one of them is cut short"
            )
        cuts = [0, *(np.flatnonzero(np.diff(people)) + 1).tolist(), len(people)]
        for first, last in pairwise(cuts):
            person = f"user{people[first]:02d}"
            yield partial(_read, folder / side, person, first, activities[first:last], len(people), card)


def _codes(path: Path, known: list[str]) -> NDArray[np.int64]:
    """The whole numbers in a file of one column."""
    numbers = read_numbers(path, ("code",))[:, 0]
    strange = np.flatnonzero(~np.isin(numbers, [float(code) for code in known]))
    if strange.size:
        raise DataError(
            f"{path}, line {strange[0] + 1}: {numbers[strange[0]]:g} is not one of {known[0]} to {known[-1]}"
        )
    return numbers.astype(np.int64)


def _read(
    folder: Path, person: str, first: int, activities: NDArray[np.int64], lines: int, card: DatasetCard
) -> Iterator[Recording]:
    """The recordings in the windows of a person.

    Args:
        folder: That of the side.
        person: Who wore the phone.
        first: How many windows are before this person's.
        activities: Code of each of the windows.
        lines: How many windows the files of the side have.
        card: The dataset's.
    """
    count = len(activities)
    files = [folder / _FOLDER / f"{name}_{folder.name}.txt" for name in _SIGNALS]
    values = np.stack([_windows(path, first, count, lines) for path in files], axis=-1)
    windows = scale_to_si(values.reshape(-1, len(files)), _UNITS).reshape(values.shape)
    apart = np.abs(values[1:, :_STEP] - values[:-1, _STEP:]).max(axis=(1, 2)) > _SAME
    for start, stop in pairwise([0, *(np.flatnonzero(apart) + 1).tolist(), count]):
        signal = np.concatenate([windows[start], *windows[start + 1 : stop, _STEP:]]).astype(np.float32)
        name = f"{person}_{folder.name}_{first + start + 1:04d}"  # the line of its first window
        notes = _annotations(activities[start:stop], card)
        yield Recording(signal, card.rate, card.channels, person, name, notes)


def _annotations(activities: NDArray[np.int64], card: DatasetCard) -> tuple[Annotation, ...]:
    """Of windows that continue each other; from one activity to the next in the middle of what both windows cover."""
    changes = np.flatnonzero(np.diff(activities)) + 1
    edges = [0, *(_STEP * changes + _STEP // 2).tolist(), _STEP * (len(activities) + 1)]
    done = activities[[0, *changes.tolist()]].tolist()
    return tuple(
        Annotation(start / card.rate, end / card.rate, card.activities[str(code)])
        for (start, end), code in zip(pairwise(edges), done, strict=True)
    )


def _windows(path: Path, first: int, count: int, lines: int) -> NDArray[np.float64]:
    """The windows `first` to `first + count` of a file that has `lines`, as [count, 128]."""
    try:
        with path.open("rb") as file:
            stream = iter(partial(file.readline, _LONGEST_LINE), b"")
            before = sum(1 for _ in islice(stream, first))
            wanted = list(islice(stream, count))
            excess = first + count == lines and any(line.strip() for line in stream)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise DataError(f"{path} is missing: unpack the whole archive again") from error
    if excess or before + len(wanted) < first + count:
        found = f"more than {lines}" if excess else before + len(wanted)
        raise DataError(
            f"{path} has {found} lines, but y_{path.parent.parent.name}.txt has {lines}: unpack the whole archive again"
        )
    return _numbers(path, wanted, first)


def _numbers(path: Path, lines: list[bytes], before: int) -> NDArray[np.float64]:
    content = b"\n".join(b" ".join(line.split()) for line in lines)  # one or two blanks precede a number
    try:
        table = csv.read_csv(
            pa.BufferReader(content),
            read_options=csv.ReadOptions(column_names=_COLUMNS, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=" "),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(_COLUMNS, pa.float64()), null_values=[]),
        )
        numbers = np.column_stack([column.to_numpy() for column in table.columns])
    except pa.ArrowInvalid as error:
        raise _explain(path, lines, before) from error
    if len(numbers) != len(lines) or not (np.abs(numbers) < _LARGEST).all():
        raise _explain(path, lines, before)
    return numbers


def _explain(path: Path, lines: list[bytes], before: int) -> DataError:
    """Looks for the first line that is wrong."""
    for number, line in enumerate(lines, start=before + 1):
        fields = line.split()
        if len(fields) != _WINDOW:
            return DataError(f"{path}, line {number}: {len(fields)} columns instead of {_WINDOW}")
        bad = next((field for field in fields if not _possible(field)), None)
        if bad is not None:
            text = bad[:40].decode("ascii", "replace")
            return DataError(f"{path}, line {number}: {text!r} is not a number that a phone can give")
    return DataError(f"{path} cannot be read as lines of {_WINDOW} numbers: unpack the archive again")


def _possible(text: bytes) -> bool:
    try:
        return abs(float(text)) < _LARGEST
    except ValueError:
        return False
