"""A recording: one continuous signal of one person, its channels, and what was done when."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import GRAVITY, NORMALISED, SENSORS, Channel
from otolith.types import MAX_CHANNELS, DataError, UnitError

MIN_SAMPLES = 8


@dataclass(frozen=True)
class Annotation:
    """An activity from `start` to `end`, in seconds from the recording's first sample."""

    start: float
    end: float
    activity: str


def runs(*labels: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """First row, and the one after the last, of each stretch of rows in which none of the `labels` [T] changes."""
    new = np.arange(len(labels[0])) == 0
    for column in labels:
        new[1:] |= column[1:] != column[:-1]
    return pairwise([*np.flatnonzero(new).tolist(), len(new)])


def annotate(
    labels: NDArray[np.integer], times: NDArray[np.floating], duration: float, activities: Sequence[str]
) -> tuple[Annotation, ...]:
    """What was done, from a label for each sample: each stretch of one label, up to the first sample of the next one.

    Args:
        labels: [T] where in `activities` the label of each sample is.
        times: [T] seconds from the recording's first sample, never going back.
        duration: Seconds of the recording at which the last label ends; what lies outside is left out.
        activities: What the labels mean; empty for one that says nothing.
    """
    starts = np.clip(np.append(times, duration), 0.0, duration)
    stretches = (
        Annotation(float(starts[first]), float(starts[after]), activities[labels[first]])
        for first, after in runs(labels)
    )
    return tuple(note for note in stretches if note.activity and note.start < note.end)


@dataclass(frozen=True)
class Recording:
    """One continuous recording on one clock.

    Attributes:
        signal: float32 [T, C] in SI; NaN marks samples that are missing (and nothing else).
        rate: Samples per second.
        channels: One for each column of `signal`.
        subject: Who wore it; splits are by subject.
        name: Unique within the dataset.
        annotations: Activities in seconds; they do not overlap.
        session: Recordings of one person at one time, each on its own clock (watch and camera, accelerometer at 100 Hz
            and heart rate at 9 Hz), name the same session; empty where there is only this one.
        offset: Seconds from the beginning of the session to the first sample.
    """

    signal: NDArray[np.float32]
    rate: float
    channels: tuple[Channel, ...]
    subject: str
    name: str
    annotations: tuple[Annotation, ...] = ()
    session: str = ""
    offset: float = 0.0

    def __post_init__(self) -> None:
        where = f"recording '{self.name}'"
        if self.signal.ndim != 2 or self.signal.dtype != np.float32:
            raise DataError(
                f"{where}: the signal must be float32 [samples, channels], "
                f"not {self.signal.dtype} {list(self.signal.shape)}"
            )
        samples, columns = self.signal.shape
        if samples < MIN_SAMPLES:
            raise DataError(
                f"{where}: {samples} samples are too few to recognise anything, give at least {MIN_SAMPLES}"
            )
        if columns != len(self.channels):
            raise DataError(f"{where}: {columns} columns but {len(self.channels)} channels, describe each column")
        worn = sum(channel.sensor != "position" for channel in self.channels)  # a skeleton may have more
        if columns < 1 or worn > MAX_CHANNELS:
            raise DataError(f"{where}: {columns} channels, but 1 to {MAX_CHANNELS} can be used; choose fewer")
        twice = [name for name, count in Counter(c.name for c in self.channels).items() if count > 1]
        if twice:
            raise DataError(f"{where}: channel '{twice[0]}' occurs twice; give each channel its own name")
        if not (np.isfinite(self.rate) and 1 <= self.rate <= 10_000):
            raise DataError(f"{where}: a rate of {self.rate} Hz is not plausible, give samples per second (1 to 10000)")
        if not np.isfinite(self.offset) or (self.offset and not self.session):
            raise DataError(f"{where}: an offset of {self.offset} s needs a session in which it is counted")
        if np.isinf(self.signal).any():
            raise DataError(
                f"{where}: infinite values in channel '{self._first(np.isinf(self.signal))}'; "
                "replace them by NaN where samples are missing"
            )
        self._check_annotations(where)

    def _first(self, bad: NDArray[np.bool_]) -> str:
        return self.channels[int(np.argmax(bad.any(axis=0)))].name

    def _check_annotations(self, where: str) -> None:
        end = 0.0
        for note in sorted(self.annotations, key=lambda a: a.start):
            if not (0 <= note.start < note.end <= self.duration + 1 / self.rate):
                raise DataError(
                    f"{where}: annotation '{note.activity}' from {note.start:.3f} s to {note.end:.3f} s lies "
                    f"outside the {self.duration:.3f} s of signal, or ends before it starts"
                )
            if note.start < end - 0.5 / self.rate:
                raise DataError(
                    f"{where}: annotation '{note.activity}' at {note.start:.3f} s overlaps the one before it"
                )
            end = note.end

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return float(self.signal.shape[0] / self.rate)


@dataclass(frozen=True)
class Finding:
    """Something about a recording that a person should know.

    Attributes:
        kind: `unit`, `range`, `gravity`, `stuck`, `missing`.
        severe: Whether recognition would be worthless.
        text: One sentence.
        channel: The channel, or what the names of a sensor's three channels share (`waist_acc`); empty for all.
    """

    kind: str
    severe: bool
    text: str
    channel: str = ""


def check_physics(recording: Recording) -> list[Finding]:
    """Looks at the numbers for signs of a wrong unit, removed gravity, stuck or missing channels.

    At rest an accelerometer reads 9.81 m/s² whatever its orientation; this is the one absolute reference that every
    motion recording carries.
    """
    return [*_ranges(recording), *_rest(recording)]


def refuse_implausible(recording: Recording) -> list[Finding]:
    """`check_physics`, raising on the first severe finding; the others are returned.

    Raises:
        UnitError: A value that no such sensor can give, or a rest magnitude far from gravity.
    """
    findings = check_physics(recording)
    for finding in findings:
        if finding.severe:
            raise UnitError(f"recording '{recording.name}': {finding.text}")
    return findings


def _ranges(recording: Recording) -> list[Finding]:
    findings = []
    missing = np.isnan(recording.signal)
    for index, channel in enumerate(recording.channels):
        values = recording.signal[~missing[:, index], index]
        if values.size == 0:
            text = f"channel '{channel.name}' has no values at all; leave it out"
            findings.append(Finding("missing", True, text, channel.name))
            continue
        peak = float(np.abs(values).max())
        limit = SENSORS[channel.sensor].limit
        if channel.unit != NORMALISED and peak > limit:
            findings.append(
                Finding(
                    "range",
                    True,
                    f"channel '{channel.name}' reaches {peak:.4g} {channel.unit}, beyond "
                    f"the {limit:.4g} that such a sensor can give; {_likely_unit(channel, peak)}",
                    channel.name,
                )
            )
        if values.size > MIN_SAMPLES and np.ptp(values) == 0:
            findings.append(Finding("stuck", False, f"channel '{channel.name}' never changes", channel.name))
    share = float(missing.any(axis=1).mean())
    if share > 0:
        findings.append(Finding("missing", False, f"{share:.1%} of the samples are missing"))
    return findings


def _likely_unit(channel: Channel, peak: float) -> str:
    if channel.sensor == "gyro" and peak < math.degrees(SENSORS["gyro"].limit):
        return "values look like deg/s: give the unit as deg/s"
    return "check the unit"


def rest_magnitude(signal: NDArray[np.float32], rate: float) -> float:
    """Mean magnitude [same unit] of a three-axis signal [T, 3] over its quietest tenth of seconds.

    NaN when there is no full second of data.
    """
    return quietest(signal, rate)[0]


def quietest(signal: NDArray[np.float32], rate: float) -> tuple[float, float]:
    """Mean magnitude of a signal [T, 3] over its quietest tenth of seconds, and the spread there as a share of it."""
    length = max(2, round(rate))
    count = len(signal) // length
    if count == 0:
        return float("nan"), float("nan")
    # In double precision: nonsense such as 1e30 m/s^2 must reach its sentence, not overflow here.
    magnitude = np.linalg.norm(signal[: count * length].astype(np.float64), axis=1).reshape(count, length)
    spread = magnitude.std(axis=1)
    whole = np.isfinite(spread)
    if not whole.any():
        return float("nan"), float("nan")
    quiet = whole & (spread <= np.quantile(spread[whole], 0.1))
    # Not the median: to one who jumps without pause, most moments are flight, in which nothing is felt.
    rest = float(magnitude[quiet].mean())
    return rest, float(np.median(spread[quiet])) / max(rest, 1e-12)


def _rest(recording: Recording) -> list[Finding]:
    from otolith.data.channels import triads

    findings = []
    for columns in (c for body in triads(recording.channels).values() for c in body):
        first = recording.channels[columns[0]]
        if first.sensor != "acc" or first.unit == NORMALISED:
            continue
        findings += judge_rest(first, *quietest(recording.signal[:, columns], recording.rate))
    return findings


def judge_rest(channel: Channel, rest: float, spread: float) -> list[Finding]:
    """What `quietest` of an accelerometer says about its unit and its gravity; `channel` is the first of the three."""
    name = channel.name.removesuffix("_x")
    if not np.isfinite(rest):
        return []
    # A whole recording of jogging or of arm raises has no rest: its quietest seconds reach 2.8 g and swing by a sixth
    # or more, where real rest stays within a tenth. Only a wrong unit goes beyond 4 g there.
    resting = spread < 0.1
    if channel.gravity and not 0.5 * GRAVITY < rest < (1.6 if resting else 4.0) * GRAVITY:
        text = f"'{name}' reads {rest:.3g} m/s^2 at its quietest where gravity alone gives 9.81; {likely_cause(rest)}"
        return [Finding("unit", True, text, name)]
    if channel.gravity is False and resting and rest > 0.8 * GRAVITY:
        return [
            Finding(
                "gravity",
                False,
                f"'{name}' is said to be without gravity, but reads {rest:.3g} m/s^2 at its quietest",
                name,
            )
        ]
    return []


def likely_cause(rest: float) -> str:
    """What an accelerometer with gravity suffers from whose `quietest` magnitude is far from 9.81."""
    if 0.8 < rest < 1.3:
        return "values look like g: give the unit as g"
    if rest < 0.5 * GRAVITY:
        return "gravity looks removed: say so"
    return f"values look {rest / GRAVITY:.0f} times too large"
