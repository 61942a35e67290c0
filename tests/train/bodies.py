"""A small dataset of trials with a sensor and a skeleton on two clocks, from real recordings.

The sensors are SPAR's. There is no camera in SPAR, so the skeleton is a body at rest whose right hand moves with
the low-passed acceleration of the recording: it tells the activities apart as the sensor
does, at 30 Hz, half a second late.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from otolith.data.channels import skeleton
from otolith.data.recording import Annotation, Recording
from otolith.data.signal import lowpass, resample
from otolith.data.store import DatasetWriter

JOINTS = ("hip centre", "shoulder centre", "right hand", "left hand")
REST = np.array([[0, 0, 3], [0, 0.5, 3], [0.4, 0.1, 3], [-0.4, 0.1, 3]])
SECONDS, LATE = 3.0, 0.5


def seen(signal: np.ndarray, rate: float) -> np.ndarray:
    """Positions [F, 12] at 30 Hz of a body whose right hand moves with the acceleration."""
    hand = resample(lowpass(signal[:, :3] / 20, rate, 5.0), rate, 30.0)
    body = np.repeat(REST[None], len(hand), axis=0)
    body[:, 2] += hand
    return body.reshape(len(hand), -1).astype(np.float32)


def write(path: Path, recordings: list[Recording], people: int = 4, trials: int = 3) -> None:
    """Trials of 3 s: `people` times seven exercises times `trials`."""
    with DatasetWriter(path, "bodies") as writer:
        for recording in recordings[: 14 * people : 2]:
            for trial in range(trials):
                start = round((2 + 4 * trial) * recording.rate)
                length = round(SECONDS * recording.rate)
                name = f"{recording.name}_{trial}"
                signal = recording.signal[start : start + length]
                note = (Annotation(0.0, SECONDS, recording.annotations[0].activity),)
                writer.add(replace(recording, signal=signal, name=name, annotations=note, session=name))
                late = seen(recording.signal, recording.rate)[round((start / recording.rate + LATE) * 30) :][:75]
                writer.add(
                    Recording(
                        late, 30.0, skeleton(JOINTS, "camera"), recording.subject, f"{name}_skeleton", (), name, LATE
                    )
                )
