"""Samples in, events out, for as long as a sensor runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otolith_edge.beliefs import Beliefs
from otolith_edge.errors import EdgeError
from otolith_edge.events import UNKNOWN, Event, Window
from otolith_edge.faults import Faults
from otolith_edge.inbox import Inbox
from otolith_edge.model import Model
from otolith_edge.plausibility import Plausibility
from otolith_edge.resampler import Resampler
from otolith_edge.settings import Settings
from otolith_edge.smoothing import Smoother
from otolith_edge.vocabulary import Vocabulary
from otolith_edge.watch import Watch
from otolith_edge.windows import Cut, Windower

_BLOCK = 4096  # samples worked on at a time, which bounds the memory

MIN_RATE = 10.0
"""Samples per second below which nothing is recognised: everyday movement reaches 5 Hz and would be aliased."""

MAX_RATE = 10_000.0
"""What no wearable sensor exceeds: wrong times must not ask for all the memory there is."""


class Stream:
    """Recognises activities while samples arrive. Its memory does not grow with time.

    In whatever pieces samples are pushed, windows, activities and segments are the same.

    Args:
        model: What to run.
        rate: Samples per second of the sensor.
        vocabulary: Of a model that knows words.
        settings: How to read and to smooth.

    Raises:
        EdgeError: Model, vocabulary, rate and settings do not go together.
    """

    def __init__(
        self, model: Model, rate: float, vocabulary: Vocabulary | None = None, settings: Settings | None = None
    ) -> None:
        self.settings = settings or Settings()
        self.beliefs = Beliefs(model, vocabulary)
        if not MIN_RATE <= rate <= MAX_RATE:
            raise EdgeError(
                f"a rate of {rate:.3g} Hz is not between {MIN_RATE:g}, below which movements cannot be told apart, and "
                f"{MAX_RATE:g}: check the unit of the times"
            )
        about, self.rate = model.description, float(rate)
        self.seconds = self.settings.seconds(about)
        """Duration of a window."""
        self.faults, self.received, self.used = Faults(), 0, 0
        units, gap = self.settings.units, self.settings.gap(rate)
        self._factors = np.array([units.factor(c.sensor, c.unit) for c in about.channels])
        count = len(about.channels)
        self._inbox = Inbox(count, self.settings.tolerance, self.settings.jump, self.settings.settle, self.faults)
        self._plausibility = Plausibility(about.channels, round(5 * rate), self.faults)
        self._watch = Watch(about.channels, rate, gap, self.faults)
        self._begin()
        self._smoother = self._smoothing()

    def push(self, times: ArrayLike, values: ArrayLike) -> list[Event]:
        """Samples as they arrive.

        Args:
            times: [n] in the unit of the settings, in any order.
            values: [n, C] in the order of the model's channels; NaN where a sensor gave none.

        Returns:
            What there is to say, in order; faults last.
        """
        clock = np.atleast_1d(np.asarray(times, np.float64)) * self.settings.units.seconds
        rows = np.atleast_2d(np.asarray(values, np.float64))
        if rows.shape != (len(clock), len(self._factors)):
            raise ValueError(f"values {rows.shape} for {len(clock)} times and {len(self._factors)} channels")
        rows = np.where(np.isfinite(rows), rows, np.nan) * self._factors
        self.received += len(clock)
        events: list[Event] = []
        for first in range(0, len(clock), _BLOCK):
            for ready in self._inbox.push(clock[first : first + _BLOCK], rows[first : first + _BLOCK]):
                events.extend(self._run(ready.times, ready.values, ready.jumped))
        return events + list(self.faults.take())

    def finish(self) -> list[Event]:
        """What is still to say; the stream begins anew with the next sample."""
        events: list[Event] = []
        for ready in self._inbox.finish():
            events.extend(self._run(ready.times, ready.values, ready.jumped))
        events.extend(self._end())
        inbox = self._inbox
        self._inbox = Inbox(len(self._factors), inbox.tolerance, inbox.jump, inbox.settle, self.faults)
        return events + list(self.faults.take())

    def swap(self, vocabulary: Vocabulary) -> list[Event]:
        """Other words from the next window on; what was recognised so far ends here.

        Raises:
            ModelError: The vocabulary is of another model.
        """
        self.beliefs.swap(vocabulary)
        middle = self._smoother.middle
        events: list[Event] = [*self._smoother.close(middle + self._smoother.step / 2)]
        self._smoother = self._smoothing()
        self._smoother.middle = middle
        return events

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the probabilities of each window."""
        return self.beliefs.labels

    @property
    def delay(self) -> float:
        """Seconds from a movement to the window that ends with it: filters, and the wait for late samples."""
        return self._resampler.delay + self.settings.tolerance

    def _begin(self) -> None:
        """A new stretch of the clock."""
        about, count = self.beliefs.model.description, len(self._factors)
        self._resampler = Resampler(self.rate, about.rate, about.lowpass, self.settings.gap(self.rate), count)
        rate = self._resampler.rate
        length = about.length if about.window_seconds is not None else max(2, round(self.seconds * rate))
        self._windower = Windower(length, max(1, round(self.settings.step * rate)), count)
        self._watch.restart()

    def _end(self) -> list[Event]:
        """Ends the stretch of the clock."""
        cuts = self._windower.push(self._resampler.finish()) + self._windower.finish()
        events = [event for cut in cuts for event in self._recognise(cut)]
        self._begin()
        return events

    def _run(self, times: NDArray[np.float64], values: NDArray[np.float64], jumped: bool) -> list[Event]:
        events = self._end() if jumped else []
        self._watch.see(times, values)
        self._plausibility.see(times, values)
        self.used += len(times)
        for cut in self._windower.push(self._resampler.push(times, values)):
            events.extend(self._recognise(cut))
        return events

    def _recognise(self, cut: Cut) -> list[Event]:
        events: list[Event] = []
        rate, length = self._resampler.rate, self._windower.length
        beliefs = self.beliefs(cut.windows, length / rate) if len(cut.starts) else np.empty((0, 0))
        for row, belief in zip(cut.starts.tolist(), beliefs, strict=True):
            start, end = self._resampler.time(row), self._resampler.time(row + length)
            top = float(belief.max())
            label = self.labels[int(belief.argmax())] if top >= self._smoother.enter else UNKNOWN
            events.append(Window(start, end, label, top, tuple(map(float, belief))))
            events.extend(self._smoother.add(start, end, belief))
        if cut.ended:
            first, after = cut.ended
            if after - first < length:
                self.faults.add("short", 1, self._resampler.time(first))
            events.extend(self._smoother.close(self._resampler.time(after)))
        return events

    def _smoothing(self) -> Smoother:
        enter, leave = self.settings.thresholds(self.beliefs.threshold)
        step = self._windower.step / self._resampler.rate
        return Smoother(self.beliefs.labels, enter, leave, self.settings.minimum, step)
