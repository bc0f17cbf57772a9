"""The sigmoid normaliser, which weights each position independently."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.normaliser.base import Normaliser, fill_hidden, places_in_sight, widened


class SigmoidNormaliser(Normaliser):
    """w_k = σ(s_k − ln n), n the number of places in sight.

    Places do not compete: each weight lies in (0, 1) and says how far its own gate is open. They do not sum to 1, but
    near it at the start: scores of zero give 1/(1 + n) each.

    Source: Ramapuram et al. 2024, with their bias b = −ln n; there n is the length of the sequence. D1 §2.1 has σ
    alone, which the bias of `score=affine` learns where n is always the same.
    """

    sums_to_one = False

    def forward(self, scores: Tensor, allow: Tensor | None) -> Tensor:
        wide = widened(scores)
        filled = fill_hidden(wide, allow, torch.finfo(wide.dtype).min)  # whose σ is 0
        return torch.sigmoid(filled - places_in_sight(wide, allow).log()).to(scores.dtype)
