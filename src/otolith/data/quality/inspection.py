"""`inspect`: every check of a dataset in one pass over its recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otolith.data.card import DatasetCard
from otolith.data.quality.balance import Balance
from otolith.data.quality.cadence import Cadence
from otolith.data.quality.copies import Copies
from otolith.data.quality.findings import Check, Concern, listed
from otolith.data.quality.gaps import Gaps
from otolith.data.quality.gyroscope import Gyroscope
from otolith.data.quality.posture import Posture
from otolith.data.quality.rates import Rates
from otolith.data.quality.saturation import Saturation
from otolith.data.quality.units import Units
from otolith.data.registry import CARDS
from otolith.data.store import Dataset


@dataclass(frozen=True)
class Quality:
    """What is known of a dataset after a look at every recording: the checks, with what they have counted."""

    dataset: Dataset
    card: DatasetCard | None
    units: Units = field(default_factory=Units)
    gyroscope: Gyroscope = field(default_factory=Gyroscope)
    cadence: Cadence = field(default_factory=Cadence)
    gaps: Gaps = field(default_factory=Gaps)
    saturation: Saturation = field(default_factory=Saturation)
    copies: Copies = field(default_factory=Copies)
    posture: Posture = field(init=False)
    rates: Rates = field(init=False)
    balance: Balance = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "posture", Posture(self.card.upright if self.card else {}))
        object.__setattr__(self, "rates", Rates(self.card))
        object.__setattr__(self, "balance", Balance(self.card))

    @property
    def checks(self) -> tuple[Check, ...]:
        """All of them, in the order in which they speak."""
        return (self.units, self.gyroscope, self.posture, self.rates, self.cadence, self.copies, self.gaps,
                self.saturation, self.balance)  # fmt: skip

    def concerns(self) -> list[Concern]:
        """Everything that a person should know, the severe first."""
        confirmed = any(self.gyroscope.settled(body) for body in self.cadence.steps())
        found = [
            *self.units.concerns(judged=self.gyroscope.bodies),
            *self.gyroscope.concerns(unit_known=self.units.wrong()),
            *self.posture.concerns(),
            *self.rates.concerns(),
            *self.cadence.concerns(confirmed),
            *(c for check in (self.copies, self.gaps, self.saturation, self.balance) for c in check.concerns()),
            *self._of_channels(),
        ]
        kinds = list(dict.fromkeys(concern.kind for concern in found))
        return sorted(found, key=lambda concern: (not concern.severe, kinds.index(concern.kind)))

    def _of_channels(self) -> list[Concern]:
        if self.card or self.dataset.name not in CARDS:
            return []
        text = (
            f"its channels are not those of the card of '{self.dataset.name}'; convert the archive again, or rename it"
        )
        return [Concern("channels", False, text)]

    def unjudged(self) -> list[str]:
        """What could not be known, and why."""
        said = []
        signs = self.posture.unjudged()
        if signs:
            said.append(
                f"the sign of gravity at {listed(signs)}: no law of motion tells it, and how the device was worn "
                "is not known"
            )
        bodies = [b for b in self.gyroscope.bodies if not self.gyroscope.settled(b) and not self.gyroscope.faults(b)]
        if bodies:
            said.append(f"whether the rate is wrong by 2, from the gyroscope at {listed(bodies)}: it turns too little")
        return said

    def facts(self) -> dict[str, Any]:
        """Numbers for people and programs; seconds, SI units and shares."""
        return {
            "recordings": len(self.dataset),
            "subjects": len(self.balance.people),
            "seconds": round(self.balance.seconds, 3),
            "rates": {f"{rate:g}": count for rate, count in sorted(self.rates.counts.items())},
            "activities": {name: round(seconds, 3) for name, seconds in self.balance.activities().items()},
            "unlabelled": round(self.balance.unlabelled(), 4),
            **{kind: round(self.gaps.share(kind), 6) for kind in ("missing", "held", "padding")},
            "rest": {name: _quantiles(values) for name, values in self.units.rest().items()},
            "turn": {name: _quantiles(values) for name, values in self.units.speeds().items()},
            "steps": {body: _quantiles(values) for body, values in self.cadence.steps().items()},
            "saturated": {
                f"{channel}, {body}": round(reach.share, 6)
                for (body, channel), reach in self.saturation.reach.items()
                if reach.ends
            },
        }


def inspect(dataset: Dataset, advance: Callable[[], None] = lambda: None) -> Quality:
    """Looks at every recording once, one at a time.

    Args:
        dataset: A converted dataset. If it is a registered one, by its name and all of its channels, its card is used.
        advance: Called after each recording.
    """
    card = CARDS.get(dataset.name)
    known = set(card.channels) if card else set()
    fits = all(channel in known for layout in dataset.layouts for channel in layout)
    quality = Quality(dataset, card if fits else None)
    for number in range(len(dataset)):
        recording = dataset.read(number)
        for check in quality.checks:
            check.see(recording)
        advance()
    return quality


def _quantiles(values: NDArray[np.float64]) -> list[float]:
    """The 5 %, 50 % and 95 % points."""
    return [round(float(q), 4) for q in np.quantile(values, [0.05, 0.5, 0.95])]
