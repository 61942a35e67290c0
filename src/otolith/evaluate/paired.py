"""Whether one model is better than others: paired over people for two, by ranks over people or datasets for several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from otolith.types import DataError

Floats = NDArray[np.float64]

_DIGITS = 12
"""Of a score that count: equal fractions that were summed in another order are equal."""
_EXACT = 50
"""People up to whom the distribution of the signed ranks is counted out; above, it is normal enough."""


@dataclass(frozen=True)
class Paired:
    """One model against another, judged on the same people.

    Attributes:
        difference: Mean over people of the first model's score less the other's.
        low: Lower end of its interval.
        high: Upper end.
        p: Of the signed-rank test, two-sided: how likely so lopsided a result is if neither model were better.
        wins: People for whom the first is better.
        losses: People for whom the other is better; the rest are ties.
        n: People.
    """

    difference: float
    low: float
    high: float
    p: float
    wins: int
    losses: int
    n: int


def paired(
    one: Mapping[str, float] | pd.Series[float],
    other: Mapping[str, float] | pd.Series[float],
    *,
    draws: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Paired:
    """Compares the scores of two models on the same people.

    The interval is the percentile bootstrap over people (Efron & Tibshirani 1993, chapter 13): with a handful of them
    it is a rough, rather too narrow, guide. With one person both ends equal the difference.

    Args:
        one: Score of each person, by name (`otolith.evaluate.counts.by_subject`).
        other: Likewise, of the model that it is compared with.
        draws: Number of resampled groups of people.
        seed: Of the draws.
        level: Share of the draws between the ends of the interval.

    Raises:
        DataError: Nobody to compare, somebody whom one model was not judged on, or a score that is no number.
    """
    difference = _differences(dict(one), dict(other))
    n = len(difference)
    chosen = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    low, high = np.quantile(chosen @ difference / n, [(1 - level) / 2, (1 + level) / 2])
    wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
    return Paired(float(difference.mean()), float(low), float(high), signed_rank(difference), wins, losses, n)


def signed_rank(differences: Sequence[float] | Floats) -> float:
    """The two-sided p of the signed-rank test (Wilcoxon 1945, Biometrics Bulletin 1); differences of zero are dropped.

    Up to 50 differences it is exact, with equal sizes too: of all ways to give the ranks found a sign, the share that
    is as far from even. Beyond, it is the normal approximation with a correction for equal sizes (scipy). Nothing but
    zeros gives 1.
    """
    found = np.round(np.asarray(differences, dtype=np.float64), _DIGITS)
    found = found[found != 0]
    if not len(found):
        return 1.0
    if len(found) > _EXACT:
        return float(stats.wilcoxon(found, method="approx", axis=None).pvalue)
    doubled = np.round(2 * stats.rankdata(np.abs(found))).astype(np.int64)  # ranks of equal sizes end in a half
    ways = np.zeros(int(doubled.sum()) + 1)
    ways[0] = 1.0
    for rank in doubled:  # each difference is as often above zero as below
        ways[rank:] = (ways[rank:] + ways[:-rank]) / 2
        ways[:rank] /= 2
    positive = int(doubled[found > 0].sum())
    return float(min(1.0, 2 * min(ways[: positive + 1].sum(), ways[positive:].sum())))


def holm(p: Sequence[float]) -> list[float]:
    """The p of several comparisons, made larger so that all of them hold at once, in the order given.

    Holm 1979 (Scandinavian Journal of Statistics 6): the smallest is multiplied by their number, the next by one less,
    and so on, and none comes out below a smaller one.

    Raises:
        ValueError: One is not in [0, 1].
    """
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"each p must be in [0, 1], not {list(p)}")
    order = np.argsort(values, kind="stable")
    raised = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(raised, 1)
    return [float(value) for value in adjusted]


@dataclass(frozen=True)
class Ranking:
    """Several models over the same people or datasets, as a critical-difference diagram draws them.

    Attributes:
        models: Best first.
        ranks: Average rank of each; 1 is best.
        n: People or datasets.
        chi2: Friedman's statistic.
        p: That all models are alike, from it by Iman and Davenport's F.
        cd: Two models are told apart where their average ranks differ by this or more (Nemenyi).
        alpha: Of the test behind `cd`.
        groups: Neighbours that are not told apart, as many as can be in each; a model may be in several or none.
    """

    models: tuple[str, ...]
    ranks: tuple[float, ...]
    n: int
    chi2: float
    p: float
    cd: float
    alpha: float
    groups: tuple[tuple[str, ...], ...]


def ranking(scores: pd.DataFrame, *, alpha: float = 0.05) -> Ranking:
    """Ranks models over people or datasets (Demšar 2006, JMLR 7, section 3.2.2).

    The rows must be independent: people of one dataset, or one row a dataset, not the folds or seeds of one of them.
    Friedman's statistic is not corrected for equal scores, as in the paper; that makes the test the more cautious.

    Args:
        scores: A row for each of N people or datasets, a column for each of k models; higher is better.
        alpha: How often models that are alike may be told apart.

    Raises:
        DataError: Fewer than two rows or columns, a column twice, or a score that is missing.
    """
    values = _table(scores)
    n, k = values.shape
    average = stats.rankdata(-values, axis=1).mean(axis=0)
    chi2 = max(0.0, float(12 * n / (k * (k + 1)) * (np.square(average).sum() - k * (k + 1) ** 2 / 4)))
    left = n * (k - 1) - chi2
    # The same order in every row leaves nothing to divide by.
    p = float(stats.f.sf((n - 1) * chi2 / left, k - 1, (k - 1) * (n - 1))) if left > 1e-9 * n else 0.0
    cd = critical_difference(k, n, alpha)
    order = np.argsort(average, kind="stable")
    models = tuple(str(scores.columns[i]) for i in order)
    groups = tuple(models[first:last] for first, last in _runs(average[order], cd))
    return Ranking(models, tuple(float(average[i]) for i in order), n, chi2, p, cd, alpha, groups)


def critical_difference(models: int, n: int, alpha: float = 0.05) -> float:
    """Nemenyi's critical difference of average ranks over `n` people or datasets (Demšar 2006, section 3.2.2)."""
    q = float(stats.studentized_range.ppf(1 - alpha, models, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(models * (models + 1) / (6 * n)))


def _runs(ranks: Floats, cd: float) -> list[tuple[int, int]]:
    """First and last + 1 of each longest run of two or more ascending ranks that span less than `cd`."""
    ends = [int(np.searchsorted(ranks - first, cd - 1e-9)) for first in ranks]
    longer = [True, *(after > before for before, after in pairwise(ends))]
    return [(i, end) for i, end in enumerate(ends) if longer[i] and end - i > 1]


def _differences(one: Mapping[str, float], other: Mapping[str, float]) -> Floats:
    alone = sorted(map(str, set(one) ^ set(other)))
    if alone:
        raise DataError(f"only one of the two models was judged on '{alone[0]}': compare them on the same people")
    if not one:
        raise DataError("there is nobody to compare the models on")
    found = np.array([float(one[name]) - float(other[name]) for name in one])
    if not np.isfinite(found).all():
        who = list(one)[int(np.argmin(np.isfinite(found)))]
        raise DataError(f"a score of '{who}' is not a number: judge both models on them first")
    return np.round(found, _DIGITS)


def _table(scores: pd.DataFrame) -> Floats:
    values = scores.to_numpy(dtype=np.float64)
    if min(values.shape) < 2:
        raise DataError(
            f"{values.shape[1]} models over {values.shape[0]} rows cannot be ranked: two of each are needed"
        )
    twice = scores.columns[scores.columns.duplicated()]
    if len(twice):
        raise DataError(f"model '{twice[0]}' is there twice; give each model once")
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise DataError(f"'{scores.columns[column]}' has no score for '{scores.index[row]}': judge it there, or leave "
                        "one of them out")  # fmt: skip
    return np.round(values, _DIGITS)
