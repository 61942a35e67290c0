"""UTD-MHAD: 27 actions with one inertial sensor on the wrist or the thigh, and a depth camera (Chen et al. 2015)."""

from __future__ import annotations

import re
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
from otolith.data.signal import scale_to_si, to_uniform
from otolith.types import DataError

_FILE = re.compile(r"a(\d+)_s(\d+)_t(\d+)_inertial\.mat")
_FIRST_ON_THIGH = 22
_JOINTS = 20
_MAX_BYTES = 1 << 20  # the longest trial has 60 kB
_FRAMES_A_SECOND = (10.0, 31.0)
"""11.1 to 21.0 in the archive."""


def parts(raw_dir: Path, card: DatasetCard) -> Iterator[Part]:
    """Two recordings for each trial, inertial sensor and skeleton, each annotated as a whole.

    Raises:
        DataError: A file is missing or damaged, its action is unknown, or the two files of a trial do not fit.
    """
    inertial, skeleton = (
        find_folder(raw_dir, (kind, "."), f"a*_s*_t*_{kind.lower()}.mat", card.name)
        for kind in ("Inertial", "Skeleton")
    )
    trials = {}
    for path in inertial.glob("a*_s*_t*_inertial.mat"):
        match = _FILE.fullmatch(path.name)
        if match is None or match[1] not in card.activities:
            raise DataError(f"{path} is not of '{card.name}': actions are a1 to a{len(card.activities)}")
        trials[int(match[1]), int(match[2]), int(match[3])] = path
    for (action, person, trial), path in sorted(trials.items()):
        other = skeleton / path.name.replace("inertial", "skeleton")
        yield partial(_trial, path, other, action, f"s{person}", f"a{action:02d}_s{person}_t{trial}", card)


def _trial(
    inertial: Path, skeleton: Path, action: int, subject: str, name: str, card: DatasetCard
) -> Iterator[Recording]:
    placement = "right thigh" if action >= _FIRST_ON_THIGH else "right wrist"
    worn = tuple(
        channel for channel in card.channels if channel.placement == placement and channel.sensor != "position"
    )
    joints = tuple(channel for channel in card.channels if channel.sensor == "position")
    signal = _felt(inertial)
    seen = _seen(skeleton, len(signal) / card.rate, card.rate_of(joints))
    for suffix, channels, values in (("", worn, signal), ("_skeleton", joints, seen)):
        rate = card.rate_of(channels)
        whole = Annotation(0.0, len(values) / rate, card.activities[str(action)])
        yield Recording(values, rate, channels, subject, name + suffix, (whole,), session=name)


def _felt(path: Path) -> NDArray[np.float32]:
    """Acceleration and rate of turn [T, 6] in SI."""
    values = read_array(path, "d_iner", limit=_MAX_BYTES)
    if values.ndim != 2 or values.shape[1] != 6:
        raise DataError(f"{path}: d_iner is {list(values.shape)} instead of [samples, 6]: unpack the archive again")
    # The authors give g and deg/s. The numbers agree: before an action |acc| has a median of 1.04, and the values
    # are cut off at 8.000 and 1000.5, the ends of the ranges of 8 g and 1000 deg/s.
    return scale_to_si(values, ["g"] * 3 + ["deg/s"] * 3).astype(np.float32)


def _seen(path: Path, seconds: float, rate: float) -> NDArray[np.float32]:
    """Positions [T, 60] of the joints in metres, on the clock of the inertial sensor, which recorded for `seconds`.

    The authors call the camera's rate about 30 Hz, but the frames that they saved are fewer: over the 861 trials the
    number of frames is proportional to that of inertial samples (2.6 to 1, correlation 0.94, nothing left over). So
    both files of a trial cover the same time, and the frames, which carry no times, are spread evenly over it. Then
    the limb that carries the sensor turns in the skeleton when the gyroscope says so: where the two can be compared
    (394 trials) the lag is 0.00 s in the median and within 0.12 s in nine of ten; at 30 Hz no lag makes them agree.
    """
    values = read_array(path, "d_skel", limit=_MAX_BYTES)
    if values.ndim != 3 or values.shape[:2] != (_JOINTS, 3):
        raise DataError(f"{path}: d_skel is {list(values.shape)} instead of [20, 3, frames]: unpack the archive again")
    frames = values.shape[2]
    if not _FRAMES_A_SECOND[0] <= frames / seconds <= _FRAMES_A_SECOND[1]:
        raise DataError(
            f"{path} has {frames} frames for {seconds:.2f} s of inertial data, but a camera sees 11 to 30 a second: "
            "one of the two files is of another trial"
        )
    # Metres: in the median a thigh is 0.45 long, an upper arm 0.27, and the head of one who stands 1.5 above the feet.
    positions = values.reshape(_JOINTS * 3, frames).T
    signal, _ = to_uniform(np.arange(frames) * (seconds / frames), positions, rate, max_gap=seconds)
    return signal.astype(np.float32)
