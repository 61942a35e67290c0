"""Accelerometer against gyroscope: units, rate and axes; `otolith.data.quality.turning` says by which law."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import GRAVITY
from otolith.data.quality.bodies import Body, bodies
from otolith.data.quality.findings import Concern, concern, several
from otolith.data.quality.turning import MIRRORS, SCALES, WINDOW_SECONDS, Floats, turned
from otolith.data.quality.verdict import ALONE, CLEAR, TOGETHER, Fault, judge, settled, versus
from otolith.data.recording import Recording

_LENGTHS = {
    GRAVITY: "m/s^2",
    1.0: "g",
    1000.0: "mg",
    1000 * GRAVITY: "mm/s^2",
    GRAVITY**2: "m/s^2 that were taken for g",
    2 * GRAVITY: "those of half the range that was assumed",
    GRAVITY / 2: "those of twice the range that was assumed",
}
"""How long gravity is where acceleration is not in m/s^2, and what the values then look like."""

_POOLED_RECORDINGS = 2000
_FEW = 10


@dataclass(frozen=True)
class _Seen:
    """Windows of one recording and body: misfits [W, K], typical rate of turn, length of gravity that fits best."""

    name: str
    rate: float
    speed: float
    length: float
    misfit: Floats


@dataclass(frozen=True)
class _Case:
    body: str
    rate: float
    fault: Fault
    names: tuple[str, ...]


class Gyroscope:
    """Judges each body that has an accelerometer with gravity and a gyroscope."""

    def __init__(self) -> None:
        self.total = 0
        self._seen: dict[str, list[_Seen]] = {}
        self._alone: dict[str, list[_Case]] = {}

    def see(self, recording: Recording) -> None:
        """Takes a recording into account."""
        self.total += 1
        for body in bodies(recording.channels):
            seen = _look(recording, body)
            if seen is None:
                continue
            pool = self._seen.setdefault(body.name, [])
            if len(pool) < _POOLED_RECORDINGS:
                pool.append(seen)
            self._alone.setdefault(body.name, []).extend(
                _Case(body.name, seen.rate, fault, (seen.name,))
                for fault in judge(seen.misfit, seen.speed, ALONE)
                if fault.cause != "mirror"  # too many to try on so few windows
            )

    @property
    def bodies(self) -> list[str]:
        """Those that could be looked at."""
        return list(self._seen)

    def curve(self, body: str) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        """How far gravity strays with the turn multiplied by a quarter to four.

        Returns:
            Scales [S]; the median misfit [S] at each, over the windows that tell 1 from both 0.5 and 2 (from either,
            where these are few), NaN where there are none; and the number of these windows.
        """
        misfit, one = self._pool(body), SCALES.index(1.0)
        from_half, from_double = (np.abs(misfit[:, SCALES.index(s)] - misfit[:, one]) > CLEAR for s in (0.5, 2.0))
        both, either = from_half & from_double, from_half | from_double
        telling = misfit[both if both.sum() >= _FEW else either]
        columns = [k for k, scale in enumerate(SCALES) if 0.2 < scale < 5]
        median = np.median(telling[:, columns], axis=0) if len(telling) else np.full(len(columns), np.nan)
        return np.array([SCALES[k] for k in columns]), median.astype(np.float64), len(telling)

    def settled(self, body: str) -> bool:
        """Whether the windows of a body confirm the declared rate."""
        return body in self._seen and settled(self._pool(body))

    def faults(self, body: str) -> list[Fault]:
        """What the recordings of a body say together."""
        speed = float(np.median([seen.speed for seen in self._seen[body]]))
        return judge(self._pool(body), speed, TOGETHER)

    def concerns(self, unit_known: Collection[str] = ()) -> list[Concern]:
        """Wrong units, rates and axes, with the evidence.

        Args:
            unit_known: Bodies whose accelerometer has been found to have the wrong unit; not said again.
        """
        cases: list[_Case] = []
        for body, pool in self._seen.items():
            faults = self.faults(body)
            for fault in faults:
                names = tuple(s.name for s in pool if _in_favour(s.misfit, fault))
                cases.append(_Case(body, Counter(s.rate for s in pool).most_common(1)[0][0], fault, names))
            if not faults:  # else what single recordings show follows from it
                cases += self._alone[body]
        groups: dict[tuple[str, float, int], list[_Case]] = {}
        for case in cases:
            cause = case.fault.cause
            rate = case.rate if cause in ("slow", "fast") else 0.0
            groups.setdefault((cause, rate, case.fault.column), []).append(case)
        return [*self._of_length(unit_known), *(_say(group, self.total) for group in groups.values())]

    def _pool(self, body: str) -> Floats:
        return np.concatenate([seen.misfit for seen in self._seen[body]])

    def _of_length(self, unit_known: Collection[str]) -> list[Concern]:
        """Accelerometers whose gravity has another length, although they never rest."""
        found: dict[float, dict[str, list[str]]] = {}
        for body, pool in self._seen.items():
            sure = [seen for seen in pool if np.median(seen.misfit.min(axis=1)) < ALONE.misfit]
            for length, cases in Counter(seen.length for seen in sure).items():
                if length != GRAVITY and 2 * cases > len(sure) and body not in unit_known:
                    found.setdefault(length, {})[body] = [seen.name for seen in sure if seen.length == length]
        return [
            concern("unit", True, f"gravity is {length:.4g} m/s^2 long at {several('the accelerometer', where)}, not "
                    f"9.81 (turned back by the gyroscope): values look like {_LENGTHS[length]}; give the unit as it is",
                    list(dict.fromkeys(name for names in where.values() for name in names)), self.total)
            for length, where in found.items()
        ]  # fmt: skip


def _look(recording: Recording, body: Body) -> _Seen | None:
    acc, gyro = body.first("acc", True), body.first("gyro")
    if acc is None or gyro is None:
        return None
    windows = turned(acc.of(recording.signal), gyro.of(recording.signal), recording.rate)
    if windows is None:
        return None
    lengths = list(_LENGTHS)
    misfits = [windows.misfit(length) for length in lengths]
    best = int(np.argmin([np.median(m.min(axis=1)) for m in misfits]))
    return _Seen(recording.name, recording.rate, windows.speed, lengths[best], misfits[best])


def _in_favour(misfit: Floats, fault: Fault) -> bool:
    found = versus(misfit, fault.column, SCALES.index(1.0))
    return found.windows > 0 and found.share > 0.5


def _say(cases: Sequence[_Case], total: int) -> Concern:
    """One sentence for one cause at several bodies; the evidence is that of the body with most windows."""
    best = max(cases, key=lambda case: case.fault.windows)
    names = list(dict.fromkeys(name for case in cases for name in case.names))
    where = list(dict.fromkeys(case.body for case in cases))
    gyroscope = several("the gyroscope", where)
    axes = _axes(best.fault) if best.fault.cause == "mirror" else ""
    kind, severe, what, change, mend = {
        "degrees": ("unit", True, f"{gyroscope} looks like deg/s declared as rad/s", "with the turn divided by 57.3",
                    "give the unit as deg/s"),
        "radians": ("unit", True, f"{gyroscope} looks 57.3 times too small", "with the turn multiplied by 57.3",
                    "it was in rad/s already: do not take it for deg/s"),
        "slow": ("rate", True, _of_rate("low", best.rate, 2 * best.rate, where), "with half the turn",
                 "correct the rate"),
        "fast": ("rate", True, _of_rate("high", best.rate, best.rate / 2, where), "with twice the turn",
                 "correct the rate"),
        "mirror": ("axes", True, f"{gyroscope} looks mirrored in {axes} against the accelerometer", "mirrored",
                   "reverse these axes of one of them"),
        "cut": ("disagreement", False, f"{gyroscope} turns more than gravity does", "not turned back at all",
                "see whether samples were cut out or clipped, and whether both sensors have the same axes and clock"),
    }[best.fault.cause]  # fmt: skip
    before, after = f"{best.fault.before:.0%}", f"{best.fault.after:.0%}"
    evidence = (
        f"turned back by the gyroscope, gravity strays by {before}, and {change} by {after} "
        f"({best.fault.windows} windows of {WINDOW_SECONDS:g} s)"
    )
    return concern(kind, severe, f"{what}: {evidence}; {mend}",
                   names, total)  # fmt: skip


def _of_rate(word: str, declared: float, fits: float, where: Sequence[str]) -> str:
    return f"{several('the sampling rate', where)} looks too {word} by 2 ({declared:g} Hz declared, {fits:g} Hz fits)"


def _axes(fault: Fault) -> str:
    signs = MIRRORS[fault.column - len(SCALES)]
    return " and ".join(axis for axis, sign in zip("xyz", signs, strict=True) if sign < 0)
