"""A weighting that gives more weight to larger losses, up to the largest alone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from iamm.constraints import Positive
from iamm.weighting.base import StepLosses, Weighting
from iamm.weighting.observed_softmax import observed_weights


class SmoothTchebycheffWeighting(Weighting):
    """L = μ log Σ_i exp((L_i − z_i)/μ), w = softmax((L − z)/μ): smooth Tchebycheff scalarization (STCH).

    A smooth maximum of how far the losses are above their references z: μ → 0 trains the worst scene alone, μ → ∞ all
    alike. Unlike a weighted sum it can reach any point of a Pareto front, also where that is not convex.

    Args:
        scenes: S, the number of losses.
        smoothing: μ > 0, in units of the losses (default of the authors' code: 1).
        reference: z, S numbers, the best loss that each scene can reach; None: 0 for all.

    Raises:
        ValueError: a smoothing that is not positive; references of another number or not finite.

    Source: Lin et al. 2024, with the preference λ_i = 1 for all (λ_i = λ would be ours with μ/λ, λ times as long a
    step). The authors' code for multi-task learning trains on Σ log L_i at first, takes the mean losses of one epoch
    as n, and has log(L_i/n_i) for L_i − z_i after it; ours is the paper's formula from the first step on.
    """

    follows_step = True
    one_per_scene = ("reference",)

    def __init__(self, scenes: int, *, smoothing: Positive = 1.0, reference: Sequence[float] | None = None) -> None:
        super().__init__(scenes)
        best = [0.0] * scenes if reference is None else [float(value) for value in reference]
        self.smoothing, self.reference = smoothing, best

    def weights(self, step: StepLosses) -> Tensor:
        above = [loss - best for loss, best in zip(step.losses.tolist(), self.reference, strict=True)]
        scores = [height / self.smoothing for height in above]
        return step.losses.new_tensor(observed_weights(scores, step.observed.tolist()))  # (S,)
