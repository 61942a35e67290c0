"""What numbers alone tell of units and clocks: gravity at rest and how it turns, steps of time."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import GRAVITY, to_si
from otolith.data.importers.clocks import MAX_REPEATED, evened, ordinary_rate
from otolith.data.recording import quietest
from otolith.data.signal import lowpass, spread

Floats = NDArray[np.float64]

USUAL_RATES = (10, 20, 25, 30, 32, 40, 50, 60, 64, 75, 80, 100, 120, 128, 200, 250, 256, 400, 500, 512, 1000)
"""Samples per second that most devices offer."""

_LIKELY = (5.0, 1000.0)
"""Hz in which motion is recorded; each step of time lies in it in at most one unit."""

_TURN, _TURN_FACTOR = 0.65, 6.0
"""How fast gravity turns as a share of what a gyroscope in rad/s says, and by what factor that varies. It is not 1, as
limbs are also accelerated: of 1408 recordings of six sets (WISDM, HAPT, MotionSense, TUG, DSADS, SPAR) all lie between
0.10 and 3.4, all but one within this factor; units differ by 57."""


@dataclass(frozen=True)
class Finding:
    """A guess.

    Attributes:
        value: What is proposed; empty if the numbers do not tell.
        why: The evidence, a few words.
    """

    value: str
    why: str


@dataclass(frozen=True)
class Rest:
    """What a triad of acceleration shows of gravity.

    Attributes:
        magnitude: Mean magnitude over the quietest tenth of seconds.
        spread: Its spread within such a second, as a share of it.
        mean: Length of the mean over two seconds, of nearly all (the 90th percentile). Nobody goes on gaining speed, so
            movement leaves little in it: 0.7 to 2.2 g in 1408 recordings of six sensors, jogging included.
        share: `mean` as a share of the root mean square: above 0.48 in all of them, and 0.1 to 0.4 where gravity has
            been taken out of a movement.
        change: Standard deviation of the magnitude as a share of its mean. Of two triads without names, acceleration is
            the steadier one.
    """

    magnitude: float
    spread: float
    mean: float
    share: float
    change: float

    @property
    def resting(self) -> bool:
        """Whether there is rest in the recording at all."""
        return self.spread < 0.05


def rest(signal: Floats, rate: float) -> Rest | None:
    """What acceleration [T, 3] in any unit shows of gravity; None if no two seconds of it are whole."""
    magnitude, spread = quietest(signal.astype(np.float32), rate)
    length = max(2, round(2 * rate))
    count = len(signal) // length
    means = np.linalg.norm(signal[: count * length].reshape(count, length, 3).mean(axis=1), axis=1)
    means = means[np.isfinite(means)]
    total = float(np.sqrt(np.nanmean((signal**2).sum(axis=1)))) if np.isfinite(signal).all(axis=1).any() else 0.0
    if not np.isfinite(magnitude) or not means.size or not total > 0:
        return None
    mean = float(np.quantile(means, 0.9))
    sizes = np.linalg.norm(signal, axis=1)
    return Rest(magnitude, spread, mean, mean / total, float(np.nanstd(sizes) / np.nanmean(sizes)))


def acceleration_unit(found: Rest) -> tuple[Finding, float]:
    """The unit in which gravity is one g, and what the numbers must be multiplied by to be in it; empty if in none."""
    if found.share < 0.45:
        why = f"over two seconds its mean is {found.mean:.3g}, {found.share:.0%} of a single value: no gravity in it"
        return Finding("", why), 1.0
    one = {unit: GRAVITY / to_si(unit)[1] for unit in ("g", "m/s^2", "mg")}
    at_rest = found.magnitude
    if found.resting:
        near = [unit for unit, size in one.items() if 0.85 < at_rest / size < 1.15]
        if near:
            return Finding(near[0], f"at rest its magnitude is {at_rest:.4g}: {near[0]}, with gravity"), 1.0
        for power in range(5, 16):
            if 0.95 < at_rest / 2**power < 1.05:
                why = f"at rest its magnitude is {at_rest:.5g}, near {2**power}: counts, {2**power} to the g"
                return Finding("g", why), 2.0**-power
    for unit, size in one.items():
        if 0.4 < found.mean / size < 2.5:
            why = f"over two seconds its mean is {found.mean:.3g}, which only in {unit} is near to one g"
            return Finding(unit, why), 1.0
    return Finding("", f"at its quietest its magnitude is {at_rest:.4g}, in no known unit (g, m/s^2, mg) gravity"), 1.0


@dataclass(frozen=True)
class Turning:
    """How gravity turns beside what a gyroscope says.

    Attributes:
        ratio: How fast gravity turns, as a share of what the numbers say if they are rad/s.
        agreement: Correlation of the two turnings; near 1 where limbs are turned rather than thrown.
        gain: The same share as `ratio`, measured there.
        precise: Whether gravity was given apart from movement, so that `gain` is right to a few percent.
    """

    ratio: float
    agreement: float
    gain: float
    precise: bool


def turning(up: Floats, gyro: Floats, rate: float, *, gravity: bool = False) -> Turning | None:
    """Compares the turning of acceleration [T, 3] with the angular rate [T, 3] of the same device.

    In the device's frame a direction fixed in the world turns by du/dt = u x omega.

    Args:
        up: Acceleration, or gravity alone.
        gyro: Angular rate.
        rate: Samples per second.
        gravity: Whether `up` is gravity alone, as phones compute it; movement then need not be averaged out.

    Returns:
        None where there is too little.
    """
    if rate < 8 or len(up) < 4 * rate:
        return None
    how = ((0.0, 4 / rate),) * 2 if gravity else ((2.0, 0.3), (1.0, 1.0))
    quick, slow = (_turned(up, gyro, rate, cutoff, span) for cutoff, span in how)
    if quick is None or slow is None:
        return None
    d, c = quick
    ratio = float(np.median(np.linalg.norm(d, axis=1) / np.linalg.norm(c, axis=1)))
    d, c = slow
    across = float((d * c).sum())
    return Turning(ratio, across / float(np.sqrt((d**2).sum() * (c**2).sum())), across / float((c**2).sum()), gravity)


def _turned(up: Floats, gyro: Floats, rate: float, cutoff: float, span: float) -> tuple[Floats, Floats] | None:
    """How much u changed over `span` seconds and what the gyroscope says, in the tenth that turned most."""
    smooth = lowpass(up, rate, cutoff) if cutoff else up
    with np.errstate(invalid="ignore", divide="ignore"):
        u = smooth / np.linalg.norm(smooth, axis=1, keepdims=True)
    steps = max(1, round(span * rate))
    angle = np.cumsum(np.nan_to_num(gyro), axis=0) / rate
    change, said = u[steps:] - u[:-steps], np.cross((u[steps:] + u[:-steps]) / 2, angle[steps:] - angle[:-steps])
    sound = np.isfinite(change).all(axis=1) & np.isfinite(gyro[steps:]).all(axis=1)
    change, said = change[sound], said[sound]
    size = np.linalg.norm(said, axis=1)
    if len(size) < 2 * rate or not size.any():
        return None
    most = (size >= np.quantile(size, 0.9)) & (size > 0)
    return change[most], said[most]


def gyroscope_unit(found: Turning | None, gyro: Floats) -> Finding:
    """The unit in which gravity turns as the gyroscope says."""
    known = np.abs(gyro[np.isfinite(gyro)])
    peak = float(known.max()) if known.size else 0.0
    if found is not None and found.ratio > 0:
        factors = {unit: to_si(unit)[1] for unit in ("rad/s", "deg/s", "mdeg/s")}
        unit = min(factors, key=lambda name: abs(log(found.ratio / (_TURN * factors[name]))))
        said = "as fast as" if unit == "rad/s" else f"{1 / found.ratio:.3g} times slower than"
        why = f"gravity turns {said} these numbers say in rad/s (agreement {found.agreement:.2f}): {unit}"
        if abs(log(found.ratio / (_TURN * factors[unit]))) < log(_TURN_FACTOR):
            return Finding(unit, why)
        return Finding(
            "", f"gravity turns {found.ratio:.3g} times as fast as these numbers say in rad/s, as in no unit"
        )
    if peak > 70:  # 4000 deg/s in rad/s
        return Finding(
            "deg/s", f"it reaches {peak:.4g}, which no gyroscope does in rad/s; deg/s is likely, mdeg/s possible"
        )
    return Finding("", f"nothing shows how fast it turns (it reaches {peak:.3g}): rad/s or deg/s")


def rate_from_turning(found: Turning | None, factor: float, assumed: float) -> Finding:
    """Samples per second at which gravity turns as a gyroscope in a known unit says.

    Args:
        found: At `assumed` samples per second.
        factor: What turns the gyroscope's numbers into rad/s.
        assumed: Samples per second.
    """
    if found is None or found.gain <= 0 or found.agreement < 0.5:
        return Finding("", "no column of time, and nothing in the numbers says how many samples there are in a second")
    measured = assumed * found.gain / factor
    if found.agreement < 0.9:
        return Finding(
            "", f"no column of time; gravity turns as the gyroscope says at some {measured:.2g} Hz, too vaguely"
        )
    near = min(USUAL_RATES, key=lambda usual: abs(log(usual / measured)))
    reach = 0.1 if found.precise else 0.25
    others = [f"{usual:g}" for usual in USUAL_RATES if usual != near and abs(log(usual / measured)) < reach]
    why = f"no column of time; gravity turns as the gyroscope says at about {measured:.3g} Hz"
    return Finding(f"{near:g}", why + (f", so {', '.join(others)} are possible too" if others else ""))


@dataclass(frozen=True)
class Clock:
    """A column of time.

    Attributes:
        unit: `s`, `ms`, `us`, `ns`; empty if the numbers do not tell.
        rate: Samples per second in that unit.
        why: The evidence.
        coarse: Whether so many samples share a time that the rate has to be stated.
    """

    unit: str
    rate: float
    why: str
    coarse: bool = False


def clock(times: Floats, first: float, said: str = "") -> Clock | None:
    """What a column that never goes back is as a time; None if it is none.

    Args:
        times: [T] counted from the first row.
        first: What the first row says.
        said: The unit that its name says.
    """
    if len(times) < 8 or not np.isfinite(times).all() or (np.diff(times) < 0).any() or times[-1] <= 0:
        return None
    each = len(times) / len(np.unique(times))
    even = evened(times)
    coarse = not even and 1 - 1 / each > MAX_REPEATED
    rate = even[1] if even else spread(times)[1] if coarse else ordinary_rate(times)
    if rate <= 0:
        return None
    seconds = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
    epochs = [unit for unit, s in seconds.items() if 1e9 < first * s < 4e9]
    likely = [unit for unit, s in seconds.items() if _LIKELY[0] <= rate / s <= _LIKELY[1]]
    usual = "stamped in bursts, with a mean step of" if even else "the usual step is"
    step = f"{each:.3g} rows share each time, so they" if coarse else f"{usual} {1 / rate:.6g}, so rows"
    if said and likely and not 1 <= rate / seconds[said] <= 10_000:
        unit, because = likely[0], f"ITS NAME SAYS {said}, which no motion sensor would be in; likely"
    elif said:
        unit, because = said, "its name says"
    elif epochs:
        unit, because = epochs[0], "it counts from 1970 in"
    elif likely:
        unit, because = likely[0], "likely only in"
    else:
        return Clock("", rate, f"{step} come at {rate:.4g} a unit, which no unit makes a likely rate", coarse)
    hertz = rate / seconds[unit]
    return Clock(unit, hertz, f"{because} {unit}; {step} come at {hertz:.4g} Hz", coarse)


def is_counter(times: Floats) -> bool:
    """Whether it goes up by one from row to row, as the number of a row does."""
    steps = np.diff(times)
    return bool(len(steps) and (steps == 1).all())
