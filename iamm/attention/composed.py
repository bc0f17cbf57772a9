"""The base class of attentions composed of a score, a pattern and a normaliser."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from iamm.attention.base import (
    Attention,
    AttentionOutput,
    Call,
    require_pairs,
    require_same_batch,
)
from iamm.attention.fused import fused_attention, fused_is_faster
from iamm.attention.state import AttentionState
from iamm.constraints import Count, ShareBelow1
from iamm.normaliser.base import Normaliser
from iamm.pattern.base import Pattern, Sight
from iamm.score.base import Score


class ComposedAttention(Attention):
    """w_q = normaliser(score(q, k) + bias) over the keys that the pattern allows for q; context_q = Σ_k w_qk v_k.

    A subclass defines the projections to heads (`project_query`, `project_key`, `project_value`) and back (`merge`).

    Args:
        dim: D, the width of query, key, value and context.
        score: a partial of a Score, which compares pairs.
        pattern: a partial of a Pattern, which selects pairs.
        normaliser: a partial of a Normaliser, which turns scores into weights.
        dropout: share of the weights that is dropped in training; returned weights are those before dropout.
        heads: H.

    Raises:
        ValueError: heads that do not divide the width; `dropout` outside [0, 1); incompatible parts.
    """

    def __init__(
        self,
        dim: int,
        *,
        score: Callable[..., Score],
        pattern: Callable[..., Pattern],
        normaliser: Callable[..., Normaliser],
        dropout: ShareBelow1 = 0.0,
        heads: Count = 1,
    ) -> None:
        super().__init__(dim)
        if dim % heads:
            raise ValueError(f"`heads` must divide `dim`. Found dim={dim}, heads={heads}.")
        self.heads = heads
        self.dropout = dropout
        self.score = score(dim // heads, heads)
        self.pattern = pattern(self.score.width, heads)
        self.normaliser = normaliser(dim // heads, heads)
        self.no_causal, self.no_pairwise = self.pattern.no_causal, self.pattern.no_pairwise
        self.growth = self.pattern.growth
        if self.normaliser.needs_positive and not self.score.positive:
            raise ValueError(
                f"This `normaliser` needs scores that are never below zero. Found {type(self.score).__name__}: choose "
                "another score (kernel), or another normaliser."
            )
        if dropout > 0.0 and self.pattern.no_dropout:
            raise ValueError(f"This pattern takes no `dropout`: {self.pattern.no_dropout}. Set its dropout=0.")
        self.pattern.check(self.score, self.normaliser)

    def in_heads(self, features: Tensor) -> Tensor:
        """Split the width into heads: (B, T, D) → (B, H, T, E)."""
        return features.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def project_query(self, query: Tensor) -> Tensor:
        return self.in_heads(query)  # (B, H, Q, E)

    def project_key(self, key: Tensor) -> Tensor:
        return self.in_heads(key)  # (B, H, K, E)

    def project_value(self, value: Tensor) -> Tensor:
        return self.in_heads(value)  # (B, H, K, E)

    def merge(self, context: Tensor) -> Tensor:
        return context.transpose(1, 2).flatten(2)  # (B, Q, D)

    def hold(self, key: Tensor, value: Tensor, key_allow: Tensor | None, *, fixed: bool) -> AttentionState:
        return AttentionState(self.score.key(self.project_key(key)), self.project_value(value), key_allow, fixed)

    def answer(self, call: Call) -> AttentionOutput:
        self._require_able(call.causal, call.pairwise)
        if call.key is not None and not call.pairwise and self.reads_unprojected(call.query):
            return self.read_unprojected(call.query, call.key, call.value, call.key_allow, call.need_weights)
        query, memory = self.memory_of(call)
        require_same_batch(query, memory.key)
        shape = (query.shape[0], self.heads, query.shape[1], memory.length)
        require_pairs("allow", call.allow, shape)
        require_pairs("bias", call.bias, shape)
        start = None if memory.fixed else memory.length - query.shape[1]
        sight = Sight(start, call.allow, memory.key_allow, call.bias, call.causal, self.score.positional)
        prepared = self.score.query(self.project_query(query))  # (B, H, Q, F)
        context, weights = self.pattern(
            self.attend, prepared, memory.key, memory.value, sight, need_weights=call.need_weights
        )  # (B, H, Q, E)
        return AttentionOutput(self.merge(context), weights, memory if call.state is not None else None)

    def reads_unprojected(self, query: Tensor) -> bool:
        """Whether `read_unprojected` is faster than a projection of the memory given as `key`."""
        return False

    def read_unprojected(
        self, query: Tensor, key: Tensor, value: Tensor | None, key_allow: Tensor | None, need_weights: bool
    ) -> AttentionOutput:
        """Compute `forward` for a separate memory, with the products in another order."""
        raise NotImplementedError

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        allow: Tensor | None = None,
        bias: Tensor | None = None,
        distance: Tensor | None = None,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend within one block of pairs; see `iamm.pattern.base.Attend`."""
        if not need_weights and bias is None and self._is_plain() and fused_is_faster(query, key, allow is not None):
            return fused_attention(query, key.to(query.dtype), value.to(query.dtype), allow), None  # (B, H, Q, E)
        if query.dtype == torch.float16:
            query, key = query.float(), key.float()  # products pass its largest number, 65504, easily
        scores = self.score(query, key, distance)  # (B, H, Q, K)
        weights = self.normaliser(scores if bias is None else scores + bias, allow)
        dropped = functional.dropout(weights, self.dropout, self.training)
        return dropped.to(value.dtype) @ value, weights if need_weights else None

    def _is_plain(self) -> bool:
        """Whether the attention is a softmax of inner products without dropout, as fused kernels compute."""
        drops = self.training and self.dropout > 0.0
        return self.score.inner_product and self.normaliser.plain_softmax and not drops

    def _require_able(self, causal: bool, pairwise: bool) -> None:
        if causal and self.pattern.no_causal:
            raise ValueError(f"This pattern cannot be causal: {self.pattern.no_causal}. Choose another `pattern`.")
        if pairwise and self.pattern.no_pairwise:
            raise ValueError(
                f"This pattern takes neither `allow` nor `bias`: {self.pattern.no_pairwise}. Choose another `pattern`."
            )
