"""The predicted-window pattern: each query predicts the centre of its window."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iamm.constraints import Width
from iamm.normaliser.base import highest, widened
from iamm.pattern.base import Attend, Sight
from iamm.pattern.full import FullPattern


class PredictedWindowPattern(FullPattern):
    """Scores get − (k − p_q)² / (2σ²), p_q = S·sigmoid(vᵀ tanh(W q)), σ = radius/2: a bell around a predicted place.

    q is the query as the score prepares it; places are counted from 0. S is how many there are: up to the last real one
    of the example, in a memory apart (a source text) as in a sequence's own; up to the query's own where causal.

    Cost: O(Q·K·D) time, O(Q·K) memory, as `full`: this is for accuracy, not for speed.

    Args:
        dim: F, the width of what the score compares, of W and of v; the heads share both.
        heads: H.
        radius: D of the paper, two standard deviations of the bell (paper: 10).

    Raises:
        ValueError: `radius` below 1; a normaliser that cannot take negative scores.

    Source: Luong, Pham and Manning 2015, §3.2, "local-p", eq. 9 and 10. There the bell multiplies the weights after the
    softmax, within a window of ± radius; here it stands inside the softmax, so that weights sum to 1, and over all
    keys, since a place that is cut off sends no gradient to p.
    """

    full_apart = False
    lowers_scores = True

    def __init__(self, dim: int, heads: int, *, radius: Width = 10) -> None:
        super().__init__(dim, heads)
        self.radius = radius
        self.w = nn.Linear(dim, dim, bias=False)
        self.v = nn.Linear(dim, 1, bias=False)

    def forward(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        place = torch.arange(key.shape[2], device=key.device)
        share = torch.sigmoid(widened(self.v(torch.tanh(self.w(query)))))  # (B, H, Q, 1)
        away = place - self.places(place, query, sight) * share  # (B, H, Q, K)
        bell = -2.0 * (away / self.radius).square()
        return super().forward(attend, query, key, value, sight.narrowed(None, bell), need_weights=need_weights)

    def places(self, place: Tensor, query: Tensor, sight: Sight) -> Tensor | int:
        """S, for all or for each example or query: a number, (B, 1, 1, 1) or (Q, 1)."""
        if sight.causal:
            return place[place.shape[0] - query.shape[2] :, None] + 1
        if sight.key_allow is None:
            return place.shape[0]
        return highest((place + 1) * sight.key_allow)[:, None, None]
