"""Self- and cross-attention combined: the memory first mixes itself with what it gathers, then it is read."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention, AttentionOutput, Call, clear_padding
from iamm.attention.state import AttentionState


class MixedAttention(Attention):
    """context = other(q, m'), m' = (1 − g) m + g · own(m, m), g = σ(γ), for a memory m; context = own(q, q) without.

    g is learnt, one number, and starts at one half (γ = 0): at 0 the memory is read as it is, which is cross-attention,
    at 1 as it sees itself. A value v apart from the key is gathered by the same weights:
    v' = (1 − g) v + g · own(m, m, v). `remember` does this first part, once for a memory.
    Without a key, in a decoder's or encoder's own attention, there is no second sequence to combine with: `own` alone
    serves, and `other` and γ have no part in the result.

    The weights with a memory are those of `other`'s reading, over the memory's positions. `allow` and `bias` hold for
    that reading alone: what a position has gathered from its neighbours comes with it.
    `project_value` and `merge` are those of `own`, which is where weights @ project_value(value) is the context; with a
    memory it is `other.merge(weights @ state.value)`. The two merges are one where neither learns an output projection.

    Args:
        dim: D, the width of query, key, value and context.
        own: a partial of an Attention that takes `dim`: how a sequence sees itself.
        other: a partial of an Attention that takes `dim`: how the query reads the memory.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, H, Q, K)

    Raises:
        ValueError: `own` and `other` with different numbers of heads.

    Cost: `own`'s over K queries and K keys plus `other`'s over Q and K: with full patterns O(K·D² + K²·D + Q·K·D) time,
    O(K² + Q·K) memory. Pooling T places with one query costs T², not T.

    Source: D3, *mixed attention*: "combine self- and cross-attention", in words only. The formula and g are ours.
    """

    mixes_memory = True
    limits_from = "own"

    def __init__(self, dim: int, *, own: Callable[..., Attention], other: Callable[..., Attention]) -> None:
        super().__init__(dim)
        self.own = own(dim)
        self.other = other(dim)
        if self.own.heads != self.other.heads:
            raise ValueError(
                "`own` and `other` must have the same number of heads. "
                f"Found {self.own.heads} and {self.other.heads}: choose two with the same number."
            )
        self.heads = self.own.heads
        self.no_causal = self.own.no_causal
        self.no_pairwise = self.own.no_pairwise or self.other.no_pairwise
        self.growth = max(self.own.growth, self.other.growth)
        self.gamma = nn.Parameter(torch.zeros(()))

    def project_value(self, value: Tensor) -> Tensor:
        return self.own.project_value(value)  # (B, H, K, E)

    def merge(self, context: Tensor) -> Tensor:
        return self.own.merge(context)  # (B, Q, D)

    def mixed(self, key: Tensor, value: Tensor | None, key_allow: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """m' and, for a value apart, v'.  # (B, K, D)"""
        memory, carried = clear_padding(key, value, key_allow)
        gathered = self.own(memory, key_allow=key_allow).context  # (B, K, D)
        share = torch.sigmoid(self.gamma)
        mixed = memory + share * (gathered - memory)  # (B, K, D)
        if value is None:
            return mixed, None
        gathered = self.own(memory, value=carried, key_allow=key_allow).context  # (B, K, D)
        return mixed, carried + share * (gathered - carried)

    def remember(self, key: Tensor, value: Tensor | None = None, *, key_allow: Tensor | None = None) -> AttentionState:
        return self.other.remember(*self.mixed(key, value, key_allow), key_allow=key_allow)

    def empty_state(self, query: Tensor) -> AttentionState:
        return self.own.empty_state(query)

    def answer(self, call: Call) -> AttentionOutput:
        if call.key is not None:
            key, value = self.mixed(call.key, call.value, call.key_allow)
            return self.other.answer(call._replace(key=key, value=value))
        return (self.other if call.to_memory else self.own).answer(call)
