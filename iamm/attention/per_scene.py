"""Per-scene attention: each place recognises its scene, whose gate it passes before an inner attention."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention
from iamm.attention.gate import ValueGateAttention
from iamm.constraints import Layers


class PerSceneAttention(ValueGateAttention):
    """context_q = Σ_k w_qk P(a(v_k) ⊙ v_k), a(v) = Σ_s p_s(v) σ(W_s v + b_s), p(v) = softmax(R v); w and the projection
    P are the inner attention's.

    p is a soft choice among S learnt scenes, which are not the run's data sets. It is learnt end to end with the rest,
    and depends only on the place itself, so that a causal attention stays causal. R starts random, so that the scenes
    can differ; their gates start open and equal: W_s = 0, b_s = `gate_bias` in each feature, σ(4) = 98.2 %.

    Args:
        dim: D, the width of query, key, value and context.
        inner: a partial of an Attention that takes `dim`.
        scenes: S; 1 is gated attention.
        gate_bias: every b_s at the start.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, H, Q, K)

    Raises:
        ValueError: `scenes` below 1.

    Cost: O(S·K·D²) time and O(S·K·D) memory beside the inner attention's.

    Source: D1 §2.3 and §4.2: recognise the scene s, then a(x, s) = σ(W_s x), z = a(x, s) ⊙ x. D1 assumes that
    s is known, one for an example; ours are the expectation over scenes recognised place by place, b_s, and the
    attention over the gated places.
    """

    def __init__(
        self, dim: int, *, inner: Callable[..., Attention], scenes: Layers = 4, gate_bias: float = 4.0
    ) -> None:
        super().__init__(dim, inner=inner)
        self.scenes = scenes
        self.r = nn.Linear(dim, scenes, bias=False)
        self.w = nn.Linear(dim, scenes * dim)
        nn.init.zeros_(self.w.weight)
        nn.init.constant_(self.w.bias, gate_bias)

    def recognise(self, value: Tensor) -> Tensor:
        """Compute p, the share of each scene at each place: (B, K, D) → (B, K, S)"""
        return torch.softmax(self.r(value), dim=-1)

    def gate(self, value: Tensor) -> Tensor:
        gates = torch.sigmoid(self.w(value)).unflatten(-1, (self.scenes, -1))  # (B, K, S, D)
        return (self.recognise(value).unsqueeze(-2) @ gates).squeeze(-2)  # (B, K, D)
