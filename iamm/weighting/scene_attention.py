"""Weights taken from what the fusion attends to."""

from __future__ import annotations

from torch import Tensor

from iamm.weighting.base import StepLosses, Weighting


class SceneAttentionWeighting(Weighting):
    """w_i = the batch's mean attention weight of scene i in the fusion.

    No gradient goes through these weights: else the fusion would learn to attend to whatever scene has a small loss.

    Args:
        scenes: S, how many losses there are.

    Raises:
        ValueError: a fusion that has no scene weights.

    Source: D0 §3.1.3, where w_i is the weight that the interest attention gives to scene i.
    """

    needs_scene_weights = True
    follows_step = True

    def weights(self, seen: StepLosses) -> Tensor:
        if seen.scene_weights is None:
            raise ValueError(
                "weighting=scene_attention needs a fusion that weighs the scenes. Found one without scene weights: "
                "take fusion=interest_guidance or another weighting."
            )
        return seen.scene_weights.detach()  # (S,)
