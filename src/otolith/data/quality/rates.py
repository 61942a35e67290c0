"""Sampling rates, against those of the dataset's card."""

from __future__ import annotations

from collections import Counter

from otolith.data.card import DatasetCard
from otolith.data.quality.findings import Concern, concern
from otolith.data.recording import Recording

_TOLERANCE = 0.02


class Rates:
    """Counts recordings by rate.

    Args:
        card: Of the dataset, where it is a registered one.
    """

    def __init__(self, card: DatasetCard | None) -> None:
        self.total = 0
        self.counts: Counter[float] = Counter()
        self._card = card
        self._wrong: dict[tuple[float, float], list[str]] = {}

    def see(self, recording: Recording) -> None:
        """Takes a recording into account."""
        self.total += 1
        self.counts[recording.rate] += 1
        if self._card:
            expected = self._card.rate_of(recording.channels)
            if abs(recording.rate / expected - 1) > _TOLERANCE:
                self._wrong.setdefault((recording.rate, expected), []).append(recording.name)

    def concerns(self) -> list[Concern]:
        """Rates that are not the card's."""
        found = []
        for (rate, expected), names in self._wrong.items():
            factor = next((f"{f:g} times " for f in (2, 0.5) if abs(rate / expected / f - 1) < _TOLERANCE), "")
            text = (
                f"the sampling rate is {rate:g} Hz, {factor and f'which is {factor}'}{'' if factor else 'not '}the "
                f"{expected:g} Hz of the dataset's card; convert the archive again, or look at its clock"
            )
            found.append(concern("rate", True, text, names, self.total))
        return found
