"""What an importer gives: the streams of one session, each on the times at which its sensor was read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otolith.data.channels import Channel
from otolith.data.recording import Annotation
from otolith.types import ConfigError, DataError


@dataclass(frozen=True)
class Wearing:
    """What no file can say.

    Attributes:
        placement: Where on the body, in plain words: `left wrist`; empty only where the file says it.
        device: What carried the sensors, in plain words; empty takes what the importer knows, such as `smartphone`.
        subject: Who wore it.
    """

    placement: str
    device: str = ""
    subject: str = "unknown"


@dataclass(frozen=True)
class Stream:
    """The samples of sensors that are read together.

    Attributes:
        times: [T] seconds on the session's clock, never going back; several samples may share one.
        values: [T, C] in SI and in our sign (specific force, see `otolith.data.signal`); NaN where missing.
        channels: One for each column of `values`.
        rate: Samples per second where the file states it, else None.
        source: Where it was read, for sentences: `walk/Accelerometer.csv`.
    """

    times: NDArray[np.float64]
    values: NDArray[np.floating]
    channels: tuple[Channel, ...]
    rate: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.times.dtype != np.float64 or self.values.shape != (len(self.times), len(self.channels)):
            raise ValueError(
                f"times {self.times.dtype} {self.times.shape} and {len(self.channels)} channels "
                f"do not fit values {self.values.shape}"
            )
        where = self.source or f"the stream of {self.channels[0].name}"
        back = np.r_[False, np.diff(self.times) < 0]
        for wrong, what in ((~np.isfinite(self.times), "there is no time"), (back, "the time goes back")):
            if wrong.any():
                raise DataError(
                    f"{where}, sample {int(np.argmax(wrong)) + 1}: {what}; export the recording again, or cut it there"
                )
        infinite = np.isinf(self.values)
        if infinite.any():
            row, column = np.argwhere(infinite)[0]
            raise DataError(
                f"{where}, sample {row + 1}: the value of '{self.channels[column].name}' is infinite; "
                "export the recording again"
            )


@dataclass(frozen=True)
class Session:
    """What one device recorded of one person at one time.

    Attributes:
        name: From the file or folder; recordings are named after it.
        streams: The sensors, each on its own times, all on one clock.
        subject: Who wore it.
        annotations: Activities, in seconds on the session's clock.
        started: UTC in seconds since 1970 when the session's clock was zero, or None where nothing says it.
        notes: What a person should know, such as sensors that were left out, one sentence each.
    """

    name: str
    streams: tuple[Stream, ...]
    subject: str = "unknown"
    annotations: tuple[Annotation, ...] = ()
    started: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.streams:
            raise DataError(f"session '{self.name}' has no sensor that can be used; export the recording again")
        if any(not channel.placement.strip() for stream in self.streams for channel in stream.channels):
            raise ConfigError(
                f"session '{self.name}': say where the sensor was worn, for example --placement 'left wrist': "
                "the model reads this"
            )
