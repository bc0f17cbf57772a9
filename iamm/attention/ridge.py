"""Ridge attention: weights by a regression on the keys, so that keys that are alike share one weight."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.attention.base import Attention, AttentionOutput, Call, require_same_batch
from iamm.attention.state import AttentionState
from iamm.constraints import Positive, ShareBelow1
from iamm.normaliser.base import widened
from iamm.score.cosine import unit


class RidgeAttention(Attention):
    """context_q = K_qk (K_kk + λI)⁻¹ V, with K(x, y) = cos(x, y) and λ = e^θ learnt.

    A softmax counts three keys that are nearly equal three times; here they share one count, as the keys are whitened.
    It is the prediction of a ridge regression of the values on the keys, at the query: as λ → 0, a query that equals a
    key reads its value. The weights may be negative and do not sum to 1; a query that is orthogonal to all keys reads
    zero. One head without projections.

    Cost: O(K²·D + K³ + Q·K²) time and O(K²) memory, one Cholesky factor for each example.

    Args:
        dim: D, the width of query, key, value and context.
        ridge: λ at the start.
        dropout: share of the weights that is dropped in training.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, 1, Q, K)

    Raises:
        ValueError: `ridge` that is not positive; `causal`, `allow` or `bias`, as all queries share one regression.

    Source: kernel ridge regression (Saunders, Gammerman, Vovk 1998, eq. 9), the mean of a Gaussian process with noise λ
    (Rasmussen, Williams 2006, eq. 2.25), read as an attention. The cosine and the learnt λ are ours.
    """

    no_causal = "all queries share one regression on the keys"
    no_pairwise = "all queries share one regression on the keys"
    growth = 3
    sums_to_one = False

    def __init__(self, dim: int, *, ridge: Positive = 1.0, dropout: ShareBelow1 = 0.0) -> None:
        super().__init__(dim)
        self.dropout = dropout
        self.theta = nn.Parameter(torch.tensor(math.log(ridge)))

    def project_value(self, value: Tensor) -> Tensor:
        return value.unsqueeze(1)  # (B, 1, K, D)

    def merge(self, context: Tensor) -> Tensor:
        return context.squeeze(1)  # (B, Q, D)

    def hold(self, key: Tensor, value: Tensor, key_allow: Tensor | None, *, fixed: bool) -> AttentionState:
        return AttentionState(key.unsqueeze(1), value.unsqueeze(1), key_allow, fixed)  # (B, 1, K, D)

    def answer(self, call: Call) -> AttentionOutput:
        if call.causal or call.pairwise:
            raise ValueError(
                f"This attention takes neither `causal` nor `allow` nor `bias`: {self.no_causal}. Choose another one."
            )
        query, memory = self.memory_of(call)
        require_same_batch(query, memory.key)
        with torch.autocast(query.device.type, enabled=False):
            weights = self.weights(widened(query), widened(memory.key.squeeze(1)))  # (B, Q, K)
        weights = weights.to(query.dtype).unsqueeze(1)  # (B, 1, Q, K)
        dropped = functional.dropout(weights, self.dropout, self.training)
        context = self.merge(dropped.to(memory.value.dtype) @ memory.value)
        return AttentionOutput(
            context, weights if call.need_weights else None, memory if call.state is not None else None
        )

    def weights(self, query: Tensor, key: Tensor) -> Tensor:
        """K_qk (K_kk + λI)⁻¹ of queries (B, Q, D) and keys (B, K, D); a key of zeros has the weight 0.  # (B, Q, K)"""
        query, key = unit(query), unit(key)
        ridge = self.theta.exp().to(key.dtype) * torch.eye(key.shape[1], dtype=key.dtype, device=key.device)
        factor = torch.linalg.cholesky(key @ key.mT + ridge)  # (B, K, K)
        return torch.cholesky_solve(key @ query.mT, factor).mT
