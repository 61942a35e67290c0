"""MobiAct, second release: a phone in the trouser pocket, daily activities, falls and scenarios (Vavoulas et al.)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.converters import Part
from otolith.data.converters.layout import Kind, Layout
from otolith.data.converters.tables import check_order, find_folder, read_columns
from otolith.data.recording import Recording, annotate
from otolith.data.signal import scale_to_si, to_uniform
from otolith.types import DataError

_SIGNALS = [f"{sensor}_{axis}" for sensor in ("acc", "gyro") for axis in "xyz"]
_ANGLES = ["azimuth", "pitch", "roll"]
_NUMBERS: dict[str, Kind] = {
    "timestamp": None,  # ns since the phone was switched on
    "rel_time": np.float64,  # s
    **dict.fromkeys([*_SIGNALS, *_ANGLES], np.float64),
}
_UNITS = ["m/s^2"] * 3 + ["rad/s"] * 3 + ["deg"] * 3
_FULL_TURN = 360
_SCENARIOS = ("SLH", "SBW", "SLW", "SBE", "SRH")
"""Leaving home, being at work, leaving work, exercising, returning home: folders of several activities each."""

_TRIALS = "*/*_annotated.csv"
_FILE = re.compile(r"([A-Z]{3})_(\d+)_(\d+)_annotated\.csv")
_BASES = ("", "MobiAct_Dataset_v2.0/", "MobiAct_Dataset_v2.0/MobiAct_Dataset_v2.0/")  # as tools unpack it
# What is taken for the annotated data. MobiFall's files have the names of MobiAct's; they lie by person instead.
_OTHERS = {
    "sub*/*/*/*_acc_*.txt": "this is MobiFall, not MobiAct: its trials lie by person (sub1/ADL/JOG, sub1/FALLS/BSC)",
    "Raw Data/*/*_acc_*.txt": "of MobiAct only the raw data are here",
    "*/*_acc_*.txt": "these are raw data of MobiAct, or its first release",
}
_OTHER_BASES = ("", "MobiFall_Dataset_v2.0/", "MobiAct_Dataset/")

_BRIDGE_SECONDS = 0.07
"""The phone was busy now and then: in a raw file samples come up to 40 ms apart; longer gaps become NaN."""
_RATES = (20.0, 1000.0)
_LONGEST_SECONDS = 3600.0  # the longest trial takes five minutes


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """One recording for each trial or scenario, annotated row by row.

    Raises:
        DataError: A file is missing or damaged, a label is unknown, or this is MobiFall or has no labels.
    """
    bases = [f"{above}{base}" for above in ("", f"{card.name}/") for base in _BASES]
    try:
        folder = find_folder(raw_dir, [f"{b}{n}" for b in bases for n in ("Annotated Data", ".")], _TRIALS, card.name)
    except DataError as error:
        raise _instead(raw_dir, bases, card) or error from error
    trials = {}
    for path in folder.glob(_TRIALS):
        match = _FILE.fullmatch(path.name)
        if match is None or not {match[1], path.parent.name} <= {*card.activities, *_SCENARIOS}:
            raise DataError(
                f"{path} is not of '{card.name}': expected CODE/CODE_person_trial_annotated.csv, with a code of "
                f"{', '.join([*card.activities, *_SCENARIOS])}"
            )
        if match[1] != path.parent.name or not 1 <= int(match[2]) <= card.subjects:
            raise DataError(
                f"{path}: a trial of {match[1]} by person {match[2]} of {card.subjects} does not belong here"
            )
        trials[match[1], int(match[2]), int(match[3])] = path
    for (code, person, trial), path in sorted(trials.items()):
        yield partial(_read, path, f"sub{person}", f"{code}_sub{person}_{trial}", card)


def _instead(raw_dir: Path, bases: list[str], card: DatasetCard) -> DataError | None:
    """What is in the folder in place of the annotated data, if it is something that is taken for it."""
    for marker, said in _OTHERS.items():
        for base in (f"{base}{name}" for base in bases for name in _OTHER_BASES):
            folder = raw_dir.joinpath(*(part for part in base.split("/") if part))
            if next(folder.glob(marker), None) is not None:
                return DataError(
                    f"{raw_dir}: {said}, and no row has a label; get MobiAct_Dataset_v2.0 with its folder "
                    f"'Annotated Data' from {card.sources[0].url}"
                )
    return None


def _read(path: Path, subject: str, name: str, card: DatasetCard) -> list[Recording]:
    columns = read_columns(path, Layout({**_NUMBERS, "label": tuple(card.activities)}, header=True))
    times = columns["rel_time"]
    _check_clock(path, times)
    turned = np.column_stack([columns[name] for name in _ANGLES])
    if (np.abs(turned) > _FULL_TURN).any():
        line = int(np.argmax((np.abs(turned) > _FULL_TURN).any(axis=1))) + 2
        raise DataError(f"{path}, line {line}: an angle beyond {_FULL_TURN} degrees; unpack the archive again")
    # The units that the archive's Readme states. A raw file that could be seen bears them out: after a fall |acc| is
    # 9.7, values are cut off at 19.6 (2 g), and stamps in ns are 10 ms apart.
    values = scale_to_si(np.column_stack([*(columns[name] for name in _SIGNALS), turned]), _UNITS)
    # Between 359 and 1 degree lies 0, not 180.
    values[:, 6:] = np.unwrap(values[:, 6:], axis=0)
    signal, _ = to_uniform(times, values, card.rate, _BRIDGE_SECONDS)
    signal[:, 6] %= 2 * np.pi
    signal[:, 7:] = (signal[:, 7:] + np.pi) % (2 * np.pi) - np.pi
    notes = annotate(columns["label"], times - times[0], len(signal) / card.rate, list(card.activities.values()))
    return [Recording(signal.astype(np.float32), card.rate, card.channels, subject, name, notes)]


def _check_clock(path: Path, times: NDArray[np.float64]) -> None:
    """Refuses what is no clock of a trial, before it is laid on a grid.

    Raises:
        DataError: Time goes back, or is not in seconds.
    """
    check_order(path, "rel_time", times, line=2)
    steps = np.diff(times)
    usual = float(np.median(steps)) if steps.size else 0.0
    length = float(times[-1] - times[0])
    if not 1 / _RATES[1] <= usual <= 1 / _RATES[0] or length > _LONGEST_SECONDS:
        raise DataError(
            f"{path}: rel_time goes in steps of {usual:.4g} s over {length:.4g} s, where about 0.005 s over at most "
            "300 s are expected, so it is not in seconds, or rows are missing; unpack the archive again"
        )
