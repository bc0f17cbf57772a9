"""A softmax with a learnt temperature that depends on the number of positions."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor, nn

from iamm.constraints import HUGE, Number
from iamm.normaliser.base import Normaliser, fill_hidden, masked_softmax, places_in_sight, widened


class TemperatureNormaliser(Normaliser):
    """w_k = n^{τ s_k} / Σ_j n^{τ s_j}, j over the n places in sight: softmax(τ ln n · s), τ = e^θ learnt for each head.

    The temperature is 1/(τ ln n). A softmax with a fixed one grows flatter the more places it is shared by; with this
    one a place that leads all others by m keeps a weight of at least 1/2 at any n, if τ·m ≥ 1.

    Args:
        dim: E, the width of one head.
        heads: H.
        places: the n at which it starts as softmax(s), τ = 1/ln places; with fewer in sight it starts flatter, with
            more sharper.

    Raises:
        ValueError: `places` below 2.

    Source: Nakanishi 2025 (Scalable-Softmax; there τ may turn negative, here it is e^θ); Chiang and Cholak 2022 with
    ln n alone.
    """

    def __init__(self, dim: int, heads: int, *, places: Annotated[int, Number(2, HUGE, whole=True)] = 32) -> None:
        super().__init__(dim, heads)
        self.theta = nn.Parameter(torch.full((heads, 1, 1), -math.log(math.log(places))))

    def forward(self, scores: Tensor, allow: Tensor | None) -> Tensor:
        filled = fill_hidden(widened(scores), allow, 0.0)
        sharpness = self.theta.exp() * places_in_sight(filled, allow).log()  # (…, H, Q or 1, 1)
        return masked_softmax(sharpness * filled, allow).to(scores.dtype)
