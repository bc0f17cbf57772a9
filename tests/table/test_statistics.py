from __future__ import annotations

import math
import random
import subprocess
import sys
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from iamm.table.statistics import PAIRED_TESTS, Estimate, estimate, holm, paired_t, smallest_p, wilcoxon

MEASURES = st.integers(-50, 50).map(lambda hundredths: hundredths / 100)
P_VALUES = st.lists(st.floats(0, 1), max_size=8)


def close(value: float, digits: float = 1e-12):
    return pytest.approx(value, rel=digits, abs=0)


# --- estimate


@pytest.mark.parametrize(
    ("values", "mean", "deviation", "half"),
    [
        ([1.0, 2.0, 3.0], 2.0, 1.0, 4.302653 / math.sqrt(3)),  # 4.302653: a t table, 2 degrees of freedom
        ([1.0, 2.0, 3.0, 4.0, 5.0], 3.0, math.sqrt(2.5), 2.776445 * math.sqrt(2.5 / 5)),  # 4 degrees of freedom
    ],
)
def test_an_estimate_by_hand(values, mean, deviation, half):
    actual = estimate(values)
    assert actual == (mean, close(deviation), close(mean - half, 1e-6), close(mean + half, 1e-6), len(values))


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_an_interval_is_that_of_scipy(n, confidence):
    draw = random.Random(n)
    values = [draw.gauss(0.7, 0.01) for _ in range(n)]
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(confidence)
    assert estimate(values, confidence)[2:] == (close(low), close(high), n)


def test_one_value_has_a_mean_only():
    assert estimate([0.1]) == Estimate(0.1, None, None, None, 1)


@pytest.mark.parametrize("n", range(2, 12))
def test_equal_values_have_an_interval_of_no_width(n):
    """Also where Σ x / n is not x: three times 0.1, divided by 3."""
    assert estimate([0.1] * n) == Estimate(0.1, 0.0, 0.1, 0.1, n)


@pytest.mark.parametrize("values", [[math.nan, 1.0], [math.inf, 1.0], [math.inf, -math.inf]], ids=str)
def test_what_is_not_finite_makes_an_estimate_nan(values):
    *actual, n = estimate(values)
    assert [math.isnan(part) for part in actual] == [True] * 4
    assert n == 2


def test_no_values_and_no_confidence_are_errors():
    with pytest.raises(ValueError, match=r"^An estimate needs at least one value\. Found none\.$"):
        estimate([])
    with pytest.raises(ValueError, match=r"^`confidence` must lie between 0 and 1\. Found 95\.$"):
        estimate([1.0, 2.0], 95)


def test_95_of_100_intervals_hold_the_mean():
    """4,000 draws: 0.95 give or take 0.0034. With the normal quantile, 1.96, only 0.85 of them would."""
    draw = random.Random(5)
    actual = [estimate([draw.gauss(3.0, 2.0) for _ in range(4)]) for _ in range(4000)]
    assert sum(part.low <= 3.0 <= part.high for part in actual) / 4000 == pytest.approx(0.95, abs=0.01)


@given(st.lists(MEASURES, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_seeds_does_not_move_a_mean(values, shuffle):
    mixed = shuffle.sample(values, len(values))
    assert estimate(mixed).mean == estimate(values).mean


# --- paired t


def test_paired_t_by_hand():
    """Differences 1, 2, 3: t = 2√3; with 2 degrees of freedom p = 1 − t / √(t² + 2) = 1 − √(12 / 14)."""
    assert paired_t([5.0, 5.0, 5.0], [6.0, 7.0, 8.0]) == close(1 - math.sqrt(12 / 14))


@pytest.mark.parametrize("sign", [1, -1])
def test_paired_t_at_the_quantile_of_a_table(sign):
    """Five differences of mean m and deviation √2.5: m at the table's 2.776445 · √(2.5 / 5) gives 5 %."""
    middle = 2.776445 * math.sqrt(2.5 / 5)
    assert paired_t([0.0] * 5, [sign * (middle + part) for part in (-2, -1, 0, 1, 2)]) == close(0.05, 1e-6)


@pytest.mark.parametrize("middle", [1e-9, 0.1, 10.0, 1e6, 1e9])
def test_a_tiny_p_keeps_its_digits(middle):
    """1 − t / √(t² + 2) with nothing cancelled: 2 / (s · (s + t)), s = √(t² + 2); 1e-12 for 1e6 and 3e-19 for 1e9."""
    t = math.sqrt(3) * middle
    s = math.sqrt(t * t + 2)
    assert paired_t([0.0] * 3, [middle - 1, middle, middle + 1]) == close(2 / (s * (s + t)))


@pytest.mark.parametrize("n", [2, 3, 5, 10, 30])
@pytest.mark.parametrize("better", [0.0, 0.01, 1.0])
def test_paired_t_is_that_of_scipy(n, better):
    draw = random.Random(n)
    first, second = ([draw.gauss(middle, 0.01) for _ in range(n)] for middle in (0.5, 0.5 + better))
    assert paired_t(first, second) == close(stats.ttest_rel(first, second).pvalue)


def test_overlapping_training_sets_widen_intervals_and_raise_p():
    """ρ = 2/7 over four folds: s² (1/4 + 2/7) in the place of s²/4 (Nadeau and Bengio 2003)."""
    first, second = [1.0, 2.0, 3.0, 4.0], [1.5, 2.2, 3.9, 4.4]  # differences of 0.5, 0.2, 0.9, 0.4
    deviation = (0.26 / 3) ** 0.5
    t = 0.5 / (deviation * (1 / 4 + 2 / 7) ** 0.5)
    assert paired_t(first, second, 2 / 7) == pytest.approx(2 * stats.t.sf(t, 3))
    assert paired_t(first, second, 2 / 7) > paired_t(first, second)
    plain, wide = estimate(first), estimate(first, overlap=2 / 7)
    assert wide.mean == plain.mean
    assert wide.high - wide.mean == pytest.approx((plain.high - plain.mean) * (1 + 4 * 2 / 7) ** 0.5)


def test_paired_t_of_equal_differences():
    assert paired_t([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]) == 1.0
    assert math.isnan(paired_t([0.0, 1.0, 2.0], [0.5, 1.5, 2.5]))
    assert math.isnan(paired_t([0.1, 0.2, 0.3], [0.2, 0.3, 0.4]))  # equal but for rounding


# --- wilcoxon


def all_signs(differences: list[int]) -> float:
    """Every choice of signs of the differences that are not 0: how many lie as far from the middle as this one."""
    sizes = [abs(d) for d in differences if d]
    ranks = [sum(other < size for other in sizes) + (sizes.count(size) + 1) / 2 for size in sizes]

    def distance(signs) -> float:
        return abs(sum(sign * rank for sign, rank in zip(signs, ranks, strict=True)))

    observed = distance([math.copysign(1, d) for d in differences if d])
    far = [distance(signs) >= observed for signs in product((-1, 1), repeat=len(sizes))]
    return sum(far) / len(far)


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 2, 3, 4, 5], 2 / 32),  # no rank below 0: 1 way of 32, twice
        ([-1, 2, 3, 4, 5], 4 / 32),  # rank sum 1: 2 ways
        ([-3, 2, 1, 4, 5], 10 / 32),  # rank sum 3: {}, {1}, {2}, {3}, {1, 2}
        ([1, -1, 2], 6 / 8),  # ranks 1.5, 1.5, 3; rank sum 1.5: {}, {1.5}, {1.5}
        ([0, 1, -1, 0, 2], 6 / 8),  # zeros are left out
        ([1, -1], 1.0),
        ([7], 1.0),
    ],
)
def test_wilcoxon_by_hand(differences, p):
    assert wilcoxon([0] * len(differences), differences) == p
    assert wilcoxon(differences, [0] * len(differences)) == p


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=10))
def test_wilcoxon_counts_every_choice_of_signs(differences):
    """With ties and zeros, in every order and scale."""
    assert wilcoxon([3] * len(differences), [3 + d for d in differences]) == all_signs(differences)


@given(st.lists(st.tuples(MEASURES, st.integers(-6, 6)), min_size=1, max_size=8), st.sampled_from([1e-6, 1, 100]))
def test_wilcoxon_sees_ties_through_rounding(pairs, scale):
    """0.3 − 0.2 is not 0.2 − 0.1 in floating point; accuracies of a few hundred examples tie all the time."""
    first = [before * scale for before, _ in pairs]
    second = [(before + d / 100) * scale for before, d in pairs]
    assert wilcoxon(first, second) == all_signs([d for _, d in pairs])


@pytest.mark.parametrize("n", [1, 2, 5, 12, 25, 60])
def test_wilcoxon_is_that_of_scipy(n):
    """Where there are no ties and no zeros, scipy is exact."""
    draw = random.Random(n)
    first, second = ([draw.gauss(middle, 1.0) for _ in range(n)] for middle in (0.0, 0.5))
    exact = stats.wilcoxon(first, second, zero_method="wilcox", method="exact").pvalue
    assert wilcoxon(first, second) == close(exact)


def test_wilcoxon_of_equal_rows():
    assert wilcoxon([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]) == 1.0
    assert wilcoxon([0.0], [0.0]) == 1.0


# --- both tests


@pytest.mark.parametrize("test", PAIRED_TESTS.values(), ids=PAIRED_TESTS)
@given(pairs=st.lists(st.tuples(MEASURES, MEASURES), min_size=2, max_size=8))
def test_a_p_value_does_not_know_which_row_is_first(test, pairs):
    first, second = zip(*pairs, strict=True)
    p = test(first, second)
    if math.isnan(p):
        assert len({round(b - a, 9) for a, b in pairs}) == 1
    else:
        assert 0 <= p <= 1
    assert p == pytest.approx(test(second, first), rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize("test", PAIRED_TESTS.values(), ids=PAIRED_TESTS)
@pytest.mark.parametrize("odd", [math.nan, math.inf], ids=str)
def test_what_is_not_finite_makes_p_nan(test, odd):
    assert math.isnan(test([1.0, odd, 2.0], [2.0, 3.0, -odd]))
    assert math.isnan(test([1.0, odd, odd], [2.0, odd, 2.0]))


@pytest.mark.parametrize("test", PAIRED_TESTS.values(), ids=PAIRED_TESTS)
def test_rows_of_other_lengths_are_an_error(test):
    with pytest.raises(ValueError, match=r"^A paired test needs both rows by the same seeds\. Found 3 and 2 values\.$"):
        test([1.0, 2.0, 3.0], [1.0, 2.0])


def test_too_few_pairs_have_no_p():
    assert math.isnan(paired_t([], []))
    assert math.isnan(paired_t([1.0], [2.0]))
    assert math.isnan(wilcoxon([], []))


@pytest.mark.parametrize("n", range(1, 6))
def test_no_differences_give_less_than_the_smallest_p(n):
    actual = [wilcoxon([0] * n, differences) for differences in product((-2, -1, 0, 1, 2), repeat=n)]
    assert smallest_p("wilcoxon", n) == min(actual)


def test_the_smallest_p():
    """Five seeds are too few for Wilcoxon to separate anything at 5 %."""
    assert [smallest_p("wilcoxon", n) for n in (1, 5, 6, 100)] == [1.0, 0.0625, 0.03125, 2.0**-99]
    assert [smallest_p("t", n) for n in (2, 5, 100)] == [0.0, 0.0, 0.0]
    assert math.isnan(smallest_p("wilcoxon", 0))
    assert math.isnan(smallest_p("t", 1))


# --- holm


def naive_holm(p_values: list[float]) -> list[float]:
    """By the definition: the smallest α at which the step-down procedure still rejects, one hypothesis at a time."""
    adjusted = []
    for mine in p_values:
        smaller = sorted(p for p in p_values if p <= mine)
        steps = [(len(p_values) - step) * p for step, p in enumerate(smaller)]
        adjusted.append(min(1.0, max(steps)))
    return adjusted


def test_holm_by_hand():
    """Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.04; the last may not fall below 0.06."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06], rel=1e-12)
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.05]) == [0.05]
    assert holm([]) == []


def test_what_has_no_p_is_no_comparison():
    actual = holm([math.nan, 0.01, math.nan, 0.04])
    assert actual[1::2] == [0.02, 0.04]
    assert [math.isnan(p) for p in actual] == [True, False, True, False]


@given(P_VALUES)
def test_holm_is_its_definition(p_values):
    assert holm(p_values) == naive_holm(p_values)


@given(P_VALUES)
def test_holm_raises_p_values_and_keeps_their_order(p_values):
    adjusted = holm(p_values)
    assert all(p <= higher <= 1 for p, higher in zip(p_values, adjusted, strict=True))
    by_p = [higher for _, higher in sorted(zip(p_values, adjusted, strict=True))]
    assert by_p == sorted(by_p)


@given(st.lists(st.floats(0, 1), max_size=4))
def test_holm_does_not_know_the_order_of_rows(p_values):
    adjusted = holm(p_values)
    for order in permutations(range(len(p_values))):
        assert holm([p_values[place] for place in order]) == [adjusted[place] for place in order]


def test_holm_keeps_false_rejections_below_5_of_100():
    """Six rows that are all the same, five tests against the first, as a table does it: 2,000 tables, ± 0.005.

    Uncorrected, a difference would be claimed in more than every tenth table.
    """
    draw = random.Random(7)
    raw = []
    for _ in range(2000):
        first, *others = ([draw.gauss(0.0, 1.0) for _ in range(5)] for _ in range(6))
        raw.append([paired_t(first, other) for other in others])
    false = sum(min(holm(p_values)) <= 0.05 for p_values in raw) / 2000
    assert 0.02 < false <= 0.05
    assert sum(min(p_values) <= 0.05 for p_values in raw) / 2000 > 0.1


# --- cost


def test_scipy_is_imported_late():
    """It costs almost a second of computing, and a table's errors are reported before that."""
    code = "import sys, iamm.table.statistics; sys.exit('scipy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
