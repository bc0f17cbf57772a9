"""Cosines between the scenes' gradients, and their spectrum."""

from __future__ import annotations

import numpy as np

TOLERANCE = 1e-6
"""An eigenvalue of C below this, times n, is zero: a Gram matrix of float32 gradients has errors of this size."""


def cosines(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|g_i| (n,) and C_ij = cos(g_i, g_j) (n, n), from G (n, n); the row and column of a zero gradient are 0.

    G = D C D with D = diag |g_i|. Whether gradients depend on each other is read off C: G_ij is off by some part of
    |g_i| |g_j|, so that in G itself the rounding of a long gradient hides a short one.
    """
    norms = np.sqrt(gram.diagonal())  # (n,)
    inverse = 1 / np.where(norms > 0, norms, np.inf)  # (n,)
    return norms, gram * inverse[:, None] * inverse


def spectrum(cosine: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Eigenvalues of C, ascending (n,), its eigenvectors as columns (n, n), and the number of zero eigenvalues."""
    values, vectors = np.linalg.eigh(cosine)
    return values, vectors, int(np.searchsorted(values, TOLERANCE * len(values)))
