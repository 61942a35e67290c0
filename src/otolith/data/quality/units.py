"""Whether single recordings are plausible: rest at one g, values within reach of a sensor, channels that live."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otolith.data.quality.bodies import Triad, bodies
from otolith.data.quality.findings import Concern, concern, listed, several
from otolith.data.recording import Finding, Recording, check_physics, judge_rest, likely_cause, quietest

_TOO_FAST = 25.0  # rad/s; in 1 of 20 samples nobody turns at 1400 deg/s


class _Rest(NamedTuple):
    name: str
    magnitude: float
    severe: bool


class Units:
    """`check_physics` over all recordings, and the magnitudes that it judges by."""

    def __init__(self) -> None:
        self.total = 0
        self._rest: dict[tuple[str, str], list[_Rest]] = {}
        self._turn: dict[tuple[str, str], list[tuple[str, float]]] = {}
        self._others: dict[tuple[str, bool], list[tuple[str, Finding]]] = {}

    def see(self, recording: Recording) -> None:
        """Takes a recording into account."""
        self.total += 1
        for finding in check_physics(recording):
            if finding.kind != "unit" and finding.channel:
                self._others.setdefault((finding.kind, finding.severe), []).append((recording.name, finding))
        for body in bodies(recording.channels):
            for triad in body.all("acc", True):
                self._see_rest(recording, triad, (body.name, body.label(triad)))
            for gyro in body.all("gyro"):
                speed = np.linalg.norm(gyro.of(recording.signal).astype(np.float64), axis=1)
                if np.isfinite(speed).any():
                    fast = float(np.nanquantile(speed, 0.95))
                    self._turn.setdefault((body.name, body.label(gyro)), []).append((recording.name, fast))

    def _see_rest(self, recording: Recording, triad: Triad, key: tuple[str, str]) -> None:
        magnitude, spread = quietest(triad.of(recording.signal), recording.rate)
        if np.isfinite(magnitude) and triad.channel.unit == "m/s^2":
            severe = any(finding.severe for finding in judge_rest(triad.channel, magnitude, spread))
            self._rest.setdefault(key, []).append(_Rest(recording.name, magnitude, severe))

    def rest(self) -> dict[str, NDArray[np.float64]]:
        """For each accelerometer with gravity, its magnitude at the quietest of each recording in m/s^2."""
        return {label: np.array([rest.magnitude for rest in seen]) for (_, label), seen in self._rest.items()}

    def speeds(self) -> dict[str, NDArray[np.float64]]:
        """For each gyroscope, the rate of turn that a twentieth of a recording exceeds, in rad/s."""
        return {label: np.array([fast for _, fast in seen]) for (_, label), seen in self._turn.items()}

    def wrong(self) -> set[str]:
        """Bodies with an accelerometer whose unit is wrong in at least half of the recordings."""
        return {body for (body, _), seen in self._rest.items() if 2 * sum(rest.severe for rest in seen) >= len(seen)}

    def concerns(self, judged: Collection[str] = ()) -> list[Concern]:
        """What is implausible in itself.

        Args:
            judged: Bodies whose gyroscope has been compared with gravity, which tells more than its size does.
        """
        return [*self._of_rest(), *self._of_turn(judged), *self._of_others()]

    def _of_rest(self) -> list[Concern]:
        groups: dict[str, dict[str, list[_Rest]]] = {}
        for (_, label), seen in self._rest.items():
            wrong = [rest for rest in seen if rest.severe]
            if wrong:
                cause = likely_cause(float(np.median([rest.magnitude for rest in wrong])))
                groups.setdefault(cause, {})[label] = wrong
        found = []
        for cause, triads in groups.items():
            magnitude = np.median([rest.magnitude for wrong in triads.values() for rest in wrong])
            names = list(dict.fromkeys(rest.name for wrong in triads.values() for rest in wrong))
            who = several("the accelerometer", triads)
            text = f"{who} reads about {magnitude:.3g} m/s^2 at rest, where gravity alone gives 9.81; {cause}"
            found.append(concern("unit", True, text, names, self.total))
        return found

    def _of_turn(self, judged: Collection[str]) -> list[Concern]:
        fast = {
            label: seen
            for (body, label), seen in self._turn.items()
            if body not in judged and np.median([speed for _, speed in seen]) > _TOO_FAST
        }
        if not fast:
            return []
        usual = np.median([speed for seen in fast.values() for _, speed in seen])
        names = list(dict.fromkeys(name for seen in fast.values() for name, _ in seen))
        text = (
            f"{several('the gyroscope', fast)} exceeds {usual:.0f} rad/s in 1 of 20 samples; values look like deg/s: "
            "give the unit as deg/s"
        )
        return [concern("unit", True, text, names, self.total)]

    def _of_others(self) -> list[Concern]:
        found = []
        for (kind, severe), cases in self._others.items():
            channels = list(dict.fromkeys(finding.channel for _, finding in cases))
            more = f" (and so {'does' if len(channels) == 2 else 'do'} {listed(channels[1:])})" if channels[1:] else ""
            names = list(dict.fromkeys(name for name, _ in cases))
            found.append(concern(kind, severe, cases[0][1].text + more, names, self.total))
        return found
