"""How the clocks of devices that were worn together go into one: by their own time, by an offset, or by a movement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from otolith.data.importers.rows import MAX_VALUES
from otolith.data.importers.session import Session, Stream
from otolith.data.signal import lowpass, to_uniform
from otolith.types import ConfigError, DataError

_RATE = 50.0
_BAND = (2.0, 15.0)
"""Hz. Below it, ways of moving resemble each other too much: repetitions of one exercise by two people do."""
_WINDOW = 250
"""Samples that are compared at once, 5 s."""
_QUIET = 0.7
"""Root mean square in m/s^2 below which a stretch is not looked at."""
_ENDS, _AT_ENDS, _ANYWHERE = 120.0, 8, 16
"""Of the first and last two minutes of each recording 8 stretches are compared, and 16 of all of it."""
_LOBE = 15
"""Samples around a peak that belong to it."""
_AGREE, _RIVAL = 0.88, 0.93
"""Least agreement, and most of it that a second offset may reach. Of 60 pairs of recordings of different people with
one movement in common, 58 agreed with 0.97 or more at the right offset and were told; 60 pairs without one agreed with
at most 0.86."""
_NEAR = 60.0
"""Seconds by which the clocks of two devices that know the time may differ."""
_DRIFT_SECONDS, _MOST_DRIFT = 600.0, 500e-6
"""Shared movements so far apart tell how the clocks drift, and more than this no clock does."""


@dataclass(frozen=True)
class Clocks:
    """How each session's clock goes into that of the first: `t * (1 + drift) + shift`, and why, a sentence each."""

    shifts: tuple[float, ...]
    drifts: tuple[float, ...]
    evidence: tuple[str, ...]


def by_clock(sessions: Sequence[Session]) -> Clocks:
    """By the absolute times in the files.

    Raises:
        ConfigError: A file has none.
        DataError: By these times they were not recorded together.
    """
    unknown = [session.name for session in sessions if session.started is None]
    if unknown:
        raise ConfigError(
            f"nothing in {unknown[0]} says when it was recorded: give --offset, or --sync shake if all the devices "
            "were shaken together"
        )
    first = sessions[0]
    shifts = [(session.started or 0.0) - (first.started or 0.0) for session in sessions]
    evidence = [f"{first.name}: began {_date(first)}"]
    for session, shift in zip(sessions[1:], shifts[1:], strict=True):
        here, there = _span(first), tuple(t + shift for t in _span(session))
        if min(here[1], there[1]) <= max(here[0], there[0]):
            raise DataError(
                f"by their own clocks {first.name} began {_date(first)} and {session.name} {_date(session)}, so they "
                "were not recorded together; import them apart, or give --offset"
            )
        evidence.append(f"{session.name}: began {there[0] - here[0]:+.3f} s from it by the devices' own clocks")
    return Clocks(tuple(shifts), (0.0,) * len(shifts), tuple(evidence))


def by_offset(sessions: Sequence[Session], offsets: Sequence[float]) -> Clocks:
    """By the seconds that each session after the first one began later than the first."""
    first = _span(sessions[0])[0]
    shifts = [0.0, *(first + o - _span(s)[0] for s, o in zip(sessions[1:], offsets, strict=True))]
    evidence = [
        f"{s.name}: began {o:+.3f} s from {sessions[0].name}, as stated"
        for s, o in zip(sessions[1:], offsets, strict=True)
    ]
    return Clocks(tuple(shifts), (0.0,) * len(shifts), tuple(evidence))


def by_shake(sessions: Sequence[Session]) -> Clocks:
    """By a movement that all devices felt alike, such as being shaken in one hand.

    What is compared is the magnitude of acceleration, which is the same whatever the orientation of a device. Where
    files have absolute times, the offset is looked for within a minute of these.

    Raises:
        DataError: A session has no acceleration, or no offset, or more than one, makes a movement agree.
    """
    first, evidence = sessions[0], []
    shifts, drifts = [0.0], [0.0]
    known = all(session.started is not None for session in sessions)
    reference = _movement(first)
    for session in sessions[1:]:
        around = (session.started or 0.0) - (first.started or 0.0) if known else None
        match = align(reference, _movement(session), around)
        began = _span(session)[0] * (1 + match.drift) + match.shift - _span(first)[0]
        said = (
            f"{session.name}: began {began:+.3f} s from {first.name}; so a movement of 5 s agrees by {match.peak:.2f}, "
            f"and at the next best offset ({match.rival_offset:+.2f} s from there) by {match.rival:.2f}"
        )
        if match.peak < _AGREE or match.rival > _RIVAL * match.peak:
            why = "too little" if match.peak < _AGREE else "too much alike"
            raise DataError(f"{said}, which is {why} to tell when they were shaken together; give --offset")
        evidence.append(said + (f"; its clock runs by {-match.drift * 1e6:+.0f} ppm" if match.drift else ""))
        shifts.append(match.shift)
        drifts.append(match.drift)
    return Clocks(tuple(shifts), tuple(drifts), tuple(evidence))


@dataclass(frozen=True)
class Movement:
    """How strongly a device was moved: band-passed magnitude of acceleration [T] at 50 Hz, zero where it is missing."""

    start: float
    signal: NDArray[np.float64]


@dataclass(frozen=True)
class Match:
    """The offset at which two movements agree best.

    Attributes:
        shift: Seconds on the first clock when the second was zero.
        drift: Seconds that the second clock loses in a second; 0 where that cannot be told.
        peak: How well the best stretch agrees there: 2 sum(xy) / (sum(xx) + sum(yy)), 1 if alike in shape and size.
        rival: The same at the next best offset.
        rival_offset: Where that is, in seconds from the best.
    """

    shift: float
    drift: float
    peak: float
    rival: float
    rival_offset: float


def align(first: Movement, second: Movement, around: float | None = None) -> Match:
    """The offset and drift that bring a shared movement together.

    Args:
        first: One.
        second: The other.
        around: The shift near which to look; None looks everywhere.

    Raises:
        DataError: They are too short, or do not move, or not within reach.
    """
    a, b = first.signal, second.signal
    found = [(begin, _agreement(a, b[begin : begin + _WINDOW])) for begin in _strong(b)]
    back = [(begin, _agreement(b, a[begin : begin + _WINDOW])) for begin in _strong(a)]
    # By lag: samples from the first one's beginning to the second one's, moved so that the least is index 0.
    score = np.full(len(a) + len(b), -1.0)
    for begin, agreement in found:
        at = len(b) - begin
        score[at : at + len(agreement)] = np.maximum(score[at : at + len(agreement)], agreement)
    for begin, agreement in back:
        at = len(b) + begin - len(agreement) + 1
        score[at : at + len(agreement)] = np.maximum(score[at : at + len(agreement)], agreement[::-1])
    shifts = (np.arange(len(score)) - len(b)) / _RATE + first.start - second.start
    if around is not None:
        score[np.abs(shifts - around) > _NEAR] = -1.0
    best = int(np.argmax(score))
    if score[best] <= 0:
        raise DataError("the devices have no strong movement that could be the same; give --offset")
    others = score.copy()
    others[max(0, best - _LOBE) : best + _LOBE + 1] = -1.0
    rival = int(np.argmax(others))
    shift = float(shifts[best]) + _between(score, best) / _RATE
    drift, shift = _drift(first, second, shift, found)
    return Match(shift, drift, float(score[best]), max(0.0, float(others[rival])), float(shifts[rival] - shifts[best]))


def _strong(signal: NDArray[np.float64]) -> list[int]:
    """Where stretches of strong movement begin: near both ends, where people shake devices, and anywhere."""
    if len(signal) < _WINDOW:
        return []
    energy = _energy(signal)
    ends = round(_ENDS * _RATE)
    found: list[int] = []
    for part, most in ((slice(0, ends), _AT_ENDS), (slice(-ends, None), _AT_ENDS), (slice(None), _ANYWHERE)):
        left = energy[part].copy()
        base = range(len(energy))[part].start
        for _ in range(most):
            place = int(np.argmax(left))
            if left[place] < _WINDOW * _QUIET**2:
                break
            found.append(base + place)
            left[max(0, place - _WINDOW // 2) : place + _WINDOW // 2] = 0
    return sorted(set(found))


def _energy(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of squares of each stretch of `_WINDOW` samples."""
    total = np.r_[0.0, np.cumsum(signal**2)]
    energy: NDArray[np.float64] = total[_WINDOW:] - total[:-_WINDOW]
    return energy


def _agreement(signal: NDArray[np.float64], stretch: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well a stretch agrees with the signal at each place (Lin's concordance, of signals without a mean)."""
    size = next_fast_len(len(signal), real=True)
    both = irfft(rfft(signal, size) * np.conj(rfft(stretch, size)), size)[: len(signal) - _WINDOW + 1]
    agreement: NDArray[np.float64] = 2 * both / (_energy(signal) + float(np.sum(stretch**2)))
    return agreement


def _between(score: NDArray[np.float64], best: int) -> float:
    """Where between samples the peak is, by a parabola through three of them."""
    if not 0 < best < len(score) - 1 or min(score[best - 1], score[best + 1]) < 0:
        return 0.0
    left, top, right = score[best - 1 : best + 2]
    bend = left - 2 * top + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _drift(
    first: Movement, second: Movement, shift: float, found: list[tuple[int, NDArray[np.float64]]]
) -> tuple[float, float]:
    """How much the second clock loses and the shift with that, where movements far apart agree near the same offset."""
    times, shifts = [], []
    for begin, agreement in found:
        time = second.start + begin / _RATE
        expected = round((time + shift - first.start) * _RATE)
        reach = round(_MOST_DRIFT * len(second.signal)) + _LOBE
        low = max(0, expected - reach)
        near = agreement[low : max(0, expected + reach + 1)]
        if near.size and near.max() >= _AGREE:
            best = low + int(np.argmax(near))
            times.append(time)
            shifts.append((best + _between(agreement, best)) / _RATE + first.start - time)
    if not times or max(times) - min(times) < _DRIFT_SECONDS:
        return 0.0, shift
    x, y = np.array(times), np.array(shifts)
    one, other = np.triu_indices(len(x), 1)
    apart = np.abs(x[other] - x[one]) >= _DRIFT_SECONDS / 2
    slope = float(np.median((y[other] - y[one])[apart] / (x[other] - x[one])[apart]))
    base = float(np.median(y - slope * x))
    sound = abs(slope) <= _MOST_DRIFT and float(np.abs(y - slope * x - base).max()) < 0.05
    return (slope, base) if sound else (0.0, shift)


def _movement(session: Session) -> Movement:
    stream, columns = _acceleration(session)
    times, values = stream.times, np.linalg.norm(stream.values[:, columns].astype(np.float64), axis=1)
    if len(times) < 2 or times[-1] - times[0] < _WINDOW / _RATE:
        raise DataError(f"{session.name} is shorter than 5 s, too short to find a movement in it; give --offset")
    if (times[-1] - times[0]) * _RATE > MAX_VALUES / 10:
        raise DataError(f"{session.name} spans {(times[-1] - times[0]) / 86_400:.3g} days; cut it at its gaps")
    signal, start = to_uniform(times, values[:, None], _RATE, 0.25)
    band = lowpass(signal, _RATE, _BAND[1]) - lowpass(signal, _RATE, _BAND[0])
    return Movement(start, np.nan_to_num(band[:, 0].astype(np.float64)))


def _acceleration(session: Session) -> tuple[Stream, list[int]]:
    """The longest stream with three axes of acceleration, with gravity if there is one."""
    found = []
    for stream in session.streams:
        for gravity in (True, False):
            columns = [i for i, c in enumerate(stream.channels) if c.sensor == "acc" and c.gravity is gravity][:3]
            if len(columns) == 3:
                found.append((gravity, len(stream.times), stream, columns))
    if not found:
        raise DataError(f"{session.name} has no acceleration, by which devices are brought together; give --offset")
    _, _, stream, columns = max(found, key=lambda item: item[:2])
    return stream, columns


def _span(session: Session) -> tuple[float, float]:
    """First and last sample of any sensor, on the session's clock."""
    sampled = [stream.times for stream in session.streams if stream.times.size]
    if not sampled:
        raise DataError(f"session '{session.name}' has no samples; export it again")
    return min(float(times[0]) for times in sampled), max(float(times[-1]) for times in sampled)


def _date(session: Session) -> str:
    try:
        date = datetime.fromtimestamp((session.started or 0.0) + _span(session)[0], UTC)
    except (OverflowError, ValueError, OSError):
        return "at no possible date"
    return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")
