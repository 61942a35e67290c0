"""DSADS: five Xsens units on the body, nineteen daily and sports activities (Altun et al. 2010)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.tables import find_folder, read_joined
from otolith.data.recording import Annotation, Recording
from otolith.types import DataError

_SEGMENTS = 60
_ROWS = 125
_FOLDER = re.compile(r"a(\d\d)/p(\d)")


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording of five minutes for each subject and activity: the segments of five seconds that it was cut into.

    Raises:
        DataError: A file is missing or damaged, or an activity is unknown.
    """
    folder = find_folder(raw_dir, ("data", f"{card.name}/data", ".", card.name), "a*/p*/s*.txt", card.name)
    for person in sorted(folder.glob("a*/p*")):
        match = _FOLDER.fullmatch(person.relative_to(folder).as_posix())
        if match is None or match[1] not in card.activities:
            raise DataError(
                f"{person} is not of '{card.name}': expected a01 to a{len(card.activities):02d}, and p1 to "
                f"p{card.subjects} in each"
            )
        yield partial(_read, person, match[1], f"p{match[2]}", card)


def _read(folder: Path, code: str, subject: str, card: DatasetCard) -> list[Recording]:
    names = [channel.name for channel in card.channels]
    # The numbers bear out the units that the paper gives: lying still reads 9.8 on all five units (m/s^2), and a
    # walking leg turns at 0.9 rms (rad/s; as deg/s it would not swing). The magnetometers read 0.8 to 1.0, which
    # is what Xsens units give: a share of the Earth's field at their calibration, so no unit can be restored.
    signal = read_joined([folder / f"s{k:02d}.txt" for k in range(1, _SEGMENTS + 1)], names, _ROWS)
    # Some recordings on stairs and of jumps were cut at 100 samples and filled up with rows of zeros. Without these
    # the segments join: the median step from one to the next is as large as the steps within them.
    filled = signal.any(axis=1)
    if not filled.all():
        signal = signal[filled]
    whole = Annotation(0.0, len(signal) / card.rate, card.activities[code])
    return [Recording(signal, card.rate, card.channels, subject, f"a{code}_{subject}", (whole,))]
