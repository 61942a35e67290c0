from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from otolith.evaluate.paired import Ranking, critical_difference, holm, paired, ranking, signed_rank
from otolith.types import DataError

# Ranks of C4.5 and its three variants on 14 datasets: Demšar 2006, JMLR 7, table 6.
VARIANTS = ["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"]
DEMSAR = np.array(
    [
        [4, 3, 2, 1],
        [1, 2, 3, 4],
        [4, 1, 2, 3],
        [4, 1, 3, 2],
        [4, 2, 3, 1],
        [1, 2.5, 4, 2.5],
        [3, 2, 4, 1],
        [2.5, 2.5, 4, 1],
        [4, 3, 2, 1],
        [2.5, 2.5, 2.5, 2.5],
        [4, 2.5, 1, 2.5],
        [3, 2, 4, 1],
        [4, 1, 2, 3],
        [3, 1, 4, 2],
    ]
)
# Differences between C4.5 and C4.5+m on the same datasets: table 2.
DIFFERENCES = [0.005, -0.008, 0.017, 0.033, 0.006, -0.005, 0.007, 0.0, 0.063, 0.0, 0.022, 0.047, 0.009, 0.021]


def people(values: NDArray[np.float64]) -> dict[str, float]:
    return {f"s{i}": float(value) for i, value in enumerate(values)}


# Two models


def test_by_the_definition() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.random(12), rng.random(12)
    other[3] = one[3]
    found = paired(people(one), people(other), draws=4000, seed=1)
    d = one - other
    assert found.difference == pytest.approx(d.mean())
    assert (found.wins, found.losses, found.n) == ((d > 0).sum(), (d < 0).sum(), 12)
    assert found.wins + found.losses == 11
    draw = np.random.default_rng(2)
    naive = [np.mean([d[draw.integers(12)] for _ in range(12)]) for _ in range(4000)]
    assert [found.low, found.high] == pytest.approx(np.quantile(naive, [0.025, 0.975]), abs=0.02)
    assert found == paired(people(one), people(other), draws=4000, seed=1)


def test_the_other_way_round_is_the_opposite() -> None:
    rng = np.random.default_rng(3)
    one, other = people(rng.random(9)), people(rng.random(9))
    here, there = paired(one, other), paired(other, one)
    assert here.difference == pytest.approx(-there.difference) and here.p == pytest.approx(there.p)
    assert (here.low, here.high) == pytest.approx((-there.high, -there.low), abs=1e-9)
    assert (here.wins, here.losses) == (there.losses, there.wins)


def test_people_are_matched_by_name() -> None:
    one = pd.Series({"a": 0.9, "b": 0.1, "c": 0.5})
    found = paired(one, one.iloc[::-1] - 0.05)
    assert found.difference == pytest.approx(0.05) and found.wins == 3
    assert (found.low, found.high) == pytest.approx((0.05, 0.05))
    assert found.p == pytest.approx(0.25)


def test_one_person_says_little() -> None:
    found = paired({"a": 0.7}, {"a": 0.5})
    assert (found.low, found.difference, found.high) == pytest.approx((0.2, 0.2, 0.2)) and found.p == 1


def test_a_level_widens_the_interval() -> None:
    one, other = people(np.random.default_rng(5).random(10)), people(np.full(10, 0.5))
    narrow, wide = paired(one, other, level=0.5), paired(one, other, level=0.99)
    assert wide.low < narrow.low < narrow.difference < narrow.high < wide.high


def test_models_that_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="only one of the two models was judged on 'b'"):
        paired({"a": 1.0}, {"a": 1.0, "b": 0.5})
    with pytest.raises(DataError, match="nobody to compare"):
        paired({}, {})
    with pytest.raises(DataError, match="a score of 'b' is not a number"):
        paired({"a": 1.0, "b": float("nan")}, {"a": 1.0, "b": 0.5})


def _enumerated(differences: list[float]) -> float:
    """The share of all signs whose sum of ranks is as far from the middle."""
    kept = np.array([d for d in differences if d])
    ranks = stats.rankdata(np.abs(kept))
    middle = ranks.sum() / 2
    far = abs(ranks[kept > 0].sum() - middle)
    sums = [sum(r for r, up in zip(ranks, signs, strict=True) if up) for signs in product((0, 1), repeat=len(ranks))]
    return float(np.mean([abs(total - middle) >= far - 1e-9 for total in sums]))


@pytest.mark.parametrize("seed", range(12))
def test_signed_rank_is_exact_with_ties_and_zeros(seed: int) -> None:
    d = np.random.default_rng(seed).integers(-3, 5, size=10) / 10
    assert signed_rank(d) == pytest.approx(_enumerated(d.tolist()))


@pytest.mark.parametrize("n", [1, 2, 5, 20, 50])
def test_signed_rank_without_ties_is_that_of_scipy(n: int) -> None:
    d = np.random.default_rng(n).normal(0.2, 1, n)
    assert signed_rank(d) == pytest.approx(stats.wilcoxon(d, method="exact").pvalue)


def test_many_people_are_approximated() -> None:
    d = np.random.default_rng(0).normal(0.2, 1, 51)
    assert signed_rank(d) == pytest.approx(stats.wilcoxon(d, method="exact").pvalue, rel=0.05)


def test_signed_rank_of_known_cases() -> None:
    assert signed_rank(np.zeros(8)) == 1
    assert signed_rank([]) == 1
    assert signed_rank(np.full(8, 0.1)) == pytest.approx(2 / 2**8)
    # Demšar, section 3.1.3: T = 12 of 14 datasets is below the critical value 21 for 0.05.
    assert 0.005 < signed_rank(DIFFERENCES) < 0.05
    noisy = [0.1 + 0.2 - 0.3, 0.3, -(0.1 + 0.2), 0.7]
    assert signed_rank(noisy) == signed_rank([0, 0.3, -0.3, 0.7])


# Several comparisons


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == pytest.approx([1, 1]) and holm([0.03]) == [0.03] and holm([]) == []
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        holm([0.1, float("nan")])


@pytest.mark.parametrize("seed", range(5))
def test_holm_rejects_as_its_steps_do(seed: int) -> None:
    p = np.random.default_rng(seed).random(6) ** 3
    for level in (0.01, 0.05, 0.2):
        rejected = set()
        for step, i in enumerate(np.argsort(p)):
            if p[i] > level / (6 - step):
                break
            rejected.add(int(i))
        assert {i for i, q in enumerate(holm(p.tolist())) if q <= level} == rejected


# Several models


def demsar(alpha: float = 0.05) -> Ranking:
    return ranking(pd.DataFrame(-DEMSAR, columns=VARIANTS), alpha=alpha)


def test_the_published_example() -> None:
    found = demsar()
    assert found.models == ("C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5") and found.n == 14
    assert found.ranks == pytest.approx((1.964, 2.000, 2.893, 3.143), abs=5e-4)
    assert found.chi2 == pytest.approx(9.28, abs=5e-3)
    assert found.p == pytest.approx(stats.f.sf(3.69, 3, 39), rel=0.01) and found.p < 0.05
    assert found.cd == pytest.approx(1.25, abs=5e-3)
    assert demsar(0.1).cd == pytest.approx(1.12, abs=5e-3)
    # At 0.05 nothing is told apart; at 0.1 the paper tells the two with m from C4.5, and not from C4.5+cf.
    assert found.groups == (found.models,)
    assert demsar(0.1).groups == (("C4.5+m+cf", "C4.5+m", "C4.5+cf"), ("C4.5+cf", "C4.5"))


@pytest.mark.parametrize(
    ("alpha", "published"),
    [
        (0.05, [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]),
        (0.10, [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]),
    ],
)
def test_the_published_critical_values(alpha: float, published: list[float]) -> None:
    """Table 5 a: q for 2 to 10 models."""
    found = [critical_difference(k, n=7, alpha=alpha) / np.sqrt(k * (k + 1) / 42) for k in range(2, 11)]
    assert found == pytest.approx(published, abs=2e-3)


def test_without_equal_scores_it_is_friedmans_test() -> None:
    values = np.random.default_rng(0).random((9, 5)) + np.linspace(0, 0.4, 5)
    found = ranking(pd.DataFrame(values, columns=list("abcde")))
    assert found.chi2 == pytest.approx(stats.friedmanchisquare(*values.T).statistic)
    assert sum(found.ranks) == pytest.approx(15)
    by_hand = {name: np.mean([1 + sum(row > row[i]) for row in values]) for i, name in enumerate("abcde")}
    assert dict(zip(found.models, found.ranks, strict=True)) == pytest.approx(by_hand)


@pytest.mark.parametrize("seed", range(8))
def test_groups_are_the_largest_sets_that_are_not_told_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(12, 7)) + np.linspace(0, 5, 7) * rng.random()
    found = ranking(pd.DataFrame(values, columns=list("abcdefg")))
    rank = dict(zip(found.models, found.ranks, strict=True))
    alike = [
        set(some)
        for size in range(2, 8)
        for some in combinations(rank, size)
        if max(rank[m] for m in some) - min(rank[m] for m in some) < found.cd
    ]
    largest = [some for some in alike if not any(some < other for other in alike)]
    assert sorted(map(sorted, found.groups)) == sorted(map(sorted, largest))


def test_extremes() -> None:
    same = ranking(pd.DataFrame(np.ones((6, 3)), columns=list("abc")))
    assert same.chi2 == 0 and same.p == 1 and same.ranks == (2, 2, 2) and same.groups == (("a", "b", "c"),)
    sure = ranking(pd.DataFrame(np.tile([0.1, 0.2, 0.3], (30, 1)), columns=list("abc")))
    assert sure.p == 0 and sure.models == ("c", "b", "a") and sure.groups == ()


def test_what_cannot_be_ranked() -> None:
    table = pd.DataFrame(np.random.default_rng(0).random((4, 3)), columns=list("abc"), index=list("wxyz"))
    for small in (table[["a"]], table.iloc[:1]):
        with pytest.raises(DataError, match="two of each are needed"):
            ranking(small)
    with pytest.raises(DataError, match="'b' has no score for 'x'"):
        ranking(table.mask((table.index == "x")[:, None] & (table.columns == "b")))
    with pytest.raises(DataError, match="model 'a' is there twice"):
        ranking(table.set_axis(["a", "b", "a"], axis=1))
