"""The contract of every weighting: several scenes' losses in, one backward pass out, and the weights applied in it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Weighting(nn.Module):
    """L = Σ_i w_i L_i, or a rule on the scenes' gradients.

    The loop knows one call only, `backward`; a rule over gradients replaces it, a rule over losses gives `weights` (and
    `penalty`, where its weights are learnt). State is held in buffers and parameters of fixed shape from the start.
    Weights of the rules that normalise sum to 1 over all scenes (D0 §4.4: uniform is 1/M), so that a learning rate
    means the same for all. A scene that a batch does not hold weighs 0 in that step, and the others keep their weights:
    what a scene weighs does not depend on who else happens to be there.

    Args:
        scenes: S, how many losses there are.
    """

    needs_scene_weights = False
    """True where `weights` reads what the fusion attended to; only fusions with scene weights can then be used."""

    def __init__(self, scenes: int) -> None:
        super().__init__()
        self.scenes = scenes

    def weights(self, losses: Tensor, scene_weights: Tensor | None) -> Tensor:
        """w, from this step's losses (S,) (detached) and the mean scene weights (S,) (detached).  # (S,)"""
        raise NotImplementedError

    def penalty(self) -> Tensor | float:
        """What each observed scene adds to Σ w_i L_i, (S,); the cost that keeps learnt weights from vanishing."""
        return 0.0

    def backward(
        self,
        losses: Tensor,
        *,
        observed: Tensor,
        scene_weights: Tensor | None = None,
        shared: Sequence[nn.Parameter] = (),
        scale: float = 1.0,
    ) -> Tensor:
        """Add this step's gradients to every parameter's `.grad`; return the applied weights ∂L/∂L_i.

        Args:
            losses: (S,), with graph; 0 where a scene is not observed.
            observed: (S,) bool, False for a scene none of whose examples is in this batch: its weight is then 0.
            scene_weights: (S,), the batch's mean attention of the fusion over scenes, detached; None where it has none.
            shared: the parameters that several scenes share, for rules over gradients.
            scale: factor on the whole loss, 1/n when gradients of n batches are accumulated.
        """
        weights = self.weights(losses.detach(), scene_weights) * observed
        total = (weights * losses + self.penalty() * observed).sum()
        (total * scale).backward()
        return weights.detach()

    @torch.no_grad()
    def end_epoch(self, losses: Tensor) -> None:
        """Called after each epoch with the mean training loss of each scene (S,), for rules that look back.

        A scene without any example in the epoch stands there as 0 or NaN.
        """
