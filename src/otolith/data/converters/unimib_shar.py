"""UniMiB SHAR: windows of daily activities and falls with a phone in the trouser pocket (Micucci et al. 2017)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.matlab import read_array
from otolith.data.converters.tables import find_folder
from otolith.data.recording import Annotation, Recording
from otolith.types import DataError

_WINDOW = 151
_TRIALS_IN_RIGHT_POCKET = {"daily": 1, "fall": 3}
_FIRST_FALL = 10
_MAX_BYTES = 64 << 20  # acc_data.mat unpacks to 43 MB


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each of the authors' windows of 3.02 s.

    There is one part: MATLAB stores the windows column by column, so whoever wants the first one reads the whole file.

    Raises:
        DataError: A file is missing or damaged, a label is unknown, or labels and windows are not equally many.
    """
    folder = find_folder(raw_dir, ("data", ".", "UniMiB-SHAR/data", "UniMiB-SHAR"), "acc_*.mat", card.name)
    yield partial(_windows, folder / "acc_data.mat", _labels(folder / "acc_labels.mat", card), card)


def _labels(path: Path, card: DatasetCard) -> NDArray[np.int64]:
    """Activity, subject and trial of each window [N, 3]."""
    values = read_array(path, "acc_labels", limit=_MAX_BYTES)
    if values.ndim != 2 or values.shape[1] != 3:
        raise DataError(f"{path}: acc_labels is {list(values.shape)} instead of [windows, 3]: unpack the archive again")
    most = [len(card.activities), card.subjects, 6]
    known = ((values == np.floor(values)) & (values >= 1) & (values <= most)).all(axis=1)
    if not known.all():
        row = int(np.argmin(known))
        raise DataError(
            f"{path}, row {row + 1}: {', '.join(f'{value:g}' for value in values[row])} is not an activity from 1 to "
            f"{len(card.activities)}, a subject from 1 to {card.subjects} and a trial from 1 to 6"
        )
    return values.astype(np.int64)


def _windows(path: Path, labels: NDArray[np.int64], card: DatasetCard) -> Iterator[Recording]:
    # Android's unit, m/s^2, with gravity. Columns are 151 values of x, then of y, then of z.
    values = read_array(path, "acc_data", limit=_MAX_BYTES)
    if values.shape != (len(labels), 3 * _WINDOW):
        raise DataError(
            f"{path}: acc_data is {list(values.shape)} instead of {[len(labels), 3 * _WINDOW]}, as acc_labels.mat "
            "says: unpack the archive again"
        )
    count: Counter[tuple[int, ...]] = Counter()
    for row, (code, subject, trial) in zip(values, labels.tolist(), strict=True):
        activity = card.activities[str(code)]
        count[code, subject, trial] += 1
        name = f"s{subject:02d}_{activity.replace(' ', '_')}_t{trial}_{count[code, subject, trial]:03d}"
        right = trial <= _TRIALS_IN_RIGHT_POCKET["fall" if code >= _FIRST_FALL else "daily"]
        channels = card.channels[:3] if right else card.channels[3:]
        signal = row.reshape(3, _WINDOW).T.astype(np.float32)
        whole = Annotation(0.0, _WINDOW / card.rate, activity)
        yield Recording(signal, card.rate, channels, f"s{subject:02d}", name, (whole,))
