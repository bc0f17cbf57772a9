"""The kernel score: the inner product of positive features of query and key."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.normaliser.base import widened
from iamm.score.base import Score


class KernelScore(Score):
    """s(q, k) = φ(q)ᵀφ(k) / e^{min(max q, 0)}, φ(x) = elu(x) + 1 = e^{min(x, 0)} + max(x, 0), without parameters.

    `query` and `key` give the logarithms of the features, which hold where the features themselves would be too small,
    in at least float32. The divisor, of the query alone, cancels in the sum's shares.

    Never below zero: made for `normaliser=sum`, with which the sums may be reordered and cost O(T) for T places
    (`attention=linear`).

    Source: Katharopoulos et al. 2020, eq. 4 and 7, there without the divisor.
    """

    positive = True
    log_features = True

    def query(self, query: Tensor) -> Tensor:
        return log_features(query) - widened(query.amax(dim=-1, keepdim=True).clamp(max=0.0))  # (B, H, Q, E)

    def key(self, key: Tensor) -> Tensor:
        return log_features(key)  # (B, H, K, E)

    def forward(self, query: Tensor, key: Tensor, distance: Tensor | None = None) -> Tensor:
        return query.exp() @ key.exp().transpose(-2, -1)  # (B, H, Q, K)


def log_features(features: Tensor) -> Tensor:
    """ln φ(x) = min(x, 0) + ln(1 + max(x, 0)), feature by feature."""
    wide = widened(features)
    return wide.clamp(max=0.0) + torch.relu(wide).log1p()
