"""A weighting that makes the scenes' gradients orthogonal and equally long."""

from __future__ import annotations

import numpy as np

from iamm.weighting.cosines import cosines, spectrum
from iamm.weighting.gradient import GradientWeighting


class AlignedWeighting(GradientWeighting):
    """a = σ_min V diag(1/σ) Vᵀ · 1/n, with σ, V the singular values and right vectors of (g_1 … g_n) (Aligned-MTL).

    The matrix of the gradients is replaced by the nearest one with orthogonal columns of one length, its own smallest
    non-zero singular value σ_min; the step is the mean of these columns. None of them dominates or opposes another, but
    the step is as short as the direction that all scenes together use least: when two gradients come near to each other
    or to opposite, it nearly vanishes, until they count as dependent. Weights may be negative.

    σ² and V are the eigenvalues and eigenvectors of G. The non-zero ones are counted on the cosines of the gradients
    (`iamm.weighting.cosines`): gradients closer to dependent than float32 can tell are taken as dependent. Equal
    gradients so weigh the same and opposite ones cancel, as in the paper. A zero gradient weighs 0; where all are zero,
    so are all weights.

    Args:
        scenes: S, the number of losses.
        wrt: `parameters`, or `representation` (the paper's Aligned-MTL-UB).
        every: k, the optimizer steps between two computations of the weights.

    Source: Senushkin, Patakin, Kuznetsov and Konushin 2023, Algorithm 1, with equal task weights 1/n.
    """

    def rule(self, gram: np.ndarray) -> np.ndarray:
        return alignment(gram).sum(axis=1) / len(gram)  # (n,)


def alignment(gram: np.ndarray) -> np.ndarray:
    """B (n, n): column i holds the weights of the gradients that make up aligned gradient i; zeros where G is zero."""
    norms, cosine = cosines(gram)
    values, vectors, zeros = spectrum(cosine)
    factor = norms[:, None] * vectors[:, zeros:] * np.sqrt(values[zeros:])  # (n, rank), factor @ factor.T = G
    v, sigma, _ = np.linalg.svd(factor, full_matrices=False)
    return v * (sigma[-1:] / sigma) @ v.T  # (n, n)
