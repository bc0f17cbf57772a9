"""A weighting by the Nash bargaining solution over the shared parameters."""

from __future__ import annotations

import numpy as np

from iamm.weighting.bargaining import bargain
from iamm.weighting.gradient import GradientWeighting


class NashWeighting(GradientWeighting):
    """a = x/n with x > 0, (G x)_i = 1/x_i: the Nash bargaining solution (Nash-MTL).

    Of all directions of one length, d = Σ_i a_i g_i has the largest product of gains Π_i g_i·d. A scene's loss times c
    divides its weight by c and changes nothing else: no scene dominates by its scale. All gains are positive. For two
    scenes a_i = 1/(2 |g_i| √(1 + cos(g_1, g_2))).

    The step has one length whatever the gradients, |d| = 1/√n: it does not shrink as the losses level out, so that the
    learning rate has to (`schedule`).

    A zero gradient takes no part: its weight is 0, and the others bargain among themselves. Where a convex combination
    of the gradients is zero, nobody can gain without a loss to another: there is no solution, and training stops with
    an error (`iamm.weighting.bargaining` says where this begins).

    Args:
        scenes: S, the number of losses.
        wrt: `parameters` or `representation`.
        every: k, the optimizer steps between two computations of the weights.

    Raises:
        NoSolutionError: a convex combination of the gradients is zero.

    Source: Navon et al. 2022, Claim 3.1, whose x is not divided by n. The paper finds it by a sequence of convex
    problems that starts from the last step's weights; here it is exact and depends on G alone. The authors' code also
    clips |Σ_i x_i g_i|, which is √n always, at 1: a factor that belongs into the learning rate.
    """

    def rule(self, gram: np.ndarray) -> np.ndarray:
        return bargain(gram) / len(gram)  # (n,)
