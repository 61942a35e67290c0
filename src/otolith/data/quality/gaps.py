"""Samples that are missing, and samples that only look like some: the same value held on, or zeros for padding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otolith.data.quality.bodies import Triad, bodies
from otolith.data.quality.findings import Concern, concern
from otolith.data.recording import Recording, runs

_HELD_SECONDS = 1.0
_WORTHLESS = 0.2


class _Lack(NamedTuple):
    """Seconds that lack something in one recording, and the longest stretch of it."""

    name: str
    seconds: float
    longest: float


class Gaps:
    """Missing rows, and rows of a three-axis sensor that do not change for a second, which no live sensor does."""

    def __init__(self) -> None:
        self.total = 0
        self.seconds = 0.0
        self._lacks: dict[str, list[_Lack]] = {"missing": [], "held": [], "padding": []}

    def see(self, recording: Recording) -> None:
        """Takes a recording into account."""
        self.total += 1
        self.seconds += recording.duration
        missing = np.asarray(np.isnan(recording.signal).any(axis=1))
        self._add("missing", recording, missing, 0.0)
        held, zeros = np.zeros_like(missing), np.zeros_like(missing)
        for body in bodies(recording.channels):
            for triad in body.triads:
                values = triad.of(recording.signal)
                same = _unchanged(values)
                if same.all():
                    continue  # stuck all along: said elsewhere
                empty = same & (values == 0).all(axis=1) & _has_gravity(triad)
                zeros |= empty
                held |= same & ~empty
        self._add("held", recording, held & ~zeros, _HELD_SECONDS)
        self._add("padding", recording, zeros, _HELD_SECONDS)

    def _add(self, kind: str, recording: Recording, lacking: NDArray[np.bool_], least: float) -> None:
        spans = runs(lacking) if lacking.any() else ()
        lengths = [(end - start) / recording.rate for start, end in spans if lacking[start]]
        long = [length for length in lengths if length >= least]
        if long:
            self._lacks[kind].append(_Lack(recording.name, sum(long), max(long)))

    def share(self, kind: str) -> float:
        """Share of all time that is `missing`, `held` or `padding`."""
        return sum(lack.seconds for lack in self._lacks[kind]) / max(self.seconds, 1e-9)

    def longest(self, kind: str) -> float:
        """The longest stretch of it in seconds."""
        return max((lack.longest for lack in self._lacks[kind]), default=0.0)

    def concerns(self) -> list[Concern]:
        """What lacks, and how much of it."""
        said = {
            "missing": "samples are missing ({share} of all time, {longest} s at most in '{where}'); leave these out",
            "held": "all three axes of a sensor stay the same for a second or more ({share} of all time, {longest} s "
            "at most in '{where}'), which is no measurement; mark these as missing",
            "padding": "acceleration is exactly zero for a second or more ({share} of all time, {longest} s at most in "
            "'{where}'), which is padding; cut it off",
        }
        found = []
        for kind, lacks in self._lacks.items():
            if lacks:
                worst = max(lacks, key=lambda lack: lack.longest)
                share = self.share(kind)
                words = {"share": percent(share), "longest": f"{worst.longest:.3g}", "where": worst.name}
                severe = kind == "padding" and share > _WORTHLESS
                found.append(concern(kind, severe, said[kind].format(**words), [k.name for k in lacks], self.total))
        return found


def percent(share: float) -> str:
    """`3.2%` or `0.03%`; what is not nothing is never zero."""
    return f"{share:.1%}" if share >= 0.001 or not share else "less than 0.01%" if share < 1e-4 else f"{share:.2%}"


def _unchanged(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Rows [T] that equal the row before or after; NaN equals nothing."""
    equal = (values[1:] == values[:-1]).all(axis=1)
    same = np.zeros(len(values), bool)
    same[1:] |= equal
    same[:-1] |= equal
    return same


def _has_gravity(triad: Triad) -> bool:
    return triad.channel.sensor == "acc" and bool(triad.channel.gravity)
