"""HAPT: raw phone recordings of six activities and six postural transitions (Reyes-Ortiz et al. 2016)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.layout import Layout
from otolith.data.converters.tables import find_folder, read_columns, read_numbers
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import scale_to_si
from otolith.types import DataError

_NAME = re.compile(r"acc_exp(\d+)_user(\d+)\.txt")


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each experiment; the rows that no label covers stay unannotated.

    Raises:
        DataError: A file is missing or damaged, or a label lies outside its recording.
    """
    folder = find_folder(raw_dir, ("RawData", "."), "acc_exp*_user*.txt", card.name)
    labels = _labels(folder / "labels.txt", card)
    named = [(path, _NAME.fullmatch(path.name)) for path in sorted(folder.glob("acc_exp*_user*.txt"))]
    files = {(int(match[1]), int(match[2])): path for path, match in named if match}
    for experiment, user in labels:
        if (experiment, user) not in files:
            raise DataError(
                f"{folder / 'labels.txt'} labels experiment {experiment} of user {user}, but "
                f"{folder / f'acc_exp{experiment:02d}_user{user:02d}.txt'} is missing: unpack the whole archive again"
            )
    for (experiment, user), path in files.items():
        subject = f"user{user:02d}"
        yield partial(_read, path, f"exp{experiment:02d}_{subject}", subject, labels.get((experiment, user), []), card)


_Label = tuple[int, int, int, str]
"""Line in labels.txt, first and last sample (from 1), activity."""


def _labels(path: Path, card: DatasetCard) -> dict[tuple[int, int], list[_Label]]:
    labels: dict[tuple[int, int], list[_Label]] = {}
    whole = dict.fromkeys(("experiment", "user", "activity", "start", "end"), np.int64)
    columns = read_columns(path, Layout({**whole, "activity": tuple(card.activities)}, delimiter=" "))
    activities = list(card.activities.values())
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    for line, (experiment, user, activity, start, end) in enumerate(rows, start=1):
        labels.setdefault((experiment, user), []).append((line, start, end, activities[activity]))
    return labels


def _read(path: Path, name: str, subject: str, labels: list[_Label], card: DatasetCard) -> list[Recording]:
    gyro_path = path.with_name(path.name.replace("acc_", "gyro_", 1))
    acc = read_numbers(path, ("x", "y", "z"), delimiter=" ")
    gyro = read_numbers(gyro_path, ("x", "y", "z"), delimiter=" ")
    if len(acc) != len(gyro):
        raise DataError(f"{gyro_path} has {len(gyro)} lines, but {path.name} has {len(acc)}: one of them is cut short")
    annotations = []
    for line, start, end, activity in labels:
        if not 1 <= start <= end <= len(acc):
            raise DataError(
                f"{path.with_name('labels.txt')}, line {line}: samples {start} to {end} lie outside the "
                f"{len(acc)} samples of {path.name}"
            )
        annotations.append(Annotation((start - 1) / card.rate, end / card.rate, activity))
    # The archive's README states g and rad/s.
    signal = scale_to_si(np.hstack([acc, gyro]), ["g"] * 3 + ["rad/s"] * 3)
    return [Recording(signal.astype(np.float32), card.rate, card.channels, subject, name, tuple(annotations))]
