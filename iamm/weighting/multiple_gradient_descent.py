"""A weighting by the shortest convex combination of the scenes' gradients."""

from __future__ import annotations

import numpy as np

from iamm.weighting.gradient import GradientWeighting
from iamm.weighting.quadratic import shortest_combination


class MultipleGradientDescentWeighting(GradientWeighting):
    """a = argmin |Σ_i a_i g_i|² over a ≥ 0, Σ_i a_i = 1: multiple gradient descent (MGDA).

    No scene loses: d·g_i ≥ |d|² for all i, with equality where a_i > 0. Short gradients weigh most, and one that gains
    more than |d|² without any weight has none. Where a convex combination of the gradients is zero, as of opposite
    ones, no step helps all scenes (Pareto stationary): that combination is taken and d = 0. A zero gradient is such a
    combination by itself, and takes all weight (several share it alike): when one scene has converged, the others stop
    too. How three or more equal gradients share their weight is left to rounding, and changes nothing of d.

    Args:
        scenes: S, the number of losses.
        wrt: `parameters`, or `representation` (MGDA-UB).
        every: k, the optimizer steps between two computations of the weights.

    Source: Désidéri 2012, §3; Sener and Koltun 2018, eq. 3 (`parameters`) and §3.3 (`representation`). The paper uses
    Frank and Wolfe's iteration, here the minimum is exact; the paper's code can also scale gradients before, by
    their loss or length, which is not done here.
    """

    def rule(self, gram: np.ndarray) -> np.ndarray:
        return shortest_combination(gram)  # (n,)
