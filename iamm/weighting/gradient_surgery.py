"""A weighting that projects conflicting gradients onto each other's normal planes."""

from __future__ import annotations

import numpy as np

from iamm.constraints import Count, Seed
from iamm.weighting.draws import Draws
from iamm.weighting.gradient import GradientWeighting, Place


class GradientSurgeryWeighting(GradientWeighting):
    """d = 1/n Σ_i g_i′; g_i′ starts at g_i and, for each other g_j: g_i′ ← g_i′ − min(0, g_i′·g_j)/|g_j|² g_j (PCGrad).

    Each g_i meets the others in a random order of its own, which matters from three scenes on. It meets the g_j as they
    came, not as projected; never itself. Nothing is projected on a zero gradient. All is done with coefficients: g_i′
    is Σ_k c_k g_k, and c G holds its products with all gradients. Where none conflict, all weights are 1/n; no weight
    is below that.

    Args:
        scenes: S, the number of losses.
        wrt: `parameters` or `representation`.
        every: k, the optimizer steps between two computations of the weights.
        seed: of the orders.

    Source: Yu et al. 2020, Algorithm 1. The paper sums the projected gradients; here it is their mean.
    """

    def __init__(self, scenes: int, *, wrt: Place = "parameters", every: Count = 1, seed: Seed) -> None:
        super().__init__(scenes, wrt=wrt, every=every)
        self.draws = Draws(seed)

    def rule(self, gram: np.ndarray) -> np.ndarray:
        n, rows = len(gram), gram.tolist()
        weights = [1.0] * n
        if min(map(min, rows)) < 0:
            for i, order in enumerate(self.orders(n)):
                project(rows, i, order, weights)
        return np.array(weights) / n  # (n,)

    def orders(self, n: int) -> list[list[int]]:
        """The order in which each gradient meets all others; drawn only if it matters."""
        return [[0, 1]] * 2 if n == 2 else self.draws.generator().random((n, n)).argsort(axis=1).tolist()


def project(rows: list[list[float]], i: int, order: list[int], weights: list[float]) -> None:
    """Add the coefficients of gradient i's projections to the weights of the gradients that it conflicts with."""
    products = rows[i]  # g_i′ · g_k for all k
    for j in order:
        along, square = products[j], rows[j][j]
        if along < 0 < square and j != i:
            step = along / square
            weights[j] -= step
            products = [product - step * other for product, other in zip(products, rows[j], strict=True)]
