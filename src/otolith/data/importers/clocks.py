"""The streams of a session on a common time base: what moves together side by side, what is slow beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import Channel
from otolith.data.importers.rows import MAX_VALUES
from otolith.data.importers.session import Session, Stream
from otolith.data.recording import MIN_SAMPLES, Annotation, Recording, refuse_implausible
from otolith.data.signal import merge_streams, spread
from otolith.types import ConfigError, DataError

RATE_TOLERANCE = 0.02
"""Relative difference above which a stated rate contradicts the times."""

MAX_REPEATED = 0.05
"""Share of samples with the time of the one before, above which the clock is coarse or the samples came in packets."""

SHORT_GAP = 0.1
"""Seconds that are always bridged, and so are three samples."""

_MOTION = ("acc", "gyro", "mag", "orientation")
_COMPARABLE = 0.25
"""Share of the fastest motion sensor's rate above which another one joins its grid, as a slower magnetometer does."""
_COVERS = 0.5
"""Share of the longest stream's time that one must cover to join the grid, which ends where one of its streams ends."""
_SLOWEST = 0.5
"""Samples per second below which a stream is left out; a recording has 1 or more."""
_NOTED = 0.5
"""Seconds at either end that are left out without a word."""


@dataclass(frozen=True)
class _Timed:
    """A stream whose times are all different, and its rate."""

    times: NDArray[np.float64]
    values: NDArray[np.floating]
    channels: tuple[Channel, ...]
    rate: float
    source: str

    @property
    def seconds(self) -> float:
        return float(self.times[-1] - self.times[0])

    @property
    def moves(self) -> bool:
        return any(channel.sensor in _MOTION for channel in self.channels)


def recordings(session: Session) -> tuple[list[Recording], list[str]]:
    """The recordings of a session, and what a person should know about them, one sentence each.

    Motion sensors of comparable rate come on one even grid, at the rate of the fastest, over the time that all of them
    cover; each other stream is a recording of its own in the same session. Gaps longer than 0.1 s (and than three
    samples) become NaN, shorter ones are filled linearly; where many samples share a time they are spread evenly.

    Raises:
        DataError: No stream is long enough, or the times span more than can be held.
        UnitError: The numbers are not what they are said to be.
    """
    notes = list(session.notes)
    timed = [t for stream in session.streams for t in _settled(stream, notes)]
    if not timed:
        raise DataError(f"session '{session.name}' has no sensor with {MIN_SAMPLES} samples or more; record it again")
    made = [_on_one_grid(group, notes) for group in _groups(timed, notes)]
    beginning = min(start for _, start, _, _ in made)
    found: list[Recording] = []
    for number, (signal, start, rate, channels) in enumerate(made):
        duration = len(signal) / rate
        recording = Recording(
            signal,
            rate,
            channels,
            session.subject,
            _name(session.name, channels, {r.name for r in found}) if number else session.name,
            tuple(within(session.annotations, start, duration)),
            session.name if len(made) > 1 else "",
            start - beginning if len(made) > 1 else 0.0,
        )
        refuse_implausible(recording)
        found.append(recording)
    spans = [(start, start + len(signal) / rate) for signal, start, rate, _ in made]
    outside = [a for a in session.annotations if not any(a.start < end and a.end > start for start, end in spans)]
    if outside:
        notes.append(
            f"{len(outside)} of {len(session.annotations)} labelled stretches lie outside the recording, "
            f"such as '{outside[0].activity}' at {outside[0].start - beginning:.1f} s, and are left out"
        )
    return found, notes


def together(sessions: Sequence[Session], shifts: Sequence[float], drifts: Sequence[float] = ()) -> Session:
    """Several devices worn by one person at one time, as one session on the clock of the first.

    Args:
        sessions: One for each device.
        shifts: Seconds on the first one's clock when each one's clock was zero.
        drifts: Seconds that each clock loses against the first in a second; none if empty.

    Raises:
        ConfigError: They are of different people, or two devices are said to be at the same place.
    """
    people = list(dict.fromkeys(session.subject for session in sessions))
    if len(people) > 1:
        raise ConfigError(f"{' and '.join(people)} are different people; only what one person wore goes together")
    labelled = [number for number, session in enumerate(sessions) if session.annotations]
    notes = [f"{session.name}: {note}" for session in sessions for note in session.notes]
    if len(labelled) > 1:
        notes.append(f"labels are taken from {sessions[labelled[0]].name}, those of the other files are left out")
    streams: list[Stream] = []
    places = {c.placement for session in sessions for stream in session.streams for c in stream.channels}
    taken: dict[str, str] = {}
    for session, shift, drift in zip(sessions, shifts, drifts or [0.0] * len(sessions), strict=True):
        for stream in session.streams:
            channels = tuple(_prefixed(channel) if len(places) > 1 else channel for channel in stream.channels)
            for channel in channels:
                if taken.setdefault(channel.name, session.name) != session.name:
                    raise ConfigError(
                        f"{taken[channel.name]} and {session.name} both have '{channel.name}'; "
                        "give each its own --placement, in the order of the files"
                    )
            streams.append(replace(stream, times=stream.times * (1 + drift) + shift, channels=channels))
    first = sessions[0]
    annotations: tuple[Annotation, ...] = ()
    for number in labelled[:1]:
        shift, scale = shifts[number], 1 + (drifts[number] if drifts else 0.0)
        annotations = tuple(
            Annotation(a.start * scale + shift, a.end * scale + shift, a.activity) for a in sessions[number].annotations
        )
    return Session(first.name, tuple(streams), first.subject, annotations, first.started, tuple(notes))


def ordinary_rate(times: NDArray[np.float64]) -> float:
    """Samples per unit of time: the mean of the steps that are no gap; 0 if time does not advance.

    The median step alone is wrong where the clock is coarse: 60 Hz in whole milliseconds has steps of 16 and 17.
    """
    steps = np.diff(times)
    steps = steps[steps > 0]
    return float(1 / steps[steps < 1.75 * np.median(steps)].mean()) if steps.size else 0.0


def evened(times: NDArray[np.float64]) -> tuple[NDArray[np.float64], float] | None:
    """Even times and their rate where stamps say when samples were handed over rather than when they were taken.

    Such stamps come in bursts: many are much nearer to the one before than the mean, yet all stay close to a straight
    line, which is the sensor's own clock. Where samples are lost at random, the stamps wander off from any line, and
    the stamps are right. Long gaps part the line.

    Args:
        times: [T], never going back, in any unit.

    Returns:
        None where the stamps are not of this kind.
    """
    steps = np.diff(times)
    if len(steps) < 20 or times[-1] <= times[0]:
        return None
    cuts = np.flatnonzero(steps > 3 * np.quantile(steps[steps > 0], 0.99)) + 1
    edges = [0, *cuts.tolist(), len(times)]
    inside = np.delete(steps, cuts - 1)
    if (inside < 0.4 * inside.mean()).mean() <= MAX_REPEATED:
        return None
    index, level = np.empty(len(times)), np.empty(len(times))
    for first, last in pairwise(edges):
        index[first:last] = np.arange(last - first) - (last - first - 1) / 2
        level[first:last] = times[first:last].mean()
    slope = float(index @ (times - level) / (index @ index))
    straight = level + slope * index
    # The stray of independent delays is 0.7 of that of their differences, and that of packets about 1.
    if slope <= 0 or float(np.std(times - straight)) > 2 * float(np.std(inside)) or (np.diff(straight) <= 0).any():
        return None
    return straight, 1 / slope


def within(annotations: Iterable[Annotation], start: float, duration: float) -> list[Annotation]:
    """What of the annotations lies in the `duration` seconds from `start`, counted from there."""
    cut = [Annotation(max(0.0, a.start - start), min(duration, a.end - start), a.activity) for a in annotations]
    return [a for a in cut if a.end > a.start]


def _settled(stream: Stream, notes: list[str]) -> list[_Timed]:
    """The stream with a time of its own for each sample, and its rate; nothing if it is too short or too slow."""
    where = stream.source or stream.channels[0].name
    few = [
        c.name for c, n in zip(stream.channels, (~np.isnan(stream.values)).sum(axis=0), strict=True) if n < MIN_SAMPLES
    ]
    if len(few) == len(stream.channels) or not len(stream.times) or stream.times[-1] == stream.times[0]:
        notes.append(f"{where} has fewer than {MIN_SAMPLES} samples and is left out")
        return []
    kept = [i for i, channel in enumerate(stream.channels) if channel.name not in few]
    if few:
        notes.append(f"{where}: {', '.join(few)} has fewer than {MIN_SAMPLES} values and is left out")
    times, each = stream.times, len(stream.times) / len(np.unique(stream.times))
    if even := evened(times):
        times, measured, tolerance = *even, RATE_TOLERANCE
        late = float(np.abs(times - stream.times).max())
        notes.append(
            f"{where}: samples are stamped in bursts, up to {late:.2g} s off, and taken as even at {measured:.4g} Hz"
        )
    elif 1 - 1 / each > MAX_REPEATED:
        times, measured = spread(times)
        notes.append(f"{where}: {each:.3g} samples share each time; they are spread evenly at {measured:.4g} Hz")
        tolerance = max(RATE_TOLERANCE, each / len(times))
    else:
        measured, tolerance = ordinary_rate(times), RATE_TOLERANCE
    if measured < _SLOWEST:
        notes.append(f"{where} has a sample each {1 / measured:.3g} s, too few for a recording, and is left out")
        return []
    rate = stream.rate or measured
    if abs(measured / rate - 1) > tolerance:
        notes.append(f"{where} is said to have {rate:g} Hz, but its times give {measured:.4g} Hz, which is taken")
        rate = measured
    channels = tuple(stream.channels[i] for i in kept)
    values = stream.values[:, kept]
    values = values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float64)
    return [_Timed(times, values, channels, max(rate, 1.0), where)]


def _groups(timed: list[_Timed], notes: list[str]) -> list[list[_Timed]]:
    """The streams that share a grid, the one of motion first."""
    moving = [t for t in timed if t.moves]
    if not moving:
        return [[t] for t in timed]
    fastest, longest = max(t.rate for t in moving), max(t.seconds for t in moving)
    main = [t for t in moving if t.rate >= _COMPARABLE * fastest and t.seconds >= _COVERS * longest]
    if not main:  # the fastest is a short one
        main = [max(moving, key=lambda t: t.seconds)]
    for t in moving:
        if not any(t is m for m in main):
            why = f"{t.seconds:.1f} s at {t.rate:.4g} Hz beside {longest:.1f} s at {fastest:.4g} Hz"
            notes.append(f"{t.source} is a recording of its own in the same session ({why})")
    return [main, *([t] for t in timed if not any(t is m for m in main))]


def _on_one_grid(
    group: list[_Timed], notes: list[str]
) -> tuple[NDArray[np.float32], float, float, tuple[Channel, ...]]:
    """Signal, time of its first sample, rate, channels."""
    rate = max(t.rate for t in group)
    first, last = max(t.times[0] for t in group), min(t.times[-1] for t in group)
    channels = tuple(channel for t in group for channel in t.channels)
    if last - first < MIN_SAMPLES / rate:
        raise DataError(
            "these sensors share no time: "
            + ", ".join(f"{t.source} runs from {t.times[0]:.1f} s to {t.times[-1]:.1f} s" for t in group)
            + "; check that they belong together, or import them one by one"
        )
    if (last - first) * rate * len(channels) > MAX_VALUES:
        raise DataError(
            f"{group[0].source} spans {(last - first) / 86_400:.3g} days, more than can be held at once; "
            "cut it at its gaps"
        )
    lost = max(first - min(t.times[0] for t in group), max(t.times[-1] for t in group) - last)
    if lost > _NOTED:
        notes.append(f"{lost:.1f} s at one end, which not all sensors cover, are left out")
    gap = max(SHORT_GAP, 3 / min(t.rate for t in group))
    signal, start = merge_streams([(t.times, t.values) for t in group], rate, gap)
    return signal.astype(np.float32), start, rate, channels


def _prefixed(channel: Channel) -> Channel:
    prefix = channel.placement.replace(" ", "_") + "_"
    return channel if channel.name.startswith(prefix) else replace(channel, name=prefix + channel.name)


def _name(session: str, channels: tuple[Channel, ...], taken: set[str]) -> str:
    """A name that says the sensors and is not yet taken."""
    words = "_".join(sensor for sensor, _ in groupby(channel.sensor for channel in channels))
    name, number = f"{session}_{words}", 1
    while name in taken:
        number += 1
        name = f"{session}_{words}_{number}"
    return name
