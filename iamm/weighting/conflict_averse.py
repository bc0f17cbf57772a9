"""A weighting that turns the mean gradient towards the scene that gains least."""

from __future__ import annotations

import numpy as np

from iamm.constraints import Count, ShareBelow1
from iamm.weighting.gradient import GradientWeighting, Place
from iamm.weighting.worst_case import worst_case


class ConflictAverseWeighting(GradientWeighting):
    """d = g_0 + c |g_0| g_w / |g_w|: of all d within c |g_0| of the mean gradient g_0, the best for the worst (CAGrad).

    g_w = Σ_i w_i g_i, with w ≥ 0, Σ w_i = 1 where g_w·g_0 + c |g_0| |g_w| is smallest; then min_i g_i·d is largest. So
    a_i = 1/n + c |g_0| w_i / |g_w|, never below 1/n. c = 0 is the mean; the larger c, the nearer to the direction of
    MGDA. Fixed points are those of the mean loss for every c < 1. d is never 0 unless g_0 is.

    Where a w with g_w = 0 is best, d is of all solutions the one nearest to g_0, which is g_0 itself where it opposes
    no gradient. Where g_0 = 0, a = 1/n. A zero gradient, which gains nothing by any d, takes no part in min_i: its
    weight, 1/n, is without effect.

    Args:
        scenes: S, the number of losses.
        wrt: `parameters` or `representation`.
        every: k, the optimizer steps between two computations of the weights.
        conflict: c, 0 ≤ c < 1 (the authors' Cityscapes scripts: 0.4 and 0.6).

    Raises:
        ValueError: a `conflict` out of this range.

    Source: Liu et al. 2021 (Conflict-averse gradient descent), Algorithm 1. As there, the step is longer than the mean:
    orthonormal gradients weigh (1 + c)/n each. The authors' code offers to divide by 1 + c or by 1 + c², and finds w by
    a general-purpose optimizer; here it is exact.
    """

    def __init__(
        self, scenes: int, *, wrt: Place = "parameters", every: Count = 1, conflict: ShareBelow1 = 0.4
    ) -> None:
        super().__init__(scenes, wrt=wrt, every=every)
        self.conflict = conflict

    def rule(self, gram: np.ndarray) -> np.ndarray:
        return 1 / len(gram) + worst_case(gram, self.conflict)  # (n,)
