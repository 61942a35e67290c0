"""Lines in, events out: what both commands do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from otolith_edge.errors import EdgeError
from otolith_edge.events import Event
from otolith_edge.lines import LineParser
from otolith_edge.model import Model
from otolith_edge.settings import Settings
from otolith_edge.stream import Stream
from otolith_edge.vocabulary import Vocabulary

Doubles = NDArray[np.float64]

_ENOUGH = 128  # samples from which a rate is measured
_NEAR = 0.02  # of the model's rate: then the sensor is taken to have that


class Session:
    """A stream whose rate may have to be found out first.

    Args:
        model: What to run.
        vocabulary: Of a model that knows words.
        settings: How to read and to smooth.
        columns: As `LineParser` takes them.
        rate: Samples per second; None measures it on the first samples.

    Raises:
        EdgeError: These do not go together.
    """

    def __init__(
        self,
        model: Model,
        vocabulary: Vocabulary | None,
        settings: Settings,
        columns: Sequence[str] | None = None,
        rate: float | None = None,
    ) -> None:
        self.model, self.vocabulary, self.settings = model, vocabulary, settings
        Stream(model, rate or model.description.rate, vocabulary, settings)  # or a mistake would show too late
        self.stream = None if rate is None else Stream(model, rate, vocabulary, settings)
        """None until the rate is known."""
        interval = None if rate is None else 1 / rate / settings.units.seconds
        self._parser = LineParser(model.description.channels, columns, interval)
        self._waiting: list[tuple[Doubles, Doubles]] = []
        self._told = 0  # malformed lines
        self.latest: float | None = None
        """Time of the last sample that was read, in seconds."""

    def push(self, lines: Sequence[str]) -> list[Event]:
        """Lines as they arrive, to what there is to say."""
        times, values = self._parser.parse(lines)
        if len(times) and np.isfinite(times[-1]):
            self.latest = float(times[-1]) * self.settings.units.seconds
        if self.stream is None:
            self._waiting.append((times, values))
            if sum(len(part) for part, _ in self._waiting) < _ENOUGH:
                return []
            return self._start()
        self._tell(self.stream)
        return self.stream.push(times, values)

    def finish(self) -> list[Event]:
        """The end of the lines.

        Raises:
            EdgeError: There was no sample, or too few to measure a rate on.
        """
        events = self._start() if self.stream is None else []
        assert self.stream is not None
        return events + self.stream.finish()

    def _start(self) -> list[Event]:
        times = np.concatenate([times for times, _ in self._waiting] or [np.empty(0)])
        values = np.concatenate([values for _, values in self._waiting]) if len(times) else np.empty((0, 0))
        self._waiting = []
        if not len(times):
            lines = f"; {self._parser.malformed} lines were none" if self._parser.malformed else ""
            raise EdgeError(f"there is no sample to recognise{lines}")
        rate = measured_rate(times * self.settings.units.seconds, self.model.description.rate)
        self.stream = Stream(self.model, rate, self.vocabulary, self.settings)
        self._tell(self.stream)
        return self.stream.push(times, values)

    def _tell(self, stream: Stream) -> None:
        stream.faults.add("malformed", self._parser.malformed - self._told)
        self._told = self._parser.malformed


def measured_rate(times: Doubles, usual: float) -> float:
    """Samples per second by the mean of the steps without a loss; `usual` if it is near that.

    Args:
        times: [n] seconds, in any order.
        usual: A rate that is likely.

    Raises:
        EdgeError: There are no two different times.
    """
    steps = np.diff(np.unique(times[np.isfinite(times)]))
    if not len(steps):
        raise EdgeError("the samples have no two different times: check the column of times, or give the rate")
    rate = 1 / float(steps[steps < 1.75 * np.median(steps)].mean())
    return usual if abs(rate / usual - 1) < _NEAR else float(f"{rate:.3g}")
