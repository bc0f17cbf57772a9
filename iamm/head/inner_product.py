"""The probability of a click by the inner product of candidate and history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from torch import Tensor, nn

from iamm.attention.base import Attention
from iamm.constraints import OneOf
from iamm.dataset.base import Scene
from iamm.encoder.base import Features
from iamm.head.ranker import RankerHead


class InnerProductHead(RankerHead):
    """p = σ(α ⟨c, h⟩ + β), c the candidate in place 0 and h its user's history, the other places pooled.

    α and β are learnt and begin at 1 and 0. As they move no candidate past another, what the features say of the order
    stays as it is: the head of two towers (Covington et al. 2016, eq. 1, there with a softmax), and of a rule.

    Args:
        scene, dim, attention, quality: as in `RankerHead`, with its loss and measures.
    """

    def __init__(
        self,
        scene: Scene,
        dim: int,
        *,
        attention: Callable[..., Attention] | None = None,
        quality: Annotated[str, OneOf(("gauc", "auc", "ndcg_10", "hit_rate_10", "loss"))] = "gauc",
    ) -> None:
        super().__init__(scene, dim, attention=attention, hidden=None, quality=quality)
        self.layers = nn.Linear(1, 1)
        nn.init.ones_(self.layers.weight)
        nn.init.zeros_(self.layers.bias)

    def scores(self, features: Features) -> Tensor:
        candidate, (history, _) = features.values[:, 0], self.pooled(features)
        return self.layers((candidate * history).sum(dim=1, keepdim=True)).squeeze(1)  # (B,)
