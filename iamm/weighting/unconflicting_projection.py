"""A weighting by the mean of the gradients, each projected so that it opposes no other."""

from __future__ import annotations

import numpy as np

from iamm.weighting.gradient import GradientWeighting
from iamm.weighting.quadratic import dual_cone_projections


class UnconflictingProjectionWeighting(GradientWeighting):
    """d = 1/n Σ_i π(g_i), π(g) the nearest to g with π(g)·g_j ≥ 0 for all j: unconflicting projection (UPGrad).

    No scene loses: d·g_i ≥ 0 for all i. A gradient c times as long has a projection c times as long and leaves the
    others' as they are: d is linear in the gradients' lengths. π(g_i) = Σ_j V_ij g_j, with the row v ≥ e_i of least
    vᵀG v; so a = 1/n Σ_i V_i is at least 1/n for each scene, and 1/n for all where no gradients conflict. Where no
    direction but 0 is allowed, as between opposite gradients, d = 0. A zero gradient changes nothing for the others,
    and weighs 1/n.

    Args:
        scenes: S, the number of losses.
        wrt: `parameters` or `representation`.
        every: k, the optimizer steps between two computations of the weights.

    Source: Quinton and Rey 2024, the aggregator UPGrad and its quadratic program on the Gramian.
    """

    def rule(self, gram: np.ndarray) -> np.ndarray:
        return dual_cone_projections(gram).mean(axis=0)  # (n,)
