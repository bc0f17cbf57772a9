"""A weighting with equal projections on all gradients, and with losses brought to one scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from iamm.constraints import Count
from iamm.errors import NoSolutionError
from iamm.weighting.base import Paths
from iamm.weighting.cosines import TOLERANCE, cosines, spectrum
from iamm.weighting.gradient import GradientWeighting, Place, SceneGradients
from iamm.weighting.scene_gradients import add_gradient

FREE = 1e-8
"""Share of |1|² outside the range of C up to which C b = 1 counts as solvable."""


class ImpartialWeighting(GradientWeighting):
    """d · u_i is the same for all i, with d = Σ a_i g_i, Σ a_i = 1, u_i = g_i/|g_i|; L_i becomes e^{s_i} L_i (IMTL).

    Gradient balance (IMTL-G). With C_ij = u_i · u_j and b_i = a_i |g_i| it is C b = t 1, so that a_i ∝ b_i/|g_i| with
    b = C⁻¹ 1; for two scenes a = (|g_2|, |g_1|) / (|g_1| + |g_2|). Weights may be negative. They are large where the
    b_i/|g_i| nearly cancel, and where the sum of these is negative, Σ a_i = 1 turns d uphill: so the formula has it.
    Gradients that depend on each other: the least b, so that two of one direction share alike; where only d = 0 has
    equal projections, as on opposite gradients, the b that gives it. A zero gradient weighs 0, and the rest sum to 1;
    where all are zero, so are all weights.

    Loss balance (IMTL-L). Each s_i is learnt on e^{s_i} L_i − s_i, by the run's optimizer and without decay: it settles
    at −log L_i, which brings all losses to 1. Both (IMTL): the g_i above are those of e^{s_i} L_i, so that the weight
    of L_i is a_i e^{s_i}, and each head is trained by e^{s_i} L_i / S. A scene that is not observed keeps its s_i.

    Args:
        scenes: S, the number of losses; for loss balance all positive, as a loss of 0 lets s grow on.
        wrt: `parameters` or `representation` (the paper's choice for speed).
        every: k, the optimizer steps between two computations of the weights; s is learnt in every step.
        balance_losses: learn s; without it s = 0, which is IMTL-G.

    Raises:
        NoSolutionError: the weights of equal projections sum to 0, so that no multiple of them sums to 1; or the
            gradients are linearly dependent in such a way that only a step of 0 projects equally on all of them, while
            none of positive weights is 0, so that there is a better one.

    Source: Liu et al. 2021, IMTL-G, IMTL-L and their hybrid. The paper trains the heads by the sum of the scaled
    losses, here it is their mean.
    """

    def __init__(
        self, scenes: int, *, wrt: Place = "parameters", every: Count = 1, balance_losses: bool = True
    ) -> None:
        super().__init__(scenes, wrt=wrt, every=every)
        self.log_scale = nn.Parameter(torch.zeros(scenes), requires_grad=balance_losses)  # s

    def rule(self, gram: np.ndarray) -> np.ndarray:
        norms, cosine = cosines(gram)
        alive = norms > 0
        weights = equal_projections(cosine, alive) / np.where(alive, norms, np.inf)  # (n,)
        if (weights < -TOLERANCE * np.abs(weights).max(initial=0.0)).any() and not moves(cosine, weights * norms):
            raise NoSolutionError(
                "weighting=impartial needs gradients with a step of equal projections. Found linearly dependent ones, "
                "on which only a step of 0 projects equally: take another weighting, as weighting=conflict_averse."
            )
        total, size = weights.sum(), np.abs(weights).sum()
        if abs(total) > TOLERANCE * size:
            return weights / total  # (n,)
        if alive.any():
            raise NoSolutionError(
                "weighting=impartial needs weights that sum to 1 and give equal projections. Found that those of equal "
                "projections sum to 0: take another weighting, as weighting=conflict_averse."
            )
        return weights

    def shared_weights(self, gram: np.ndarray, losses: np.ndarray, observed: np.ndarray) -> np.ndarray:
        scale = np.exp(self.log_scale.tolist())  # (S,)
        return super().shared_weights(gram * scale[:, None] * scale, losses, observed) * scale  # (S,)

    def private_weights(self) -> Sequence[float]:
        return (self.log_scale.detach().exp() / self.scenes).tolist()

    def backward_heads(
        self, losses: Sequence[Tensor], present: Sequence[int], paths: Paths, share: float
    ) -> SceneGradients:
        if self.log_scale.requires_grad:
            step = self.parts[-1]
            slope = (self.log_scale.detach().exp() * step.losses - 1) * step.observed  # (S,), ∂(e^s L − s)/∂s
            add_gradient(self.log_scale, slope * share)
        return super().backward_heads(losses, present, paths, share)


def moves(cosine: np.ndarray, unit_weights: np.ndarray) -> bool:
    """Whether the weighted sum of the unit gradients differs from 0."""
    return bool(np.abs(cosine @ unit_weights).max() > TOLERANCE * np.abs(unit_weights).max())


def equal_projections(cosine: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """The least b with C b = 1 where a gradient is alive; if there is none, a b with C b = 0 in its place.

    Shapes:
        cosine: (n, n), with zeros for a gradient that is zero
        alive: (n,) bool, False for a gradient that is zero
        returns: (n,)
    """
    values, vectors, zeros = spectrum(cosine)
    parts = alive @ vectors  # (n,), components of 1 along the eigenvectors
    free = vectors[:, :zeros] @ parts[:zeros]  # (n,), part of 1 outside the range of C
    if free @ free > FREE * len(free):
        return free
    return vectors[:, zeros:] @ (parts[zeros:] / values[zeros:])  # (n,)
