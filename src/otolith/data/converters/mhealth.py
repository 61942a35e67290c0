"""MHEALTH: chest, ankle and wrist during twelve activities, with an electrocardiogram (Banos et al. 2014)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from otolith.data.card import DatasetCard
from otolith.data.channels import NORMALISED
from otolith.data.converters import Part
from otolith.data.converters.layout import Layout
from otolith.data.converters.tables import find_folder, read_columns
from otolith.data.recording import Recording, annotate
from otolith.data.signal import scale_to_si
from otolith.types import DataError

_FILE = re.compile(r"mHealth_(subject([1-9]\d*))\.log")
_NULL = "0"

# The README states m/s^2, mV, deg/s and a "local" unit of the magnetic field, but calls columns 9 to 11 and 18 to 20
# gyroscopes and 12 to 14 and 21 to 23 magnetometers. That is the wrong way round, in each of the four people whose rows
# or statistics could be seen (1, 2, 8 and 10):
# - What is called gyroscope has a length of about 1 in stillness too (1.09 and 1.11 in the first row), keeps nearly one
#   angle to gravity in every posture, stays the same over several samples of running, stays within 3.1 in all of
#   subject 10, and comes in whole multiples of 1/539, 1/533 and 1/509: a magnetometer of the Shimmer2, whose driver
#   divides counts by about 580 and names the unit "local".
# - What is called magnetometer has a mean near zero, stays within 1 or 2 in stillness and reaches 617 in motion: deg/s.
#   Where the other vector takes a new value, it has turned the way that these rates say, by what they give in 0.1 s.
_LIMB = ["m/s^2"] * 3 + [NORMALISED] * 3 + ["deg/s"] * 3
_UNITS = ["m/s^2"] * 3 + ["mV"] * 2 + _LIMB + _LIMB


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each person; the null class stays unannotated.

    Raises:
        DataError: A file is damaged, is of nobody in the dataset, or has an unknown label.
    """
    folder = find_folder(raw_dir, (".", "MHEALTHDATASET"), "mHealth_subject*.log", card.name)
    people = {}
    for path in folder.glob("mHealth_subject*.log"):
        match = _FILE.fullmatch(path.name)
        if match is None or int(match[2]) > card.subjects:
            raise DataError(f"{path} is not of '{card.name}': subjects are 1 to {card.subjects}")
        people[int(match[2])] = partial(_read, path, match[1], card)
    for _, part in sorted(people.items()):
        yield part


def _read(path: Path, subject: str, card: DatasetCard) -> list[Recording]:
    names = [channel.name for channel in card.channels]
    columns = read_columns(
        path, Layout({**dict.fromkeys(names, np.float64), "label": (_NULL, *card.activities)}, delimiter="\t")
    )
    signal = scale_to_si(np.column_stack([columns[name] for name in names]), _UNITS)
    seconds, activities = np.arange(len(signal)) / card.rate, ("", *card.activities.values())
    notes = annotate(columns["label"], seconds, len(signal) / card.rate, activities)
    return [Recording(signal.astype(np.float32), card.rate, card.channels, subject, path.stem, notes)]
