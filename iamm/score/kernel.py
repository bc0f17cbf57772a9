"""The kernel score: the inner product of positive features of query and key."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.score.base import InnerProductScore


class KernelScore(InnerProductScore):
    """s(q, k) = φ(q)ᵀφ(k) / e^{min(max q, 0)}, φ(x) = elu(x) + 1 = e^{min(x, 0)} + max(x, 0), without parameters.

    The divisor, of the query alone, cancels in the sum's shares; without it a query whose features are all far below
    zero would have scores too small for float32.

    Never below zero: made for `normaliser=sum`, with which the sums may be reordered and cost O(T) for T places
    (`attention=linear`).

    Source: Katharopoulos et al. 2020, eq. 4 and 7, there without the divisor. The second
    form of φ is exact where e^x would drown in e^x − 1 + 1.
    """

    positive = True

    def query(self, query: Tensor) -> Tensor:
        """φ(q) / e^{min(max q, 0)}: where the largest feature is below zero, all of φ is a power."""
        largest = query.amax(dim=-1, keepdim=True).clamp(max=0.0)  # (B, H, Q, 1)
        return (query.clamp(max=0.0) - largest).exp() + torch.relu(query)

    def key(self, key: Tensor) -> Tensor:
        return positive_features(key)


def positive_features(features: Tensor) -> Tensor:
    """φ(x) = elu(x) + 1, feature by feature."""
    return features.clamp(max=0.0).exp() + torch.relu(features)
