"""Faults of the data by kind: counted for ever, said once a batch."""

from __future__ import annotations

from otolith_edge.events import Fault

KINDS: dict[str, str] = {
    "malformed": "lines that are no sample were left out",
    "untimed": "samples without a usable time were left out",
    "duplicated": "samples came twice; the copies were left out",
    "conflicting": "samples had the time of another one and other values; they were averaged",
    "reordered": "samples came after a later one; they were put in order",
    "late": "samples came too late to be used",
    "astray": "samples had a time far from the clock; they were left out",
    "clock_jump": "jumps of the clock; a new stretch begins",
    "lost": "samples never came",
    "gap": "gaps longer than can be bridged; nothing is said about them",
    "missing_values": "samples lacked some or all of their values",
    "dropout": "stretches in which a sensor gave no values for longer than can be bridged",
    "implausible": "sensors have values of a size that does not fit the unit; check the units",
    "short": "stretches between gaps were shorter than one window; nothing is said about them",
}
"""Each kind of fault and the words that follow its number."""


class Faults:
    """Counters by kind; their size does not depend on how long a stream runs.

    Attributes:
        counts: How many so far, only of kinds that occurred.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._fresh: dict[str, tuple[int, float | None]] = {}

    def add(self, kind: str, count: int, time: float | None = None) -> None:
        """Counts faults, of which the first was at `time` seconds."""
        assert kind in KINDS
        if count:
            self.counts[kind] = self.counts.get(kind, 0) + int(count)
            before, first = self._fresh.get(kind, (0, time))
            self._fresh[kind] = (before + int(count), first)

    def take(self) -> list[Fault]:
        """One event for each kind that occurred since the last call."""
        fresh, self._fresh = self._fresh, {}
        return [
            Fault(kind, count, time, f"{count} {KINDS[kind]}" + ("" if time is None else f" (from {time:.2f} s)"))
            for kind, (count, time) in fresh.items()
        ]
