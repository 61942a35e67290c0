"""The counts behind the scores: how often who did what and was taken for what, so that any score can be made later."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from otolith.data.windows import natural
from otolith.evaluate.appending import UNFINISHED, AppendOnly, encode
from otolith.evaluate.metrics import accuracy_of, macro_f1_of
from otolith.types import DataError

MOST_BYTES = 256 * 1024**2
"""Of text in one file: about a million counts. A larger one is refused, so that no file fills the memory."""

_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Count:
    """How many windows (or trials) of one person and activity were given one label.

    Attributes:
        fold: Name of the fold; `all` where there is one.
        subject: Who, within the dataset.
        truth: The true label.
        predicted: The label given; an abstention is a label too.
        count: Above 0; what did not happen has no row.
    """

    model: str
    dataset: str
    protocol: str
    fold: str
    seed: int
    subject: str
    truth: str
    predicted: str
    count: int
    config_sha256: str
    data_sha256: str


COLUMNS = tuple(field.name for field in fields(Count))
_NUMBERS = ("seed", "count")
_HEADER = (",".join(COLUMNS) + "\n").encode()
_PLACE = ["model", "dataset", "protocol", "fold", "seed", "subject", "config_sha256", "data_sha256"]


def counts_of(
    truth: Sequence[str],
    predicted: Sequence[str],
    subjects: Sequence[str],
    *,
    model: str,
    dataset: str,
    protocol: str,
    config_sha256: str,
    data_sha256: str,
    fold: str | int = "all",
    seed: int = 0,
) -> list[Count]:
    """The counts of one evaluation of N windows, ordered by person, true and given label.

    Args:
        truth: [N] true labels.
        predicted: [N] labels given.
        subjects: [N] who.
        model: This and the others as in the row of the score (`otolith.evaluate.results.Row`).
    """
    if not len(truth) == len(predicted) == len(subjects):
        raise ValueError(f"{len(truth)} true labels, {len(predicted)} predictions, {len(subjects)} subjects")
    cells = Counter(zip(map(str, subjects), map(str, truth), map(str, predicted), strict=True))
    place = (model, dataset, protocol, str(fold), seed)
    return [Count(*place, *cell, number, config_sha256, data_sha256) for cell, number in sorted(cells.items())]


class CountsFile(AppendOnly):
    """An append-only, gzip-compressed CSV of `Count`s that survives a crash (`AppendOnly` says how).

    Each call of `append` is one gzip member, so any tool that reads `.csv.gz` reads the file.
    """

    what = "a counts file"
    header = _HEADER
    _held: int = 0  # bytes of text that the last look at the file found

    @classmethod
    def beside(cls, results: Path) -> Self:
        """The counts behind a results file: `results.counts.csv.gz` beside `results.csv`."""
        return cls(results.with_name(f"{results.stem}.counts.csv.gz"))

    def append(self, counts: Iterable[Count]) -> None:
        """Adds counts at the end; all those of one person in one evaluation belong into one call.

        Raises:
            DataError: The path can hold no file, the file is not a counts file or too large, a text has a line break,
                or the disk is full (nothing is added).
        """
        self._add(encode(map(_values, counts), COLUMNS))

    def read(self) -> pd.DataFrame:
        """All complete counts, typed: text, except int64 `seed` and `count`. No file: no rows.

        Where an evaluation was repeated (all of a row but labels and count is alike), the last append that holds it
        counts, person by person: a run that was cut off and began again does not count twice.

        Raises:
            DataError: The path can hold no file, the file is not a counts file, damaged or too large.
        """
        self._require_place()
        columns: list[list[str | int]] = [[] for _ in (*COLUMNS, "append")]
        if self.path.exists():
            with self.path.open("rb") as handle:
                for number, (text, _) in enumerate(self._members(handle)):
                    self._parse(text.removeprefix(_HEADER), number, columns)
        types = {**dict.fromkeys(COLUMNS, "str"), **dict.fromkeys((*_NUMBERS, "append"), "int64")}
        frame = pd.DataFrame(dict(zip((*COLUMNS, "append"), columns, strict=True))).astype(types)
        last = frame.groupby(_PLACE)["append"].transform("max") == frame["append"]
        return frame.loc[last, list(COLUMNS)].reset_index(drop=True)

    def _pack(self, lines: bytes) -> bytes:
        if self._held + len(lines) > MOST_BYTES:  # what is written can always be read again
            raise self._too_large()
        return gzip.compress(lines, mtime=0)  # no time of writing, so that equal counts are equal files

    def _complete(self, handle: BinaryIO) -> int:
        size = self._held = 0
        for text, end in self._members(handle):
            size, self._held = end, self._held + len(text)
        return size

    def _too_large(self) -> DataError:
        most = MOST_BYTES // 1024**2
        return DataError(f"{self.path} holds more than {most} MiB of text: start another results file")

    def _members(self, handle: BinaryIO) -> Iterator[tuple[bytes, int]]:
        """Text of each complete gzip member from the beginning, and the place in the file where it ends."""
        handle.seek(0)
        rest, end, room = handle.read(_CHUNK), 0, MOST_BYTES
        while rest and not rest.startswith(UNFINISHED):
            try:
                text, rest, length = self._unpack(rest, handle, room)
            except zlib.error as error:
                if not end:
                    raise self._foreign() from error
                raise DataError(f"{self.path} is damaged from byte {end} on: restore it from a copy") from error
            if text is None:
                return
            if not end and not text.startswith(_HEADER):
                raise self._foreign()
            end, room = end + length, room - len(text)
            yield text, end

    def _unpack(self, data: bytes, handle: BinaryIO, room: int) -> tuple[bytes | None, bytes, int]:
        """One member: its text (None where the file ends before it), the bytes read beyond it, and its length."""
        unpacker = zlib.decompressobj(wbits=31)
        parts, taken, size = [], 0, 0
        while data and not unpacker.eof:
            part = unpacker.decompress(data, room - size + 1)
            parts.append(part)
            taken, size = taken + len(data), size + len(part)
            if size > room:
                raise self._too_large()
            if not unpacker.eof:
                data = handle.read(_CHUNK)
        if not unpacker.eof:
            return None, b"", taken
        rest = unpacker.unused_data
        return b"".join(parts), rest or handle.read(_CHUNK), taken - len(rest)

    def _parse(self, text: bytes, number: int, columns: list[list[str | int]]) -> None:
        """Puts the values of one member's lines at the ends of the columns."""
        for line in csv.reader(io.StringIO(text.decode("utf-8", errors="replace"), newline="")):
            try:
                values = [
                    int(value) if name in _NUMBERS else sys.intern(value)
                    for name, value in zip(COLUMNS, line, strict=True)
                ]
            except ValueError as error:
                what = f"has a damaged line in append {number + 1}"
                raise DataError(f"{self.path} {what}: restore it from a copy") from error
            for column, value in zip(columns, [*values, number], strict=True):
                column.append(value)


def _values(count: Count) -> tuple[object, ...]:
    if count.count < 1:
        raise ValueError(f"{count.model} has a count of {count.count}; what did not happen has no row")
    return astuple(count)


def confusion_of(frame: pd.DataFrame, classes: Sequence[str]) -> NDArray[np.int64]:
    """Counts by true class (row) and predicted class (column), summed over people, folds and seeds.

    Args:
        frame: Rows of a counts file, of one model, dataset and protocol.
        classes: The explicit class list, L labels.

    Returns:
        int64 [L, L + 1]; the last column counts predictions outside `classes`.

    Raises:
        DataError: No rows, rows of several models, datasets or protocols, a true label outside `classes`, or a
            repeated class.
    """
    _, counts = _tables(frame, classes)
    total: NDArray[np.int64] = counts.sum(axis=0)
    return total


def by_subject(frame: pd.DataFrame, metric: str, classes: Sequence[str]) -> pd.Series[float]:
    """The score of each person, over all folds and seeds in which they were judged.

    In macro-F1 a class that a person never did counts 0, as in `otolith.evaluate.metrics.scores`; so give the classes
    that everybody did, or compare people by accuracy.

    Args:
        frame: As in `confusion_of`.
        metric: `accuracy` or `macro_f1`.
        classes: The explicit class list.

    Returns:
        Scores by subject, in natural order, under the name of the metric.

    Raises:
        DataError: As `confusion_of`.
    """
    if metric not in ("accuracy", "macro_f1"):
        raise ValueError(f"metric must be accuracy or macro_f1, not {metric!r}")
    people, counts = _tables(frame, classes)
    values = accuracy_of(counts) if metric == "accuracy" else macro_f1_of(counts)
    return pd.Series(values, index=pd.Index(people, name="subject"), name=metric)


def _tables(frame: pd.DataFrame, classes: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Subjects, and their counts [S, L, L + 1]."""
    if not len(frame):
        raise DataError("there is nothing to score: no count was chosen")
    for column in ("model", "dataset", "protocol"):
        names = sorted(set(frame[column]))
        if len(names) > 1:
            raise DataError(f"the counts are of more than one {column}, {' and '.join(names[:2])}: choose one")
    index = {name: i for i, name in enumerate(classes)}
    if len(index) != len(classes):
        twice = next(name for i, name in enumerate(classes) if index[name] != i)
        raise DataError(f"class '{twice}' is listed twice; list each class once")
    outside = sorted(set(frame["truth"]) - set(index))
    if outside:
        known = ", ".join(classes)
        raise DataError(f"true label '{outside[0]}' is not among the classes {known}; add it or leave it out")
    people = sorted(set(frame["subject"]), key=natural)
    who = {name: i for i, name in enumerate(people)}
    counts = np.zeros((len(people), len(classes), len(classes) + 1), dtype=np.int64)
    place = (
        frame["subject"].map(who).to_numpy(np.int64),
        frame["truth"].map(index).to_numpy(np.int64),
        np.array([index.get(name, len(classes)) for name in frame["predicted"]], dtype=np.int64),
    )
    np.add.at(counts, place, frame["count"].to_numpy(np.int64))
    return people, counts
