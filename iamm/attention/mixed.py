"""Mixed attention: the memory is mixed with its self-attention, then the query reads it by cross-attention."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention, AttentionOutput, Call, clear_padding
from iamm.attention.state import AttentionState


class MixedAttention(Attention):
    """context = cross(q, m'), m' = (1 − g) m + g · self(m, m), g = σ(γ), for a memory m; else self(q, q).

    g is one learnt number that starts at one half (γ = 0): g = 0 is plain cross-attention, g = 1 reads the memory's
    self-attention. A value v that differs from the key is gathered by the same weights:
    v' = (1 − g) v + g · self(m, m, v). `remember` does this first part once for a memory.
    Without a key there is no second sequence: the result is that of `self_attention`, and does not depend on
    `cross_attention` and γ.

    The weights with a memory are those of `cross_attention`, over the memory's positions. `allow` and `bias` apply
    only to that step: a position also carries what it gathered from its neighbours.
    `project_value` and `merge` are those of `self_attention`, which is where weights @ project_value(value) is the
    context; with a memory it is `cross_attention.merge(weights @ state.value)`. The two merges are one where neither
    learns an output projection.

    Args:
        dim: D, the width of query, key, value and context.
        self_attention: a partial of an Attention that takes `dim`: how a sequence attends to itself.
        cross_attention: a partial of an Attention that takes `dim`: how the query reads the memory.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, H, Q, K)

    Raises:
        ValueError: `self_attention` and `cross_attention` with different numbers of heads.

    Cost: `self_attention`'s over K queries and K keys plus `cross_attention`'s over Q and K: with full patterns
    O(K·D² + K²·D + Q·K·D) time, O(K² + Q·K) memory. Pooling T places with one query costs T², not T.

    Source: D3, *mixed attention*: "combine self- and cross-attention", in words only. The formula and g are ours.
    """

    mixes_memory = True
    limits_from = "self_attention"
    equal_heads = ("self_attention", "cross_attention")

    def __init__(
        self, dim: int, *, self_attention: Callable[..., Attention], cross_attention: Callable[..., Attention]
    ) -> None:
        super().__init__(dim)
        self.self_attention = self_attention(dim)
        self.cross_attention = cross_attention(dim)
        if self.self_attention.heads != self.cross_attention.heads:
            raise ValueError(
                "`self_attention` and `cross_attention` must have the same number of heads. "
                f"Found {self.self_attention.heads} and {self.cross_attention.heads}: choose two with the same number."
            )
        self.heads = self.self_attention.heads
        self.no_causal = self.self_attention.no_causal
        self.no_pairwise = self.self_attention.no_pairwise or self.cross_attention.no_pairwise
        self.growth = max(self.self_attention.growth, self.cross_attention.growth)
        self.gamma = nn.Parameter(torch.zeros(()))

    def project_value(self, value: Tensor) -> Tensor:
        return self.self_attention.project_value(value)  # (B, H, K, E)

    def merge(self, context: Tensor) -> Tensor:
        return self.self_attention.merge(context)  # (B, Q, D)

    def mixed(self, key: Tensor, value: Tensor | None, key_allow: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Compute m' and, for a separate value, v'.  # (B, K, D)"""
        memory, carried = clear_padding(key, value, key_allow)
        gathered = self.self_attention(memory, key_allow=key_allow).context  # (B, K, D)
        share = torch.sigmoid(self.gamma)
        mixed = memory + share * (gathered - memory)  # (B, K, D)
        if value is None:
            return mixed, None
        gathered = self.self_attention(memory, value=carried, key_allow=key_allow).context  # (B, K, D)
        return mixed, carried + share * (gathered - carried)

    def remember(self, key: Tensor, value: Tensor | None = None, *, key_allow: Tensor | None = None) -> AttentionState:
        return self.cross_attention.remember(*self.mixed(key, value, key_allow), key_allow=key_allow)

    def empty_state(self, query: Tensor) -> AttentionState:
        return self.self_attention.empty_state(query)

    def answer(self, call: Call) -> AttentionOutput:
        if call.key is not None:
            key, value = self.mixed(call.key, call.value, call.key_allow)
            return self.cross_attention.answer(call._replace(key=key, value=value))
        return (self.cross_attention if call.to_memory else self.self_attention).answer(call)
