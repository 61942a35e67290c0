"""Activities of a recording that is there as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otolith_edge.beliefs import Beliefs
from otolith_edge.errors import EdgeError
from otolith_edge.events import Segment, Window
from otolith_edge.model import Model
from otolith_edge.resampler import Resampler
from otolith_edge.settings import Settings
from otolith_edge.stream import Stream
from otolith_edge.vocabulary import Vocabulary


@dataclass(frozen=True)
class Recognition:
    """What a recording shows.

    Attributes:
        labels: L activities.
        starts: [N] seconds of the windows.
        seconds: Duration of a window.
        probabilities: float32 [N, L].
        label: [N] the most probable activity of each window, or `unknown`.
        segments: The timeline, in order of time; time that no window covers lies between them.
        faults: What was wrong with the data, by kind.
    """

    labels: tuple[str, ...]
    starts: NDArray[np.float64]
    seconds: float
    probabilities: NDArray[np.float32]
    label: NDArray[np.str_]
    segments: list[Segment]
    faults: dict[str, int]


def recognise(
    model: Model,
    signal: ArrayLike,
    rate: float,
    *,
    times: ArrayLike | None = None,
    vocabulary: Vocabulary | None = None,
    settings: Settings | None = None,
) -> Recognition:
    """Windows and timeline of a recording; the same as a `Stream` of it says.

    Args:
        model: What to run.
        signal: [T, C] in the order of the model's channels, NaN where samples are missing.
        rate: Samples per second.
        times: [T] of the samples in the unit of the settings; None counts from 0 at `rate`.
        vocabulary: Of a model that knows words.
        settings: How to read and to smooth.

    Raises:
        EdgeError: Model, vocabulary, rate and settings do not go together, or the recording has no sample.
    """
    stream = Stream(model, rate, vocabulary, settings)
    rows = np.asarray(signal, np.float64)
    if not len(rows):
        raise EdgeError("the recording has no sample")
    clock = np.arange(len(rows)) / rate / stream.settings.units.seconds if times is None else np.asarray(times)
    events = stream.push(clock, rows) + stream.finish()
    windows = [event for event in events if isinstance(event, Window)]
    return Recognition(
        labels=stream.labels,
        starts=np.array([window.start for window in windows], np.float64),
        seconds=stream.seconds,
        probabilities=np.array([w.probabilities for w in windows], np.float32).reshape(-1, len(stream.labels)),
        label=np.array([window.label for window in windows], np.str_),
        segments=[event for event in events if isinstance(event, Segment)],
        faults=dict(stream.faults.counts),
    )


def recognise_trial(
    model: Model, signal: ArrayLike, rate: float, vocabulary: Vocabulary | None = None
) -> dict[str, float]:
    """Probabilities by activity of one whole trial, as models of whole trials learnt them.

    Args:
        model: Of whole trials.
        signal: [T, C] in SI units, without gaps longer than can be bridged.
        rate: Samples per second.
        vocabulary: Of a model that knows words.

    Raises:
        EdgeError: Samples are missing, or model and vocabulary do not go together.
    """
    beliefs, about = Beliefs(model, vocabulary), model.description
    rows = np.asarray(signal, np.float64)
    resampler = Resampler(rate, about.rate, about.lowpass, 3.5 / rate, len(about.channels))
    parts = [resampler.push(np.arange(len(rows)) / rate, rows), resampler.finish()]
    trial = np.concatenate(parts)
    if len(trial) < 2 or np.isnan(trial).any():
        raise EdgeError("the trial has missing samples, or fewer than two: cut it where it is whole")
    found = beliefs(trial[None], len(trial) / resampler.rate)[0]
    return dict(zip(beliefs.labels, map(float, found), strict=True))
