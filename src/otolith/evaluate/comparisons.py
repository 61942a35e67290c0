"""Models against one another on the same people: of each dataset and protocol that counts are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from otolith.evaluate.counts import by_subject
from otolith.evaluate.paired import Paired, Ranking, holm, paired, ranking
from otolith.evaluate.summary import Collected, classes_of, is_main, ranked, summarise


@dataclass(frozen=True)
class Comparison:
    """The people of one dataset and protocol.

    Attributes:
        dataset: Name.
        protocol: Name.
        accuracy: [people, models] over folds and seeds, the best model first; NaN where one was not judged.
        reference: The model that the others are held against: the first chosen one, or the best.
        against: For each other model that was judged on the same people, model minus reference.
        holm: Its p, so that all comparisons of this dataset and protocol hold at once.
        ranking: Of all models that were judged on the same people as the reference; None for fewer than three, or one
            person.
    """

    dataset: str
    protocol: str
    accuracy: pd.DataFrame
    reference: str
    against: dict[str, Paired]
    holm: dict[str, float]
    ranking: Ranking | None

    def differences(self, model: str) -> dict[str, float]:
        """Model minus reference for each person."""
        gap = (self.accuracy[model] - self.accuracy[self.reference]).dropna()
        return {str(who): float(value) for who, value in gap.items()}


def comparisons(found: Collected, chosen: Sequence[str] = ()) -> list[Comparison]:
    """Every dataset and main protocol that the counts hold, in the order of the results."""
    out = []
    for (dataset, protocol), counts in found.counts.groupby(["dataset", "protocol"], sort=False):
        if is_main(str(protocol)):
            rows = found.rows[(found.rows["dataset"] == dataset) & (found.rows["protocol"] == protocol)]
            out.append(_compare(str(dataset), str(protocol), rows, counts, chosen))
    return out


def _compare(
    dataset: str, protocol: str, rows: pd.DataFrame, counts: pd.DataFrame, chosen: Sequence[str]
) -> Comparison:
    classes, judged = classes_of(rows), set(counts["model"])
    models = [model for model in ranked(summarise(rows)) if model in judged]
    scores = {model: by_subject(counts[counts["model"] == model], "accuracy", classes) for model in models}
    table = pd.DataFrame(scores)
    table = table.loc[list(dict.fromkeys(who for mine in scores.values() for who in mine.index))]
    reference = next((model for model in models if model in chosen), models[0])
    same = [model for model in models if set(scores[model].index) == set(scores[reference].index)]
    against = {model: paired(scores[model], scores[reference]) for model in same if model != reference}
    raised = dict(zip(against, holm([found.p for found in against.values()]), strict=True))
    over = table[same].dropna()
    ranks = ranking(over) if len(same) > 2 and len(over) > 1 else None
    return Comparison(dataset, protocol, table, reference, against, raised, ranks)
