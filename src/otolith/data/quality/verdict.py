"""What windows turned back under many hypotheses say: which unit, rate or sign makes gravity stand still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otolith.data.quality.turning import DEGREES, MIRRORS, SCALES, Floats, column

CLEAR = 0.03
"""Misfits that differ by less do not tell two hypotheses apart."""

_STARK = 0.4
_FAST = 5.0  # rad/s on average; arms and legs seldom reach it, in degrees everything does
_SMEARED = 0.5  # turned by degrees as if they were radians, gravity is anywhere


@dataclass(frozen=True)
class Demands:
    """What it takes to believe a hypothesis.

    Attributes:
        windows: Windows that tell it from what is declared.
        share: Share of them that favour it.
        gain: Its misfit at most, as a share of that of what is declared.
        over_rest: Share of windows in which it is better than no turning at all.
        misfit: Its misfit at most.
    """

    windows: int
    share: float
    gain: float
    over_rest: float
    misfit: float


TOGETHER = Demands(windows=10, share=0.7, gain=0.67, over_rest=0.6, misfit=0.3)
ALONE = Demands(windows=6, share=0.85, gain=0.5, over_rest=0.75, misfit=0.12)
"""For one recording. Where samples were cut out, gravity turns less than the gyroscope says: that is no wrong rate."""

_BLATANT = Demands(windows=3, share=0.7, gain=_STARK, over_rest=0.0, misfit=0.3)
"""For degrees, of one recording or of all: nothing else turns so fast."""


@dataclass(frozen=True)
class Fault:
    """A hypothesis that explains what the declared units and rate do not.

    Attributes:
        cause: `degrees`, `radians`, `slow` (the declared rate is half), `fast` (it is twice), `mirror`, or `cut`: no
            turning explains more than what the gyroscope says.
        column: Which hypothesis of `turning`.
        before: Median misfit as declared.
        after: Median misfit under the hypothesis.
        windows: How many windows tell the two apart.
    """

    cause: str
    column: int
    before: float
    after: float
    windows: int


@dataclass(frozen=True)
class Versus:
    """How often hypothesis `here` fits better than `there`, of the windows that tell them apart, and both medians."""

    windows: int
    share: float
    here: float
    there: float


def versus(misfit: Floats, here: int, there: int) -> Versus:
    """Compares two hypotheses over windows [W, K]."""
    gap = misfit[:, there] - misfit[:, here]
    clear = np.abs(gap) > CLEAR
    if not clear.any():
        return Versus(0, 0.0, float("nan"), float("nan"))
    medians = np.median(misfit[clear][:, [here, there]], axis=0)
    return Versus(int(clear.sum()), float((gap[clear] > 0).mean()), float(medians[0]), float(medians[1]))


def judge(misfit: Floats, speed: float, demands: Demands) -> list[Fault]:
    """The faults that windows show: of the gyroscope's unit and of the rate, else of its axes.

    Args:
        misfit: [W, K].
        speed: Typical rate of turn as declared, in rad/s.
        demands: What it takes.
    """
    faults, unit = [], 1.0
    degrees = _fault(misfit, "degrees", 1 / DEGREES, 1.0, _BLATANT) if speed > _FAST else None
    if degrees and degrees.before > _SMEARED:
        faults, unit = [degrees], 1 / DEGREES
    elif (radians := _fault(misfit, "radians", DEGREES, 1.0, demands)) and _over_rest(misfit, radians, demands):
        faults, unit = [radians], DEGREES
    for cause, scale in (("slow", 0.5), ("fast", 2.0)):
        fault = _fault(misfit, cause, unit * scale, unit, demands)
        if fault and _over_rest(misfit, fault, demands):
            faults.append(fault)
    return faults or _of_axes(misfit, demands)


def settled(misfit: Floats) -> bool:
    """Whether windows [W, K] tell a rate that is wrong by 2 from the declared one, and speak against it."""
    against = [versus(misfit, column(1), column(scale)) for scale in (0.5, 2)]
    return all(v.windows >= TOGETHER.windows and v.share >= TOGETHER.share for v in against)


def _of_axes(misfit: Floats, demands: Demands) -> list[Fault]:
    cases = [
        fault
        for k in range(len(SCALES), len(SCALES) + len(MIRRORS))
        if (fault := _compared(misfit, "mirror", k, column(1), demands))
        and fault.after < _STARK * fault.before
        and _over_rest(misfit, fault, demands)
    ]
    if cases:
        return [min(cases, key=lambda fault: fault.after)]
    still = _fault(misfit, "cut", 0.0, 1.0, demands)
    return [still] if still else []


def _fault(misfit: Floats, cause: str, scale: float, declared: float, demands: Demands) -> Fault | None:
    return _compared(misfit, cause, column(scale), column(declared), demands)


def _compared(misfit: Floats, cause: str, here: int, declared: int, demands: Demands) -> Fault | None:
    found = versus(misfit, here, declared)
    enough = found.windows >= demands.windows and found.share >= demands.share
    if not enough or found.here > min(demands.gain * found.there, demands.misfit):
        return None
    return Fault(cause, here, found.there, found.here, found.windows)


def _over_rest(misfit: Floats, fault: Fault, demands: Demands) -> bool:
    """A gyroscope that says nothing must not do as well: then any smaller turn would."""
    rest = versus(misfit, fault.column, column(0))
    return rest.windows >= demands.windows // 2 and rest.share >= demands.over_rest
