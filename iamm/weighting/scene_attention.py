"""A weighting by the scene attention of the fusion."""

from __future__ import annotations

from torch import Tensor

from iamm.weighting.base import StepLosses, Weighting


class SceneAttentionWeighting(Weighting):
    """w_i = the batch's mean attention weight of scene i in the fusion.

    No gradient passes through these weights: the fusion would otherwise learn to attend to scenes with a small loss.

    Args:
        scenes: S, the number of losses.

    Raises:
        ValueError: the fusion has no scene weights.

    Source: D0 §3.1.3, where w_i is the weight that the interest attention gives to scene i.
    """

    needs_scene_weights = True
    follows_step = True

    def weights(self, step: StepLosses) -> Tensor:
        if step.scene_weights is None:
            raise ValueError(
                "weighting=scene_attention needs a fusion that weighs the scenes. Found one without scene weights: "
                "take fusion=interest_guidance or another weighting."
            )
        return step.scene_weights.detach()  # (S,)
