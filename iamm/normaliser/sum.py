"""The sum normaliser: each score divided by the sum of all."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.normaliser.base import Normaliser, fill_hidden, widened


class SumNormaliser(Normaliser):
    """w_k = s_k / Σ_j s_j, j over the places in sight, for scores that are never below zero; a bias must keep them so.

    A row of zeros gives zeros.

    Source: Katharopoulos et al. 2020, eq. 3, where s is any similarity that is not negative.
    """

    needs_positive = True

    def forward(self, scores: Tensor, allow: Tensor | None) -> Tensor:
        filled = fill_hidden(widened(scores), allow, 0.0)
        total = filled.sum(dim=-1, keepdim=True)  # (…, 1)
        return (filled / total.masked_fill(total < torch.finfo(filled.dtype).tiny, 1.0)).to(scores.dtype)
