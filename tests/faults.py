"""Mistakes that people make with recordings, planted: wrong units, signs, axes and rates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from otolith.data.channels import GRAVITY
from otolith.data.quality.bodies import bodies
from otolith.data.recording import Recording
from otolith.data.store import Dataset, DatasetWriter

FACTORS = {
    "g": ("acc", 1 / GRAVITY),  # in g, declared as m/s^2
    "sign": ("acc", -1.0),
    "deg": ("gyro", 180 / np.pi),  # in deg/s, declared as rad/s
    "rad": ("gyro", np.pi / 180),  # in rad/s, taken for deg/s and converted
    "mirror": ("gyro", (-1.0, -1.0, 1.0)),
}
RATES = {"double": 2.0, "half": 0.5}


def plant(recording: Recording, *faults: str) -> Recording:
    """The recording as someone would have it who made these mistakes."""
    for fault in faults:
        if fault in RATES:
            factor = RATES[fault]
            notes = tuple(replace(n, start=n.start / factor, end=n.end / factor) for n in recording.annotations)
            recording = replace(recording, rate=recording.rate * factor, annotations=notes)
            continue
        sensor, scale = FACTORS[fault]
        signal = recording.signal.copy()
        for triad in (t for body in bodies(recording.channels) for t in body.triads):
            if triad.channel.sensor == sensor:
                signal[:, triad.columns] *= np.asarray(scale, np.float32)
        recording = replace(recording, signal=signal)
    return recording


def write(recordings: Iterable[Recording], path: Path, name: str = "own") -> Dataset:
    """A dataset of these recordings."""
    with DatasetWriter(path, name) as writer:
        for recording in recordings:
            writer.add(recording)
    return Dataset.open(path)
