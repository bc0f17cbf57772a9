"""The base class of heads that answer from one vector of each example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from torch import Tensor, nn
from torch.nn import functional

from iamm.attention.base import Attention
from iamm.constraints import Either, OneOf, Switch
from iamm.dataset.base import Scene
from iamm.encoder.base import Features, Pool
from iamm.head.base import AttentionMap, Head

Norm = Annotated[bool | str, Either(Switch(), OneOf(("l1", "l2")))]


class UnitNorm(nn.Module):
    """x / ‖x‖_p, L1 (p = 1) or L2 (p = 2) normalisation; 0 stays 0."""

    def __init__(self, p: int) -> None:
        super().__init__()
        self.p = p

    def forward(self, values: Tensor) -> Tensor:
        return functional.normalize(values, self.p, dim=-1)


def norm_of(norm: bool | str, dim: int) -> nn.Module:
    if isinstance(norm, str):
        return UnitNorm(1 if norm == "l1" else 2)
    return nn.LayerNorm(dim) if norm else nn.Identity()


class PooledHead(Head):
    """s = W · norm(pool(x)) + b, with dropout in front of W.

    Args:
        scene: gives the classes, or the targets.
        dim: D.
        outputs: O, the length of s.
        attention: a partial that takes `dim`, pools the places with a learnt query; None means their mean.
        norm: layer norm of the pooled vector (Ba, Kiros, Hinton 2016); `l1` or `l2` divide the vector by its own norm
            (D2 §7); False leaves a linear map of it.
        dropout: share dropped of the pooled vector.
        quality: name of the measure that validation selects by.
    """

    def __init__(
        self,
        scene: Scene,
        dim: int,
        outputs: int,
        *,
        attention: Callable[..., Attention] | None,
        norm: bool | str,
        dropout: float,
        quality: str,
    ) -> None:
        super().__init__(scene, dim, quality=quality)
        self.pool = Pool(dim, attention)
        self.norm = norm_of(norm, dim)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(dim, outputs)

    def scores(self, features: Features) -> Tensor:
        pooled, _ = self.pool(features)
        return self.output(self.dropout(self.norm(pooled)))  # (B, O)

    def labels(self, features: Features) -> list[str]:
        """The answer for each example as a short text, for figures."""
        raise NotImplementedError

    def attention_map(self, features: Features) -> AttentionMap | None:
        _, weights = self.pool(features, need_weights=True)
        if weights is None:
            return None
        return AttentionMap(weights.unsqueeze(2), [[label] for label in self.labels(features)])  # (B, H, 1, T)
