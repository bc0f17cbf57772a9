"""A weighting by α-fair allocation of the progress among the scenes."""

from __future__ import annotations

import numpy as np

from iamm.constraints import Count, Positive
from iamm.weighting.bargaining import bargain
from iamm.weighting.gradient import GradientWeighting, Place


class FairWeighting(GradientWeighting):
    """a = x/n with x > 0, (G x)_i = x_i^(−1/α): α-fair resource allocation (FairGrad).

    Of all directions of one length, d = Σ_i a_i g_i has the largest Σ_i (g_i·d)^(1−α) / (1 − α): for α → 0 the largest
    sum of gains (a → 1/n where the mean gradient opposes no scene), for α = 1 the largest product (Nash), for 2 the
    smallest sum of inverse gains, for α → ∞ the largest least gain. All gains are positive. All gradients times c
    multiply the weights by c^(−2α/(1+α)).

    A zero gradient takes no part: its weight is 0. Where a convex combination of the gradients is zero there is no
    solution, and training stops with an error (`iamm.weighting.bargaining` says where this begins).

    Args:
        scenes: S, the number of losses.
        wrt: `parameters` or `representation`.
        every: k, the optimizer steps between two computations of the weights.
        alpha: α, positive; the larger, the more weight for the scene that gains least (the authors' scripts: 2 on
            CelebA and QM9, 1 on Meta-World).

    Raises:
        ValueError: an `alpha` that is not positive and finite.
        NoSolutionError: a convex combination of the gradients is zero.

    Source: Ban and Ji 2024, Algorithm 1, whose x is not divided by n. The authors' code finds x by nonlinear least
    squares; here it is exact.
    """

    def __init__(self, scenes: int, *, wrt: Place = "parameters", every: Count = 1, alpha: Positive = 2.0) -> None:
        super().__init__(scenes, wrt=wrt, every=every)
        self.alpha = alpha

    def rule(self, gram: np.ndarray) -> np.ndarray:
        return bargain(gram, self.alpha) / len(gram)  # (n,)
