"""The contract of every score: how well a query and a key match, before masks and normalising."""

from __future__ import annotations

from torch import Tensor, nn

from iamm.constrained import Constrained


class Score(Constrained, nn.Module):
    """s_qk = f(query(x_q), key(x_k)): `query` and `key` once for each place, `forward` for each pair.

    Args:
        dim: E, the width of what is compared: D, or one head's share of it.
        heads: H; what a score learns is shared by the heads unless its docstring says otherwise.
    """

    inner_product = False
    """True where s_qk = query(x_q)ᵀ key(x_k): matrix kernels may then take the place of `forward`."""

    keys_as_they_are = False
    """True where key(x) = x."""

    log_features = False
    """True where s_qk = Σ_f e^{query(x_q)_f + key(x_k)_f}: the sum over keys may then be taken first."""

    positive = False
    """True where no s_qk is below zero, so that `normaliser=sum` gives weights."""

    positional = False
    """True where `forward` wants to know how far apart the two places are."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.dim = dim

    @property
    def width(self) -> int:
        """F, of what `query` gives."""
        return self.dim

    def query(self, query: Tensor) -> Tensor:
        """(B, H, Q, E) → (B, H, Q, F)"""
        return query

    def key(self, key: Tensor) -> Tensor:
        """(B, H, K, E) → (B, H, K, F); zero rows (padding) may become anything finite."""
        return key

    def forward(self, query: Tensor, key: Tensor, distance: Tensor | None = None) -> Tensor:
        """(B, H, Q, F) against (B, H, K, F).  # (B, H, Q, K)

        Args:
            query: what `query` gave.
            key: what `key` gave.
            distance: (Q, K) int64, the key's position minus the query's; None where they are not places of one
                sequence, or the score is not positional.
        """
        raise NotImplementedError


class InnerProductScore(Score):
    """s_qk = query(x_q)ᵀ key(x_k)."""

    inner_product = True

    def forward(self, query: Tensor, key: Tensor, distance: Tensor | None = None) -> Tensor:
        return query @ key.transpose(-2, -1)  # (B, H, Q, K)
