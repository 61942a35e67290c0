"""Channels that are cut off at the end of their range: the same extreme value, again and again."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from otolith.data.channels import NORMALISED, SENSORS
from otolith.data.quality.findings import Concern, concern, several
from otolith.data.quality.gaps import percent
from otolith.data.recording import Recording

_RANGES = {"acc": 14.0, "gyro": 4.3}
"""Ends of the smallest ranges that such sensors have (1.5 g, 250 deg/s) in SI; below, an extreme is just an extreme."""
_TOLERANCE = 1e-4
_REPEATS = 20


@dataclass
class _Extreme:
    """The greatest value so far (of the values or of their negatives), and where it occurs how often."""

    value: float = -np.inf
    samples: int = 0
    names: dict[str, None] = field(default_factory=dict)

    def see(self, name: str, value: float, samples: int) -> None:
        slack = _TOLERANCE * abs(value)
        if value > self.value + slack:
            self.value, self.samples, self.names = value, samples, {name: None}
        elif value > self.value - slack:
            self.samples += samples
            self.names[name] = None


@dataclass
class Reach:
    """What a channel's values come to: number of them, and how many lie at the ends."""

    sensor: str
    total: int = 0
    low: _Extreme = field(default_factory=_Extreme)
    high: _Extreme = field(default_factory=_Extreme)

    @property
    def ends(self) -> list[_Extreme]:
        """The ends at which it is cut off."""
        far = _RANGES.get(self.sensor, np.inf)
        return [e for e in (self.low, self.high) if e.samples >= _REPEATS and e.value >= far]

    @property
    def share(self) -> float:
        """Share of samples that are cut off."""
        return sum(end.samples for end in self.ends) / max(self.total, 1)


class Saturation:
    """Follows the extremes of all channels."""

    def __init__(self) -> None:
        self.total = 0
        self.reach: dict[tuple[str, str], Reach] = {}
        """By body and channel."""

    def see(self, recording: Recording) -> None:
        """Takes a recording into account."""
        self.total += 1
        for column, channel in enumerate(recording.channels):
            if channel.sensor not in _RANGES or channel.unit == NORMALISED:
                continue
            values = recording.signal[:, column].astype(np.float64)
            values = values[np.isfinite(values)]
            if not values.size or np.ptp(values) == 0:
                continue
            key = (f"{channel.device or 'sensor'} at the {channel.placement}", channel.name)
            reach = self.reach.setdefault(key, Reach(channel.sensor))
            reach.total += values.size
            for end, signed in ((reach.high, values), (reach.low, -values)):
                peak = float(signed.max())
                end.see(recording.name, peak, int((signed >= peak - _TOLERANCE * abs(peak)).sum()))

    def concerns(self) -> list[Concern]:
        """Which sensors are cut off, and where."""
        found = []
        for sensor in _RANGES:
            cut = {key: reach for key, reach in self.reach.items() if reach.sensor == sensor and reach.ends}
            if not cut:
                continue
            ends = [end for reach in cut.values() for end in reach.ends]
            names = list(dict.fromkeys(name for end in ends for name in end.names))
            low, high = min(end.value for end in ends), max(end.value for end in ends)
            level = f"{high:.4g}" if high < 1.01 * low else f"{low:.4g} to {high:.4g}"
            share = max(reach.share for reach in cut.values())
            who = several(f"the {SENSORS[sensor].words}", dict.fromkeys(body for body, _ in cut))
            text = (
                f"{who} is cut off at {level} {SENSORS[sensor].unit} (up to {percent(share)} of the samples of a "
                "channel); stronger movement looks alike there"
            )
            found.append(concern("saturation", False, text, names, self.total))
        return found
