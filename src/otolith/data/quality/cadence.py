"""Whether people who walk take as many steps a second as people do, which tells a wrong rate without a gyroscope.

Ordinary walking is 1.4 to 2.5 steps a second; each step is a beat in the magnitude of acceleration, felt everywhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from otolith.data.labels import group_of
from otolith.data.quality.bodies import bodies
from otolith.data.quality.findings import Concern, concern
from otolith.data.recording import Recording

_SHORTEST_SECONDS = 3.0
_WINDOW_SECONDS = 8.0
_BAND = (0.5, 6.0)
_SLOW, _QUICK = 1.1, 2.75


class _Walk(NamedTuple):
    name: str
    subject: str
    rate: float
    steps: float


class Cadence:
    """Steps a second wherever an accelerometer with gravity was worn in time labelled as walking."""

    def __init__(self) -> None:
        self.total = 0
        self._walks: dict[str, list[_Walk]] = {}

    def see(self, recording: Recording) -> None:
        """Takes a recording into account."""
        self.total += 1
        spans = [(n.start, n.end) for n in recording.annotations if group_of(n.activity) == "walking"]
        for body in bodies(recording.channels) if spans else ():
            acc = body.first("acc", True)
            if acc is None:
                continue
            magnitude = np.linalg.norm(acc.of(recording.signal).astype(np.float64), axis=1)
            found = [_beat(magnitude[_samples(span, recording.rate)], recording.rate) for span in spans]
            beats = [beat for beat in found if np.isfinite(beat)]
            if beats:
                walk = _Walk(recording.name, recording.subject, recording.rate, float(np.median(beats)))
                self._walks.setdefault(body.name, []).append(walk)

    def steps(self) -> dict[str, NDArray[np.float64]]:
        """For each body, steps a second in each recording."""
        return {body: np.array([walk.steps for walk in walks]) for body, walks in self._walks.items()}

    def concerns(self, confirmed: bool = False) -> list[Concern]:
        """A rate that is off by 2.

        Args:
            confirmed: Whether the gyroscope has confirmed the rate, so that a strange gait is only noted.
        """
        for body, walks in self._walks.items():
            usual = float(np.median([walk.steps for walk in walks]))
            if len({walk.subject for walk in walks}) < 3 or _SLOW <= usual <= _QUICK:
                continue
            # On an arm or leg every other step may beat louder, so slow walking is never proof.
            factor, word = (0.5, "high") if usual > _QUICK else (2.0, "low")
            odd = [walk.name for walk in walks if (walk.steps > _QUICK) == (usual > _QUICK) and not _plain(walk.steps)]
            rate = float(np.median([walk.rate for walk in walks]))
            text = (
                f"walking is {usual:.1f} steps a second at the {body}, where people take 1.4 to 2.5: the sampling rate "
                f"looks too {word} by 2 ({factor * rate:g} Hz would fit, {rate:g} Hz is declared); check it"
            )
            return [concern("rate", usual > _QUICK and not confirmed, text, odd, self.total)]
        return []


def _plain(steps: float) -> bool:
    return _SLOW <= steps <= _QUICK


def _samples(span: tuple[float, float], rate: float) -> slice:
    return slice(round(span[0] * rate), round(span[1] * rate))


def _beat(magnitude: NDArray[np.float64], rate: float) -> float:
    """The strongest frequency in Hz between half a step and six steps a second; NaN if too little is known."""
    known = magnitude[np.isfinite(magnitude)]
    if len(known) < _SHORTEST_SECONDS * rate or len(known) < 0.9 * len(magnitude):
        return float("nan")
    size = min(len(known), round(_WINDOW_SECONDS * rate))
    bins = max(size, round(50 * rate))  # 0.02 Hz apart
    frequency, power = welch(known - known.mean(), rate, nperseg=size, nfft=bins)
    within = (frequency > _BAND[0]) & (frequency < _BAND[1])
    return float(frequency[within][np.argmax(power[within])]) if power[within].any() else float("nan")
