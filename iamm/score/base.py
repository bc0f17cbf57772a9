"""The base class of scores, which compare a query with a key before masks and normalisation."""

from __future__ import annotations

from torch import Tensor, nn

from iamm.constrained import Constrained


class Score(Constrained, nn.Module):
    """s_qk = f(query(x_q), key(x_k)): `query` and `key` are computed once for each position, `forward` for each pair.

    Args:
        dim: E, the width of query and key: D, or one head's share of it.
        heads: H; they share the parameters of a score unless its docstring says otherwise.
    """

    inner_product = False
    """Whether s_qk = query(x_q)ᵀ key(x_k), so that matrix kernels can replace `forward`."""

    keys_as_they_are = False
    """Whether key(x) = x."""

    log_features = False
    """True where s_qk = Σ_f e^{query(x_q)_f + key(x_k)_f}: the sum over keys may then be taken first."""

    positive = False
    """Whether no s_qk is negative, as `normaliser=sum` needs."""

    positional = False
    """Whether `forward` needs the distance of the two positions."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.dim = dim

    @property
    def width(self) -> int:
        """F, the width of the output of `query`."""
        return self.dim

    def query(self, query: Tensor) -> Tensor:
        """Prepare the queries: (B, H, Q, E) → (B, H, Q, F)."""
        return query

    def key(self, key: Tensor) -> Tensor:
        """Prepare the keys: (B, H, K, E) → (B, H, K, F); rows of padding (zeros) must stay finite."""
        return key

    def forward(self, query: Tensor, key: Tensor, distance: Tensor | None = None) -> Tensor:
        """Compare queries (B, H, Q, F) with keys (B, H, K, F).  # (B, H, Q, K)

        Args:
            query: output of `query`.
            key: output of `key`.
            distance: (Q, K) int64, the key's position minus the query's; None where they are not places of one
                sequence, or the score is not positional.
        """
        raise NotImplementedError


class InnerProductScore(Score):
    """s_qk = query(x_q)ᵀ key(x_k)."""

    inner_product = True

    def forward(self, query: Tensor, key: Tensor, distance: Tensor | None = None) -> Tensor:
        return query @ key.transpose(-2, -1)  # (B, H, Q, K)
