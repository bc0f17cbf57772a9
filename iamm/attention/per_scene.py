"""Each place recognises its scene and is gated as that scene's attention says, before an inner attention mixes."""

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

    p is the recognised scene: one of S that are learnt, not one of the run's data sets. It is soft, learnt end to end
    with the rest, and found for each place from that place alone: no other place and no other example has a part in it,
    so that a causal attention stays causal. R starts random, else the scenes could not come apart; their gates start
    open and even: W_s = 0, b_s = `gate_bias` in each feature, σ(4) = 98.2 %.

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

    Source: D1 §2.3 and §4.2: recognise the scene s, then a(x, s) = σ(W_s x), z = a(x, s) ⊙ x. D1 takes s as given, one
    for an example; that it is the expectation over scenes recognised place by place, b_s, and that the gated places are
    then weighed by an attention, are ours.
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
        """p, how much of each scene each place shows: (B, K, D) → (B, K, S)"""
        return torch.softmax(self.r(value), dim=-1)

    def gate(self, value: Tensor) -> Tensor:
        gates = torch.sigmoid(self.w(value)).unflatten(-1, (self.scenes, -1))  # (B, K, S, D)
        return (self.recognise(value).unsqueeze(-2) @ gates).squeeze(-2)  # (B, K, D)
