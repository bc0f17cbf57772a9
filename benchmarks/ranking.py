"""CPU time of all ranking measures, gAUC first, over 100,000 impressions: ours against scikit-learn's AUC user by user.

python benchmarks/ranking.py
"""

from __future__ import annotations

from functools import partial

import numpy as np
from measuring import in_turns
from sklearn.metrics import roc_auc_score

from iamm.head.ranking import rankings

IMPRESSIONS, USERS, ROUNDS = 100_000, (1_000, 5_000), 3


def drawn(users: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dice = np.random.default_rng(0)
    return dice.standard_normal(IMPRESSIONS), dice.random(IMPRESSIONS) < 0.3, dice.integers(0, users, IMPRESSIONS)


def user_by_user(scores: np.ndarray, clicked: np.ndarray, user: np.ndarray) -> float:
    """What anybody would write for gAUC alone."""
    order = np.argsort(user, kind="stable")
    found = [
        (len(rows), roc_auc_score(clicked[rows], scores[rows]))
        for rows in np.split(order, np.unique(user[order], return_index=True)[1][1:])
        if 0 < clicked[rows].sum() < len(rows)
    ]
    weights, values = zip(*found, strict=True)
    return float(np.average(values, weights=weights))


def main() -> None:
    for users in USERS:
        rows = drawn(users)
        assert abs(rankings(*rows)["gauc"] - user_by_user(*rows)) < 1e-12
        works = {"ours": partial(rankings, *rows), "bare": partial(user_by_user, *rows)}
        seconds = in_turns(works, ROUNDS)
        ratio = seconds["ours"] / seconds["bare"]
        print(f"{users:,} users: {seconds['ours']:.2f} s CPU, {ratio:.3f} times user by user")


if __name__ == "__main__":
    main()
