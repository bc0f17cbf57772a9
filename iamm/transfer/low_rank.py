"""Migration by learning of low-rank changes of all linear maps."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils import parametrize

from iamm.constraints import Count, Positive
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import LearningTransfer, Material, matching


class LowRankTransfer(LearningTransfer):
    """W' = W + B A with A (r, in) ~ N(0, 1/r), B (out, r) = 0 at the start: LoRA (Hu et al. 2022, §4.1) with α = r.

    A and B are trained on the target's k labels a class; all else is frozen. Ours: every linear layer of encoders,
    fusion and heads has them (there: those of attention). Recurrent layers, convolutions and the gates of interest stay
    as they are, so that with a recurrent encoder the fusion and the head alone are changed.

    Args:
        rank: r.
        steps: of the optimizer.
        rate: the learning rate.
        batch: examples a step; fewer where there are fewer.
    """

    def __init__(self, *, rank: Count = 4, steps: Count = 50, rate: Positive = 1e-2, batch: Count = 64) -> None:
        super().__init__(steps=steps, rate=rate, batch=batch)
        self.rank = rank

    def trained(self, model: SceneNetwork, material: Material) -> list[nn.Parameter]:
        for module in [module for module in model.modules() if isinstance(module, nn.Linear)]:
            parametrize.register_parametrization(module, "weight", LowRank(module.weight, self.rank))
        return matching(model, lambda name: name.endswith((".up", ".down")))


class LowRank(nn.Module):
    """W ↦ W + B A.

    Args:
        weight: W (out, in), of which A and B take device and type.
        rank: r.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        height, width = weight.shape
        self.down = nn.Parameter(weight.new_empty(rank, width).normal_(std=rank**-0.5))
        self.up = nn.Parameter(weight.new_zeros(height, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down
