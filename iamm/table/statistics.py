"""The statistics of a comparison table: estimates over seeds, paired tests between rows, correction for many tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import mean, stdev
from typing import NamedTuple


class Estimate(NamedTuple):
    """A measure over n seeds: mean, sample deviation (n − 1), and the interval of the mean from `low` to `high`."""

    mean: float
    deviation: float | None
    low: float | None
    high: float | None
    n: int


def estimate(values: Sequence[float], confidence: float = 0.95, overlap: float = 0.0) -> Estimate:
    """Return mean ± t · s √(1/n + ρ): s² = Σ (x − mean)² / (n − 1), t the Student quantile of n − 1 degrees of freedom.

    One value has a mean only: deviation and interval are None. A value that is not finite makes all of them nan.

    Args:
        values: one a seed.
        confidence: how often such intervals hold the true mean, between 0 and 1, if the values are normal.
        overlap: ρ, as in `paired_t`.

    Raises:
        ValueError: no values, or a confidence outside its range.

    Source: Student (1908); Nadeau and Bengio (2003), section 3, for ρ.
    """
    from scipy.special import stdtrit  # in a third of the time of scipy.stats

    n = len(values)
    if n == 0:
        raise ValueError("An estimate needs at least one value. Found none.")
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must lie between 0 and 1. Found {confidence}.")
    finite = all(map(math.isfinite, values))
    average = mean(values) if finite else math.nan
    if n == 1:
        return Estimate(average, None, None, None, n)
    deviation = stdev(values) if finite else math.nan
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * deviation * math.sqrt(1 / n + overlap)
    return Estimate(average, deviation, average - half, average + half, n)


def paired_t(first: Sequence[float], second: Sequence[float], overlap: float = 0.0) -> float:
    """Return the two-sided p of Student's paired test that d = `second` − `first` has mean 0.

    t = mean(d) / (s(d) √(1/n + ρ)), with n − 1 degrees of freedom.

    With ρ = 0 it is that of `scipy.stats.ttest_rel`, except where all differences are equal, to 12 digits of the
    largest value: s = 0 and t has no value. Differences of 0 mean that the rows are the same: p = 1, where scipy gives
    nan. Any other constant gives nan, where scipy gives 0 with a warning: accuracies in steps of 1/500 agree by chance
    in a few seeds, which does not measure their spread. Fewer than 2 pairs, or a value that is not finite, give nan.

    Args:
        first: of one row, a value a seed.
        second: of the other row, by the same seeds.
        overlap: ρ, the tested examples of a seed over those that it learns from, where seeds are folds or other draws
            of the same examples, so that their models learn from each other's; 0 where seeds are independent.

    Raises:
        ValueError: not as many values of one as of the other.

    Source: Student (1908); Nadeau and Bengio (2003), section 3, for ρ.
    """
    from scipy.special import stdtr

    changes = paired_differences(first, second)
    if len(changes) < 2 or not all(map(math.isfinite, changes)):
        return math.nan
    deviation, n = stdev(changes), len(changes)
    if deviation <= 1e-12 * max(map(abs, (*first, *second))):
        return 1.0 if mean(changes) == 0 else math.nan
    return float(2 * stdtr(n - 1, -abs(mean(changes) / (deviation * math.sqrt(1 / n + overlap)))))


def wilcoxon(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the two-sided p of the signed-rank test that d = `second` − `first` is symmetric around 0.

    The |d| are ranked, w is the smaller of the rank sums of d > 0 and of d < 0, and W is the rank sum of a random
    choice of signs, each of the 2ⁿ choices being equally likely: p = min(1, 2 · P(W ≤ w)). They are all counted, so p
    is exact for every n.

    - Differences of 0 are left out, as Wilcoxon did; if there are no others, p = 1.
    - Equal |d| share their mean rank, and W runs over these very ranks; so p is exact with ties as well.
    - Differences are compared to 12 digits of the largest value, so that 0.3 − 0.2 ties with 0.2 − 0.1.

    `scipy.stats.wilcoxon` does not replace it: its exact method assumes that there are no ties, and was off by up to
    0.25 where there are; its permutation method is exact, but lists all 2ⁿ choices. Accuracies over a few hundred
    examples tie often. Without ties, both agree. No pair, or a value that is not finite, gives nan.

    Args:
        first: of one row, a value a seed.
        second: of the other row, by the same seeds.

    Raises:
        ValueError: not as many values of one as of the other.

    Source: Wilcoxon (1945).
    """
    from scipy import stats

    changes = paired_differences(first, second)
    if not changes or not all(map(math.isfinite, changes)):
        return math.nan
    largest = max(map(abs, (*first, *second))) or 1.0
    signed = [digits for d in changes if (digits := round(d / largest, 12))]
    ranks = [int(2 * rank) for rank in stats.rankdata([abs(d) for d in signed])]  # doubled: ties have halves
    above = sum(rank for rank, d in zip(ranks, signed, strict=True) if d > 0)
    smaller = min(above, sum(ranks) - above)
    ways = [1] + [0] * smaller  # of choosing signs, by their rank sum
    for rank in ranks:
        ways = [without + with_it for without, with_it in zip(ways, [0] * rank + ways, strict=False)]
    return min(1.0, 2 * sum(ways) / 2 ** len(ranks))


PairedTest = Callable[[Sequence[float], Sequence[float]], float]

PAIRED_TESTS: Mapping[str, PairedTest] = {"t": paired_t, "wilcoxon": wilcoxon}
"""The tests by their names in a table."""


def smallest_p(test: str, n: int) -> float:
    """Return the smallest two-sided p that the test can give or approach with n pairs.

    It is 2^(1 − n) for `wilcoxon`, 0 for `t`, and nan where n is too few for any p.

    Args:
        test: a key of `PAIRED_TESTS`.
    """
    if test == "t":
        return 0.0 if n > 1 else math.nan
    return PAIRED_TESTS[test]([0.0] * n, [1.0] * n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values: the kth smallest of m becomes max over j ≤ k of min(1, (m − j + 1) · p₍ⱼ₎), in the given order.

    Rejecting all that are ≤ α keeps the chance of any false rejection ≤ α, however the tests depend on each other. A
    nan stays nan and does not count among the m.

    Source: Holm (1979).
    """
    adjusted = list(p_values)
    order = sorted((place for place, p in enumerate(p_values) if not math.isnan(p)), key=p_values.__getitem__)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def paired_differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    if len(first) != len(second):
        raise ValueError(
            f"A paired test needs both rows by the same seeds. Found {len(first)} and {len(second)} values."
        )
    return [after - before for before, after in zip(first, second, strict=True)]
