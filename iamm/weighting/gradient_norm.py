"""A weighting that learns to match each scene's gradient norm to its training rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from iamm.constraints import Count, NotNegative, Positive
from iamm.weighting.adam import Adam
from iamm.weighting.gradient import GradientWeighting, Place

MET = 1e-6
"""Relative distance within which a length counts as equal to its target: float32 cannot resolve its sign."""

LEAST = 0.01
"""Smallest weight, where the mean weight is 1."""

SLIGHTEST = 1e-12
"""Smallest L/L(0), for a loss that has fallen to 0."""


class GradientNormWeighting(GradientWeighting):
    """L = 1/S Σ_i w_i L_i; w moves against ∂/∂w Σ_i |w_i |g_i| − T_i|, T_i = mean_j(w_j |g_j|) · r_i^α held (GradNorm).

    r_i = (L_i/L_i(0)) / mean_j(L_j/L_j(0)) is large for a scene that learns slowly, which thus gets a longer gradient.
    The weights scale a scene's whole loss, its head's included. They start at 1 and, after each step of Adam, are
    raised to 0.01 where they are below, and brought back to their sum: none turns negative, which would unlearn a
    scene. A step is made with the weights as they were before it.

    L_i(0) is scene i's first positive loss; until then it counts as standing still. Means and sums are over the scenes
    that are observed; the others keep their weights, their moments and their L_i(0). A zero gradient does not move its
    own weight, but counts in the mean.

    Args:
        scenes: S, the number of losses.
        wrt: where the g_i are taken: all shared `parameters` (paper: those of the last shared layer), or the
            `representation`.
        every: k, the optimizer steps between two updates of the weights.
        alpha: α ≥ 0, how strongly scenes are held to one pace; 0: equal lengths (paper: 1.5, or 0.12 for scenes alike).
        rate: Adam's learning rate for w, whose mean is 1 (paper: 0.025).

    Raises:
        ValueError: a negative alpha, a rate that is not positive.

    Source: Chen, Badrinarayanan, Lee and Rabinovich 2018, eq. 1 and 2, Algorithm 1. The paper's L is the sum, and
    nothing there holds the weights above 0.
    """

    def __init__(
        self,
        scenes: int,
        *,
        wrt: Place = "parameters",
        every: Count = 1,
        alpha: NotNegative = 1.5,
        rate: Positive = 0.025,
    ) -> None:
        super().__init__(scenes, wrt=wrt, every=every)
        self.alpha = alpha
        self.adam = Adam(scenes, rate, epsilon=1e-30)  # no ε: one scale for all gradients changes nothing
        self.learnt: Tensor
        self.register_buffer("learnt", torch.ones(scenes))  # w
        self.start: Tensor
        self.register_buffer("start", torch.full((scenes,), torch.nan))  # L(0)

    def private_weights(self) -> Sequence[float]:
        return (self.learnt / self.scenes).tolist()

    def shared_weights(self, gram: np.ndarray, losses: np.ndarray, observed: np.ndarray) -> np.ndarray:
        weights = np.array(self.learnt.tolist())  # (S,)
        used = weights / self.scenes * observed
        if observed.any():
            slope = self.slope(weights, np.sqrt(gram.diagonal()), self.remaining(losses, observed), observed)
            self.adam.move(torch.from_numpy(weights), torch.from_numpy(slope), torch.from_numpy(observed))
            moved = np.maximum(weights[observed], LEAST)  # (n,)
            weights[observed] = moved * (self.scenes - weights[~observed].sum()) / moved.sum()
            self.learnt.copy_(torch.from_numpy(weights))
        return used  # (S,)

    def remaining(self, losses: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """L/L(0), 1 where L(0) is not known; the first positive loss is stored as L(0).  # (S,)"""
        start = np.array(self.start.tolist())
        new = observed & np.isnan(start) & (losses > 0)
        if new.any():
            start[new] = losses[new]
            self.start.copy_(torch.from_numpy(start))
        ratio = np.divide(losses, start, out=np.ones_like(losses), where=start > 0)
        return np.maximum(ratio, SLIGHTEST)

    def slope(self, weights: np.ndarray, norms: np.ndarray, remaining: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """∂/∂w of Σ |w_i |g_i| − T_i| over the scenes observed, 0 elsewhere.  # (S,)"""
        count = observed.sum()
        rate = remaining * count / (remaining @ observed)  # r
        lengths = weights * norms
        target = (lengths @ observed) / count * rate**self.alpha  # T
        gap = lengths - target
        return np.sign(gap) * (np.abs(gap) > MET * target) * norms * observed

    def finish(self) -> Tensor:
        applied = super().finish()
        self.found.copy_(self.learnt / self.scenes)  # so that trunk and heads use the same weights in the next steps
        return applied
