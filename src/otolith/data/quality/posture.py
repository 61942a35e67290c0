"""Whether gravity has the right sign: an accelerometer at rest feels the ground push it up.

If acceleration turns with the gyroscope, so does its negative: no law of motion tells a device from its mirror image
through the origin. What does tell is knowledge from outside: how the device is worn (`DatasetCard.upright`), a second
signal of the same accelerometer without gravity, or the magnetic field, which in the northern hemisphere points down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import GRAVITY
from otolith.data.labels import group_of
from otolith.data.quality.bodies import Body, Triad, bodies
from otolith.data.quality.findings import Concern, concern, listed
from otolith.data.recording import Recording

_UPRIGHT = ("standing", "walking")  # groups of activities
_OPPOSITE = -0.5  # cosine: 120 degrees and more
_DIP = 0.3
_MOVING = 0.5  # m/s^2
_BLOCK_SECONDS = 2.0

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class _Seen:
    """Mean directions [3] of one recording: upright time if it has any, and all labelled time; NaN if none."""

    name: str
    upright: Vector
    labelled: Vector


@dataclass(frozen=True)
class _Split:
    """Spread of the length of acc - user and of acc + user; the smaller one is gravity."""

    name: str
    difference: float
    total: float


class Posture:
    """Compares the direction of gravity with what is known of it.

    Args:
        upright: Direction of specific force by placement, as a card has it; empty where nothing is known.
    """

    def __init__(self, upright: Mapping[str, tuple[float, float, float]]) -> None:
        self.total = 0
        self._known = {placement: np.array(direction) for placement, direction in upright.items()}
        self._seen: dict[str, list[_Seen]] = {}
        self._splits: dict[str, list[_Split]] = {}
        self._dips: dict[str, list[tuple[str, float]]] = {}
        self._placements: dict[str, bool] = {}

    def see(self, recording: Recording) -> None:
        """Takes a recording into account."""
        self.total += 1
        for body in bodies(recording.channels):
            acc = body.first("acc", True)
            if acc is None:
                continue
            self._placements.setdefault(body.placement, False)
            force = acc.of(recording.signal).astype(np.float64)
            if body.placement in self._known:
                self._see_direction(recording, body.placement, force)
            user = body.first("acc", False)
            if user is not None:
                self._see_split(recording.name, body.placement, force, user.of(recording.signal).astype(np.float64))
            self._see_dip(recording, body, force)

    def _see_direction(self, recording: Recording, placement: str, force: Vector) -> None:
        spans = [
            (n, slice(round(n.start * recording.rate), round(n.end * recording.rate))) for n in recording.annotations
        ]
        upright = [force[span] for note, span in spans if group_of(note.activity) in _UPRIGHT]
        seen = _Seen(recording.name, _direction(upright), _direction([force[span] for _, span in spans]))
        self._seen.setdefault(placement, []).append(seen)

    def _see_split(self, name: str, placement: str, force: Vector, user: Vector) -> None:
        moving = np.linalg.norm(user, axis=1) > _MOVING
        if moving.sum() > 100:
            spreads = [float(np.linalg.norm(force[moving] + s * user[moving], axis=1).std()) for s in (-1, 1)]
            self._splits.setdefault(placement, []).append(_Split(name, *spreads))

    def _see_dip(self, recording: Recording, body: Body, force: Vector) -> None:
        field: Triad | None = next(iter(body.all("mag")), None)  # its scale may be lost, its direction is not
        size = max(1, round(_BLOCK_SECONDS * recording.rate))
        count = len(force) // size
        if field is None or not count:
            return
        up, magnetic = (
            x[: count * size].reshape(count, size, 3).mean(axis=1)
            for x in (force, field.of(recording.signal).astype(float))
        )
        lengths = np.linalg.norm(up, axis=1) * np.linalg.norm(magnetic, axis=1)
        usable = lengths > 0  # false for NaN
        if usable.any():
            cosine = float(np.median((up * magnetic).sum(axis=1)[usable] / lengths[usable]))
            self._dips.setdefault(body.name, []).append((recording.name, cosine))

    def cosines(self, placement: str) -> dict[str, float]:
        """For each recording that can be judged, the cosine between the direction of gravity and what is known of it.

        Where a placement has time labelled as standing or walking, only that is judged; else all labelled time.
        """
        seen = self._seen.get(placement, [])
        stands = any(np.isfinite(s.upright).all() for s in seen)
        pairs = [(s.name, s.upright if stands else s.labelled) for s in seen]
        return {name: float(vector @ self._known[placement]) for name, vector in pairs if np.isfinite(vector).all()}

    def known(self) -> dict[str, dict[str, float]]:
        """`cosines` of each placement that has some."""
        return {placement: found for placement in self._known if (found := self.cosines(placement))}

    def unjudged(self) -> list[str]:
        """Placements about whose sign nothing can be known."""
        return [p for p in self._placements if not self.cosines(p) and p not in self._splits]

    def concerns(self) -> list[Concern]:
        """Reversed gravity, and what hints at it."""
        return [*self._of_direction(), *self._of_splits(), *self._of_dips()]

    def _of_direction(self) -> list[Concern]:
        turned: dict[bool, dict[str, list[str]]] = {}
        known = self.known()
        for placement, cosines in known.items():
            reversed_ = [name for name, cosine in cosines.items() if cosine < _OPPOSITE]
            if reversed_:
                most = 2 * len(reversed_) > len(cosines)
                turned.setdefault(most, {})[placement] = reversed_
        found = []
        for most, where in turned.items():
            names = list(dict.fromkeys(name for some in where.values() for name in some))
            mend = (
                "reverse the sign of acceleration, which at rest points away from the ground"
                if most
                else "these may have been worn the other way up, or their sign is reversed"
            )
            text = f"gravity points down where it should point up, at {listed(list(where))}; {mend}"
            judged = len({name for placement in where for name in known[placement]})
            found.append(concern("gravity sign", most, text, names, judged, "recordings that tell it,"))
        return found

    def _of_splits(self) -> list[Concern]:
        found = []
        for placement, splits in self._splits.items():
            wrong = [s.name for s in splits if s.total < 0.5 * s.difference]
            if 2 * len(wrong) > len(splits):
                text = (
                    f"acceleration with and without gravity at '{placement}' have opposite signs: their sum, not their "
                    f"difference, has the steady length of gravity ({GRAVITY:.2f} m/s^2); reverse one of the two"
                )
                found.append(concern("gravity sign", True, text, wrong, self.total))
        return found

    def _of_dips(self) -> list[Concern]:
        up = {b: [name for name, c in seen if c > _DIP] for b, seen in self._dips.items()}
        most = {body: names for body, names in up.items() if 5 * len(names) >= 4 * len(self._dips[body])}
        if not most:
            return []
        text = (
            f"the magnetic field points up at {listed(list(most))}; in the northern hemisphere it points down, so the "
            "sign of acceleration or of the magnetometer may be reversed"
        )
        names = list(dict.fromkeys(name for some in most.values() for name in some))
        return [concern("magnetometer", False, text, names, self.total)]


def _direction(stretches: list[Vector]) -> Vector:
    """Direction [3] of the mean of stretches [T, 3]; NaN where there is none."""
    values = np.concatenate(stretches) if stretches else np.empty((0, 3))
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        return np.full(3, np.nan)
    mean = values.mean(axis=0)
    length = float(np.linalg.norm(mean))
    return mean / length if length else np.full(3, np.nan)
