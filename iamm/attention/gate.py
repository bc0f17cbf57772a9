"""The base class of attentions that gate the values before an inner attention: gated and per-scene attention."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from iamm.attention.base import Attention, AttentionOutput, Call, clear_padding
from iamm.attention.state import AttentionState


class ValueGateAttention(Attention):
    """context_q = Σ_k w_qk P(a(v_k) ⊙ v_k): w and the projection P are those of the inner attention.

    Only the values pass the gate a(v) in (0, 1), not queries and keys. A subclass defines the gate. Heads, states,
    dropout and limits are those of the inner attention.

    Args:
        dim: D, the width of query, key, value and context.
        inner: a partial of an Attention that takes `dim`.
    """

    limits_from = "inner"

    def __init__(self, dim: int, *, inner: Callable[..., Attention]) -> None:
        super().__init__(dim)
        self.inner = inner(dim)
        self.heads = self.inner.heads
        self.no_causal, self.no_pairwise = self.inner.no_causal, self.inner.no_pairwise
        self.growth = self.inner.growth
        self.mixes_memory = self.inner.mixes_memory

    def gate(self, value: Tensor) -> Tensor:
        """Compute a(v), the share of each feature that passes the gate: (B, K, D) → (B, K, D)"""
        raise NotImplementedError

    def gated(self, value: Tensor) -> Tensor:
        """Gate the values, a(v) ⊙ v: (B, K, D) → (B, K, D)"""
        return self.gate(value) * value

    def project_value(self, value: Tensor) -> Tensor:
        return self.inner.project_value(self.gated(value))  # (B, H, K, E)

    def merge(self, context: Tensor) -> Tensor:
        return self.inner.merge(context)  # (B, Q, D)

    def remember(self, key: Tensor, value: Tensor | None = None, *, key_allow: Tensor | None = None) -> AttentionState:
        key, value = clear_padding(key, value, key_allow)
        return self.inner.remember(key, self.gated(value), key_allow=key_allow)

    def empty_state(self, query: Tensor) -> AttentionState:
        return self.inner.empty_state(query)

    def answer(self, call: Call) -> AttentionOutput:
        if call.to_memory:  # whose values have passed the gate in `remember`
            return self.inner.answer(call)
        _, value = clear_padding(call.query if call.key is None else call.key, call.value, call.key_allow)
        return self.inner.answer(call._replace(value=self.gated(value)))
