"""UCI HAR: a phone at the waist, six activities, published as overlapping windows (Anguita et al. 2013)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.layout import Content, Layout
from otolith.data.converters.tables import find_folder, opened, read_columns, read_numbers
from otolith.data.recording import Annotation, Recording, annotate, runs
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
_LONGEST_LINE = 64 * _WINDOW
"""Bytes; a line of the archive has 16 for each number."""


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each stretch that windows were cut from; it begins anew where one does not continue the other.

    Raises:
        DataError: A file is missing or damaged, or the files of one side do not belong together.
    """
    folder = find_folder(raw_dir, ("UCI HAR Dataset", "."), f"*/{_FOLDER}/total_acc_x_*.txt", card.name)
    for side in _SIDES:
        people = _codes(folder / side / f"subject_{side}.txt", [str(k) for k in range(1, card.subjects + 1)])
        activities = _codes(folder / side / f"y_{side}.txt", tuple(card.activities))
        if len(people) != len(activities):
            raise DataError(
                f"{folder / side / f'y_{side}.txt'} has {len(activities)} lines, but subject_{side}.txt has "
                f"{len(people)}: one of them is cut short"
            )
        for first, last in runs(people):
            person = f"user{people[first] + 1:02d}"
            yield partial(_read, folder / side, person, first, activities[first:last], len(people), card)


def _codes(path: Path, known: Sequence[str]) -> NDArray[np.int16]:
    """Where in `known` the codes are that a file has, one a line."""
    return read_columns(path, Layout({"code": known}))["code"]


def _read(
    folder: Path, person: str, first: int, activities: NDArray[np.int16], lines: int, card: DatasetCard
) -> Iterator[Recording]:
    """The recordings in the windows of a person.

    Args:
        folder: That of the side.
        person: Who wore the phone.
        first: How many windows are before this person's.
        activities: Where in the card's activities that of each of the windows is.
        lines: How many windows the files of the side have.
        card: The dataset's.
    """
    count = len(activities)
    files = [folder / _FOLDER / f"{name}_{folder.name}.txt" for name in _SIGNALS]
    values = np.stack([_windows(path, first, count, lines) for path in files], axis=-1)
    windows = scale_to_si(values.reshape(-1, len(files)), _UNITS).reshape(values.shape)
    apart = np.abs(values[1:, :_STEP] - values[:-1, _STEP:]).max(axis=(1, 2)) > _SAME
    for start, stop in runs(np.cumsum(np.append(False, apart))):
        signal = np.concatenate([windows[start], *windows[start + 1 : stop, _STEP:]]).astype(np.float32)
        name = f"{person}_{folder.name}_{first + start + 1:04d}"  # the line of its first window
        notes = _annotations(activities[start:stop], card)
        yield Recording(signal, card.rate, card.channels, person, name, notes)


def _annotations(activities: NDArray[np.int16], card: DatasetCard) -> tuple[Annotation, ...]:
    """Of windows that continue each other; from one activity to the next in the middle of what both windows cover."""
    edges = _STEP * np.arange(len(activities)) + _STEP // 2
    edges[0] = 0
    duration = _STEP * (len(activities) + 1) / card.rate
    return annotate(activities, edges / card.rate, duration, list(card.activities.values()))


def _windows(path: Path, first: int, count: int, lines: int) -> NDArray[np.float64]:
    """The windows `first` to `first + count` of a file that has `lines`, as [count, 128]."""
    with opened(path) as file:
        stream = iter(partial(file.readline, _LONGEST_LINE), b"")
        before = sum(1 for _ in islice(stream, first))
        wanted = list(islice(stream, count))
        excess = first + count == lines and any(line.strip() for line in stream)
    if excess or before + len(wanted) < first + count:
        found = f"more than {lines}" if excess else before + len(wanted)
        raise DataError(
            f"{path} has {found} lines, but y_{path.parent.parent.name}.txt has {lines}: unpack the whole archive again"
        )
    # One or two blanks precede a number. The empty lines stand for those before, so that errors name the right one.
    plain = b"\n" * first + b"\n".join(b" ".join(line.split()) for line in wanted)
    numbers = read_numbers(Content(str(path), plain), _COLUMNS, delimiter=" ")
    if len(numbers) != count:
        raise DataError(f"{path} has empty lines among its first {first + count}: unpack the archive again")
    return numbers
