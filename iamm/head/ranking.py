"""Ranking measures: how well scores rank clicked candidates above others, over all examples and for each user."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean
from typing import NamedTuple

import numpy as np

FIRST = 10
"""Number of ranks that NDCG and hit rate consider."""


class Ranked(NamedTuple):
    """Candidates of one user, or of all, in groups of equal scores, the highest score first.

    Shapes:
        clicks: (G,) number of clicks in each group
        sizes: (G,) number of candidates in each group
    """

    clicks: np.ndarray
    sizes: np.ndarray

    @property
    def impressions(self) -> int:
        return int(self.sizes.sum())

    @property
    def both(self) -> bool:
        """Whether some candidates were clicked, and some were not."""
        return bool(0 < self.clicks.sum() < self.impressions)


def ranked(scores: np.ndarray, clicked: np.ndarray) -> Ranked:
    """Group scores (N,) and clicks (N,) bool, in any order."""
    _, group = np.unique(-scores, return_inverse=True)
    return Ranked(np.bincount(group, clicked), np.bincount(group))


def by_user(scores: np.ndarray, clicked: np.ndarray, user: np.ndarray) -> Iterator[Ranked]:
    """Yield each user's candidates."""
    order = np.argsort(user, kind="stable")
    _, first = np.unique(user[order], return_index=True)
    for rows in np.split(order, first[1:]):
        yield ranked(scores[rows], clicked[rows])


def auc(user: Ranked) -> float:
    """Share of the pairs of a click and none in which the click has the higher score; a tie counts half."""
    passed = user.sizes - user.clicks
    below = passed.sum() - np.cumsum(passed)
    return float((user.clicks * (below + passed / 2)).sum() / (user.clicks.sum() * passed.sum()))


def average_precision(user: Ranked) -> float:
    """Mean over the clicks of the share of clicks among the candidates with at least its score."""
    precision = np.cumsum(user.clicks) / np.cumsum(user.sizes)
    return float((user.clicks * precision).sum() / user.clicks.sum())


def ndcg(user: Ranked) -> float:
    """Σ_r click_r / log2(1 + r) over the first ten ranks, as a share of the best order's; mean over orders of ties."""
    discounts = 1 / np.log2(1 + np.arange(1, FIRST + 1))
    best = discounts[: int(user.clicks.sum())].sum()
    share = np.repeat(user.clicks / user.sizes, user.sizes)[:FIRST]  # of each rank's being a click
    return float((share * discounts[: len(share)]).sum() / best)


def hit_rate(user: Ranked) -> float:
    """Whether a click is among the first ten ranks: 0 or 1, or its probability over the orders of ties."""
    end = np.cumsum(user.sizes)
    last = int(np.searchsorted(end, FIRST)) if end[-1] > FIRST else len(end) - 1  # the group in which the tenth lies
    if user.clicks[:last].any():
        return 1.0
    size, clicks = int(user.sizes[last]), int(user.clicks[last])
    places = min(FIRST - (int(end[last]) - size), size)
    return 1 - math.comb(size - clicks, places) / math.comb(size, places)


def grouped_auc(users: list[Ranked]) -> float:
    """Σ_u n_u AUC_u / Σ_u n_u over users with n_u impressions (Zhou et al. 2018, eq. 7)."""
    return float(np.average([auc(user) for user in users], weights=[user.impressions for user in users]))


def rankings(scores: np.ndarray, clicked: np.ndarray, user: np.ndarray) -> dict[str, float]:
    """Compute all measures; those by user consider the users who clicked some candidates and passed some.

    An undefined AUC is 0.5, as by chance; an undefined measure of lists is 0.
    """
    whole, users = ranked(scores, clicked), [each for each in by_user(scores, clicked, user) if each.both]
    return {
        "gauc": grouped_auc(users) if users else 0.5,
        "auc": auc(whole) if whole.both else 0.5,
        "ndcg_10": fmean(map(ndcg, users)) if users else 0.0,
        "hit_rate_10": fmean(map(hit_rate, users)) if users else 0.0,
    }
