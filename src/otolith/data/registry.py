"""Every public dataset that Otolith knows, by its name."""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.util import find_spec

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.types import DataError

__all__ = ["CARDS", "DatasetCard", "Source", "SubjectSplit", "card"]

_NAMES = (
    *("uci_har", "hapt", "hhar", "mhealth", "pamap2", "wisdm", "unimib_shar", "dsads", "ku_har", "recgym"),
    *("motionsense", "realworld", "mobiact", "vtt_coniot"),
    *("utd_mhad", "mm_fit", "spar", "tug"),
)

CARDS: dict[str, DatasetCard] = {
    name: import_module(f"otolith.data.cards.{name}").CARD for name in _NAMES if find_spec(f"otolith.data.cards.{name}")
}
"""Every dataset that Otolith can convert."""


def card(name: str) -> DatasetCard:
    """The card of a dataset.

    Raises:
        DataError: No such dataset; the sentence names the nearest one.
    """
    if name in CARDS:
        return CARDS[name]
    near = difflib.get_close_matches(name.lower(), CARDS, n=1, cutoff=0.3)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise DataError(f"unknown dataset '{name}': {hint}known datasets are {', '.join(CARDS)}")
