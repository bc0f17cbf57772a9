"""Measures of rankings against scikit-learn, naive loops over all orders of ties, and by hand."""

from __future__ import annotations

from itertools import permutations
from math import log2
from statistics import fmean

import numpy as np
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from iamm.head.ranking import auc, by_user, hit_rate, ndcg, ranked, rankings

DICE = np.random.default_rng(3)


def drawn(count: int, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties, and clicks, at least one of each."""
    scores, clicked = DICE.integers(0, levels, count).astype(float), DICE.random(count) < 0.3
    clicked[:2] = True, False
    return scores, clicked


CASES = [drawn(count, levels) for count in (2, 3, 11, 29, 101) for levels in (1, 2, 5, 1000)]


@pytest.mark.parametrize(("scores", "clicked"), CASES)
def test_auc_and_ndcg_are_those_of_scikit_learn(scores, clicked):
    found = ranked(scores, clicked)
    assert auc(found) == pytest.approx(roc_auc_score(clicked, scores))
    assert ndcg(found) == pytest.approx(ndcg_score(clicked[None], scores[None], k=10))


def test_a_tie_counts_half():
    assert auc(ranked(np.array([1.0, 1.0]), np.array([True, False]))) == 0.5
    assert auc(ranked(np.array([1.0, 1.0, 0.0]), np.array([True, False, False]))) == 0.75


def test_by_hand():
    """Clicks at ranks 2 and 12 of 12: the discount of rank 2 as a share of those of ranks 1 and 2."""
    scores, clicked = np.arange(12.0)[::-1], np.zeros(12, dtype=bool)
    clicked[[1, 11]] = True
    found = ranked(scores, clicked)
    assert ndcg(found) == pytest.approx((1 / log2(3)) / (1 + 1 / log2(3)))
    assert hit_rate(found) == 1.0
    assert hit_rate(ranked(scores, scores == 1)) == 0.0
    assert hit_rate(ranked(scores, scores == 2)) == 1.0
    assert hit_rate(ranked(np.zeros(12), scores == 2)) == pytest.approx(10 / 12)
    assert hit_rate(ranked(np.maximum(scores, 3), scores == 2)) == pytest.approx(2 / 4)  # two places for four


def test_hit_rate_is_the_mean_over_all_orders_of_ties(monkeypatch):
    monkeypatch.setattr("iamm.head.ranking.FIRST", 3)
    for count, levels in ((2, 1), (4, 2), (6, 1), (6, 2), (7, 3)):
        scores, clicked = drawn(count, levels)
        orders = [order for order in permutations(range(count)) if (np.diff(scores[list(order)]) <= 0).all()]
        expected = fmean(clicked[list(order[:3])].any() for order in orders)
        assert hit_rate(ranked(scores, clicked)) == pytest.approx(expected)


def test_users_are_ranked_apart_and_weighted_by_impressions():
    scores, clicked = drawn(101, 7)
    user = DICE.integers(0, 12, 101)
    clicked[user == 3], clicked[user == 4] = True, False
    found, counts, values = rankings(scores, clicked, user), [], []
    for number in range(12):
        own = user == number
        if 0 < clicked[own].sum() < own.sum():
            counts.append(own.sum())
            values.append(roc_auc_score(clicked[own], scores[own]))
    assert len(counts) < 12
    assert found["gauc"] == pytest.approx(sum(n * v for n, v in zip(counts, values, strict=True)) / sum(counts))
    assert found["auc"] == pytest.approx(roc_auc_score(clicked, scores))
    assert len(list(by_user(scores, clicked, user))) == len(np.unique(user))


def test_where_nobody_has_both_classes():
    scores, user = np.array([0.3, 0.2]), np.array([7, 8])
    expected = {"gauc": 0.5, "auc": 1.0, "ndcg_10": 0.0, "hit_rate_10": 0.0}
    assert rankings(scores, np.array([True, False]), user) == expected
    assert rankings(scores, np.array([True, True]), user)["auc"] == 0.5
