"""Prototypes of a scene: what it has learnt, written from its own examples alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm import processes


class Prototypes(nn.Module):
    """M running cluster centres c_m of one scene's vectors: buffers, which no gradient reaches.

    Each vector counts for the centre with the largest cosine; counts n and sums t fade with every batch of vectors:

        n_m ← γ n_m + (1 − γ) |A_m|,   t_m ← γ t_m + (1 − γ) Σ_{x ∈ A_m} x / |x|,   c_m = t_m / |t_m|

    These are the codes of van den Oord et al. (2017, eq. 6 to 8), by cosine. The scene's first M vectors are its first
    centres. A centre whose count falls below a hundredth of the mean count becomes the vector of the batch that fits
    its own centre worst.

    A batch is an optimizer step, over all processes: its vectors wait until the step has been applied, so that no
    example of a step reads another of the same step.

    Args:
        count: M.
        dim: D.
        decay: γ in [0, 1).
    """

    sums: Tensor
    counts: Tensor
    quality: Tensor
    """() of the scene at the last validation, over that of the best scene."""

    def __init__(self, count: int, dim: int, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.waiting: list[Tensor] = []
        self.register_buffer("sums", torch.zeros(count, dim))
        self.register_buffer("counts", torch.zeros(count))
        self.register_buffer("quality", torch.ones(()))

    @property
    def centres(self) -> Tensor:
        """(M, D), of unit length; zero where nothing has been counted."""
        return functional.normalize(self.sums, dim=-1)

    def remember(self, vectors: Tensor) -> None:
        """Remember a batch of the scene's own vectors (N, D) until `count`; those that are not finite are left out."""
        finite = vectors.detach()[vectors.isfinite().all(dim=-1)]
        self.waiting.append(functional.normalize(finite.to(self.sums.dtype), dim=-1))

    @torch.no_grad()
    def count(self, applied: bool = True) -> None:
        """Count all vectors since the last call as one batch, or forget them where their step was not applied."""
        vectors = torch.cat([*map(processes.gathered, self.waiting), self.sums[:0]])
        self.waiting.clear()
        if applied and len(vectors):
            self.fill(vectors)
            self.add(vectors)

    def add(self, vectors: Tensor) -> None:
        """Add vectors (N, D) of unit length to the centres that they fit best."""
        fit, chosen = (vectors @ self.centres.T).max(dim=-1)  # (N,)
        members = functional.one_hot(chosen, len(self.counts)).to(vectors.dtype)  # (N, M)
        self.counts.lerp_(members.sum(dim=0), 1 - self.decay)
        self.sums.lerp_(members.T @ vectors, 1 - self.decay)
        unused = int(self.counts.argmin())
        if 0 < self.counts[unused] < 0.01 * self.counts.mean():
            self.place(unused, vectors[fit.argmin()])

    def fill(self, vectors: Tensor) -> None:
        """Give a vector to each centre that has counted nothing, as far as there are vectors."""
        for row, vector in zip((self.counts == 0).nonzero().flatten().tolist(), vectors, strict=False):
            self.place(row, vector)

    def place(self, row: int, vector: Tensor) -> None:
        """Put a centre at a vector, with the count of a mean centre."""
        mean = self.counts.sum() / (self.counts > 0).sum().clamp(min=1)
        self.counts[row] = mean if mean > 0 else 1.0
        self.sums[row] = vector * self.counts[row]
