"""How well scores rank what was clicked above what was not: over all examples, and within each user's own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean
from typing import NamedTuple

import numpy as np

FIRST = 10
"""Places of a list that NDCG and hit rate look at."""


class Ranked(NamedTuple):
    """One user's candidates, by tied scores, the highest first.

    Shapes:
        clicks: (G,) how many clicks each group of equal scores has
        sizes: (G,) how many candidates
    """

    clicks: np.ndarray
    sizes: np.ndarray

    @property
    def impressions(self) -> int:
        return int(self.sizes.sum())

    @property
    def both(self) -> bool:
        """Whether something was clicked, and something was not."""
        return bool(0 < self.clicks.sum() < self.impressions)


def ranked(scores: np.ndarray, clicked: np.ndarray) -> Ranked:
    """Scores (N,) and clicks (N,) bool, in any order."""
    _, group = np.unique(-scores, return_inverse=True)
    return Ranked(np.bincount(group, clicked), np.bincount(group))


def by_user(scores: np.ndarray, clicked: np.ndarray, user: np.ndarray) -> Iterator[Ranked]:
    """Each user's candidates."""
    order = np.argsort(user, kind="stable")
    _, first = np.unique(user[order], return_index=True)
    for rows in np.split(order, first[1:]):
        yield ranked(scores[rows], clicked[rows])


def auc(found: Ranked) -> float:
    """Share of the pairs of a click and none in which the click has the higher score; a tie counts half."""
    passed = found.sizes - found.clicks
    below = passed.sum() - np.cumsum(passed)
    return float((found.clicks * (below + passed / 2)).sum() / (found.clicks.sum() * passed.sum()))


def ndcg(found: Ranked) -> float:
    """Σ_r click_r / log2(1 + r) over the first ten ranks, as a share of the best order's; mean over orders of ties."""
    discounts = 1 / np.log2(1 + np.arange(1, FIRST + 1))
    best = discounts[: int(found.clicks.sum())].sum()
    share = np.repeat(found.clicks / found.sizes, found.sizes)[:FIRST]  # of each rank's being a click
    return float((share * discounts[: len(share)]).sum() / best)


def hit_rate(found: Ranked) -> float:
    """Whether a click is among the first ten ranks: 0 or 1, or its probability over the orders of ties."""
    end = np.cumsum(found.sizes)
    last = int(np.searchsorted(end, FIRST)) if end[-1] > FIRST else len(end) - 1  # the group in which the tenth lies
    if found.clicks[:last].any():
        return 1.0
    size, clicks = int(found.sizes[last]), int(found.clicks[last])
    places = min(FIRST - (int(end[last]) - size), size)
    return 1 - math.comb(size - clicks, places) / math.comb(size, places)


def grouped_auc(users: list[Ranked]) -> float:
    """Σ_u n_u AUC_u / Σ_u n_u over users with n_u impressions (Zhou et al. 2018, eq. 7)."""
    return float(np.average([auc(user) for user in users], weights=[user.impressions for user in users]))


def rankings(scores: np.ndarray, clicked: np.ndarray, user: np.ndarray) -> dict[str, float]:
    """All measures; those of users over the users who clicked something and passed something.

    What nobody can tell is no better than chance, 0.5 of the AUC, and 0 of the lists.
    """
    whole, users = ranked(scores, clicked), [each for each in by_user(scores, clicked, user) if each.both]
    return {
        "gauc": grouped_auc(users) if users else 0.5,
        "auc": auc(whole) if whole.both else 0.5,
        "ndcg_10": fmean(map(ndcg, users)) if users else 0.0,
        "hit_rate_10": fmean(map(hit_rate, users)) if users else 0.0,
    }
