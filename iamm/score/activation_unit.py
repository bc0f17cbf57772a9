"""The activation unit (DIN): a small network over query, key, their difference and their product."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import silu

from iamm.constraints import Width
from iamm.score.base import Score


class ActivationUnitScore(Score):
    """s(q, k) = vᵀ f(W [q; k; q − k; q ⊙ k] + b) + c,  f(x) = σ(x) x + (1 − σ(x)) α ⊙ x, α learnt.

    W [q; k; q − k; q ⊙ k] = A q + (B + C diag(q)) k, as q − k adds nothing to a linear map: each query has a matrix of
    its own, which is applied to all keys at once. vᵀ f(x) = (α ⊙ v)ᵀ x + ((1 − α) ⊙ v)ᵀ (σ(x) x).

    Cost: O(Q·K·E·F) time and O(Q·F·(K + E)) memory, made for the one query of a candidate.

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

    keys_as_they_are = True

    def __init__(self, dim: int, heads: int, *, hidden: Width = 36) -> None:
        super().__init__(dim, heads)
        self.a = nn.Linear(dim, hidden, bias=False)
        self.b = nn.Linear(dim, hidden)
        self.c = nn.Linear(dim, hidden, bias=False)
        self.alpha = nn.Parameter(torch.zeros(hidden))
        self.v = nn.Linear(hidden, 1)

    def forward(self, query: Tensor, key: Tensor, distance: Tensor | None = None) -> Tensor:
        a, b, bias, c, alpha, v, last = (
            part.to(query.dtype)
            for part in (self.a.weight, *self.b.parameters(), self.c.weight, self.alpha, *self.v.parameters())
        )
        matrix = (b + c * query.unsqueeze(-2)).transpose(-1, -2)  # (B, H, Q, E, F)
        of_query = functional.linear(query, a, bias).unsqueeze(-2)  # (B, H, Q, 1, F)
        hidden = key.unsqueeze(-3) @ matrix + of_query  # (B, H, Q, K, F)
        line, curve = functional.linear(hidden, alpha * v, last), functional.linear(silu(hidden), (1 - alpha) * v)
        return (line + curve).squeeze(-1)  # (B, H, Q, K)
