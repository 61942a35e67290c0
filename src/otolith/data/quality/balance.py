"""Who did what for how long."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.quality.findings import Concern, concern, listed
from otolith.data.recording import Recording

_SHORT_SECONDS = 2.0
_RARE = 0.05


class Balance:
    """Seconds of each activity by person, and how long recordings are.

    Args:
        card: Of the dataset, where it is a registered one.
    """

    def __init__(self, card: DatasetCard | None) -> None:
        self.total = 0
        self.durations: list[float] = []
        self.people: defaultdict[str, float] = defaultdict(float)
        """Seconds by person, of all recordings."""
        self.labelled: defaultdict[tuple[str, str], float] = defaultdict(float)
        """Seconds by person and activity."""
        self._card = card
        self._short: list[str] = []

    def see(self, recording: Recording) -> None:
        """Takes a recording into account."""
        self.total += 1
        self.durations.append(recording.duration)
        self.people[recording.subject] += recording.duration
        if recording.duration < _SHORT_SECONDS:
            self._short.append(recording.name)
        for note in recording.annotations:
            self.labelled[recording.subject, note.activity] += note.end - note.start

    @property
    def seconds(self) -> float:
        """Of all recordings."""
        return sum(self.durations)

    def activities(self) -> dict[str, float]:
        """Seconds of each activity, the most frequent first."""
        total: defaultdict[str, float] = defaultdict(float)
        for (_, activity), seconds in self.labelled.items():
            total[activity] += seconds
        return dict(sorted(total.items(), key=lambda item: -item[1]))

    def table(self) -> tuple[list[str], list[str], NDArray[np.float64]]:
        """People in natural order, activities with the most frequent first, and seconds [people, activities]."""
        people, activities = sorted(self.people, key=lambda name: (len(name), name)), list(self.activities())
        seconds = [[self.labelled.get((person, activity), 0.0) for activity in activities] for person in people]
        return people, activities, np.array(seconds, dtype=np.float64).reshape(len(people), len(activities))

    def unlabelled(self) -> float:
        """Share of time without a label."""
        return max(0.0, 1 - sum(self.labelled.values()) / max(self.seconds, 1e-9))

    def concerns(self) -> list[Concern]:
        """What keeps a fair test from being made of it."""
        return [*self._of_people(), *self._of_activities(), *self._of_lengths()]

    def _of_people(self) -> list[Concern]:
        if self._card is None or len(self.people) == self._card.subjects:
            return []
        text = f"{len(self.people)} of the {self._card.subjects} people of the full archive are here"
        return [Concern("balance", False, text)]

    def _of_activities(self) -> list[Concern]:
        people, activities, seconds = self.table()
        found = []
        lonely = [a for a, row in zip(activities, (seconds > 0).sum(axis=0), strict=True) if row == 1]
        if lonely and len(people) > 1:
            verb = "is" if len(lonely) == 1 else "are"
            text = f"{listed(lonely)} {verb} done by one person only, so it cannot be tested on anyone else"
            found.append(Concern("balance", False, text))
        total = seconds.sum(axis=0)
        rare = [a for a, s in zip(activities, total, strict=True) if s < _RARE * total.mean()]
        if rare:
            text = (
                f"{listed(rare)} {'has' if len(rare) == 1 else 'have'} less than {_RARE:.0%} of the time that "
                "an activity has on average; judge by macro-F1, not by accuracy"
            )
            found.append(Concern("balance", False, text))
        return found

    def _of_lengths(self) -> list[Concern]:
        if not self._short:
            return []
        text = f"there is less than {_SHORT_SECONDS:g} s of signal, too little for a window"
        return [concern("balance", False, text, self._short, self.total)]
