"""The activation unit (DIN): a small network over query, key, their difference and their product."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.constraints import Width
from iamm.score.base import Score


class ActivationUnitScore(Score):
    """s(q, k) = vᵀ f(W [q; k; q − k; q ⊙ k] + b) + c,  f(x) = σ(x) x + (1 − σ(x)) α ⊙ x, α learnt.

    W [q; k; q − k; q ⊙ k] = A q + B k + C (q ⊙ k), as q − k adds nothing to a linear map: A q and B k are computed once
    for each place, C (q ⊙ k) for each pair.

    Cost: O(Q·K·E·F) time and O(Q·K·(E + F)) memory, made for the one query of a candidate.

    Args:
        dim: E, the width of query and key.
        heads: H, which share all parameters.
        hidden: F, the width of the hidden layer (paper: 36).

    Raises:
        ValueError: `hidden` below 1.

    Source: Zhou et al. 2018, §4.3 and figure 2, with q, k and their outer product; the authors' code has q, k, q − k
    and q ⊙ k as here. f is their Dice (eq. 5) with the mean 0 and the variance 1 in place of the batch's, so that a
    score does not depend on other examples.
    """

    def __init__(self, dim: int, heads: int, *, hidden: Width = 36) -> None:
        super().__init__(dim, heads)
        self.a = nn.Linear(dim, hidden, bias=False)
        self.b = nn.Linear(dim, hidden)
        self.c = nn.Linear(dim, hidden, bias=False)
        self.alpha = nn.Parameter(torch.zeros(hidden))
        self.v = nn.Linear(hidden, 1)

    @property
    def width(self) -> int:
        return self.dim + self.a.out_features

    def query(self, query: Tensor) -> Tensor:
        return torch.cat((query, self.a(query)), dim=-1)  # (B, H, Q, E + F)

    def key(self, key: Tensor) -> Tensor:
        return torch.cat((key, self.b(key)), dim=-1)  # (B, H, K, E + F)

    def forward(self, query: Tensor, key: Tensor, distance: Tensor | None = None) -> Tensor:
        (q, of_q), (k, of_k) = (each.tensor_split((self.dim,), dim=-1) for each in (query, key))
        product = linear(self.c, q.unsqueeze(-2) * k.unsqueeze(-3))  # (B, H, Q, K, F)
        hidden = of_q.unsqueeze(-2) + of_k.unsqueeze(-3) + product
        share = torch.sigmoid(hidden)
        return linear(self.v, hidden * (share + (1 - share) * self.alpha)).squeeze(-1)  # (B, H, Q, K)


def linear(layer: nn.Linear, values: Tensor) -> Tensor:
    """Apply a layer in the type of the values, which may be wider than that of its weights."""
    bias = None if layer.bias is None else layer.bias.to(values.dtype)
    return functional.linear(values, layer.weight.to(values.dtype), bias)
