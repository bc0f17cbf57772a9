"""Migration by learning of interest alone: a few numbers of the target's own, the known scenes' model untouched."""

from __future__ import annotations

from torch import nn

from iamm.constraints import Count, Positive
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import LearningTransfer, Material, matching, require_interest


class InterestTransfer(LearningTransfer):
    """q(x) = LN(Σ_s p_s(x) q_s + U LN x̄ + δ),  gates 2σ(Σ_s p_s W_s x + g):  δ, g and e_t are trained from 0.

    These K·D + 2·D numbers are the target's own: they begin with migration by attention (D0 §2.3.3), and no known scene
    changes. `fusion=interest_guidance` is needed.

    D0 §2.3.2 asks for interest carried over by learning. That nothing else is learnt, and that it begins from what
    attention gives, is ours.

    Args:
        steps: of the optimizer.
        rate: the learning rate.
        batch: examples a step; fewer where there are fewer.
    """

    def __init__(self, *, steps: Count = 50, rate: Positive = 1e-2, batch: Count = 64) -> None:
        super().__init__(steps=steps, rate=rate, batch=batch)

    def check(self, model: SceneNetwork, material: Material) -> None:
        require_interest(model)

    def trained(self, model: SceneNetwork, material: Material) -> list[nn.Parameter]:
        model.fusion.add_scene(material.name)
        return matching(model, lambda name: name.startswith("fusion.") and name.endswith(f".{material.name}"))
