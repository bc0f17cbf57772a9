"""Self-attention: a sequence attends to itself before a query reads it."""

from __future__ import annotations

from torch import Tensor

from iamm.attention.cross import CrossAttention
from iamm.attention.state import AttentionState


class SelfAttention(CrossAttention):
    """context = A(q, q), or A(q, A(m, m)) for a separate memory m; A is one head with learnt projections W_q, W_k, W_v.

    Without a key it is plain self-attention. A separate memory first attends to itself, among its real tokens, and the
    query reads the result with the same three projections; `remember` does the first part once for a memory. A value
    v that differs from the key is gathered by the same weights: A(q, A(m, m), A(m, m, v)).
    The weights are those of the query over the memory's positions. `allow` applies only to that step: a position also
    carries what it gathered from its neighbours.

    Args:
        dim: D, the width of query, key, value and context.
        score: a partial of a Score.
        pattern: a partial of a Pattern.
        normaliser: a partial of a Normaliser.
        dropout: share of the weights that is dropped in training, in both steps.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, 1, Q, K)

    Source: Vaswani et al. 2017, eq. 1 and §3.2.3, with one head; the second reading is ours, so that self-attention
    fits every place that takes an attention.
    """

    mixes_memory = True

    def remember(self, key: Tensor, value: Tensor | None = None, *, key_allow: Tensor | None = None) -> AttentionState:
        gathered = self(key, key_allow=key_allow).context  # (B, K, D)
        carried = None if value is None else self(key, value=value, key_allow=key_allow).context  # (B, K, D)
        return super().remember(gathered, carried, key_allow=key_allow)
