"""Small quadratic programs over the scenes' gradients, solved exactly."""

from __future__ import annotations

import numpy as np

from iamm.errors import NoSolutionError
from iamm.weighting.cosines import cosines

FLOOR = 1e-14
"""Least eigenvalue of a matrix that is solved with: a hundred times the rounding error of float64."""

ROUNDING = 1e-14
"""Rounding error of a slope, relative to the terms of its sum."""

ROUNDS = 1000
"""Far more than any program takes."""


def shortest_combination(gram: np.ndarray) -> np.ndarray:
    """a ≥ 0 with Σ_i a_i = 1 for which aᵀG a = |Σ_i a_i g_i|² is smallest.

    With b_i = a_i |g_i|, C the cosines and p_i = |g|_min / |g_i| it is bᵀC b over p·b = 1. To minimise
    bᵀC b + (p·b − 1)² over b ≥ 0 alone and then to scale b gives the same: for each value of p·b the best b is a
    multiple of the same one. Where a convex combination is 0, one is found; but if only gradients above 1e6 times as
    long as another cancel, G in float64 does not tell that from a combination as short as the other. A zero gradient is
    the shortest combination by itself; several share the weight alike.

    Args:
        gram: G (n, n).
    """
    zero = gram.diagonal() <= 0  # (n,)
    if zero.any():
        return zero / zero.sum()
    if len(gram) == 2:
        (first, product), (_, second) = gram.tolist()
        return shortest_of_two(first, second, product)
    norms, cosine = cosines(gram)
    prices = norms.min() / norms  # (n,)
    weights = minimum(cosine + np.outer(prices, prices), prices[None])[0] * prices  # (n,)
    return weights / weights.sum()


def shortest_of_two(first: float, second: float, product: float) -> np.ndarray:
    """The closed form, a_1 : a_2 = max(0, |g_2|² − g_1·g_2) : max(0, |g_1|² − g_1·g_2); ½ each for equal gradients."""
    one, other = max(second - product, 0.0), max(first - product, 0.0)
    if one == other:
        one = other = 1.0
    return np.array([one, other]) / (one + other)


def dual_cone_projections(gram: np.ndarray) -> np.ndarray:
    """V (n, n): Σ_j V_ij g_j is the direction nearest to g_i among the d with d·g_j ≥ 0 for all j.

    Row v of scene i has the least vᵀG v over v ≥ e_i (v_i ≥ 1, v_j ≥ 0 for the others). The lengths of the g_j do not
    matter for which d are allowed. So v = e_i + u is found for unit gradients, as the least ½ uᵀC u + C_i·u over u ≥ 0,
    and V_ij = δ_ij + u_j |g_i| / |g_j|. For two scenes in conflict u_j = −C_ij. A zero gradient bars nothing: u_j = 0.

    Between two gradients less than 1e-5 from opposite a third can only be projected as well as G in float64 tells.

    Args:
        gram: G (n, n).
    """
    if gram.min() >= 0:
        return np.eye(len(gram))
    if len(gram) == 2:
        return np.eye(2) - gram[0, 1] * np.eye(2)[::-1] / positive(gram.diagonal())
    norms, cosine = cosines(gram)
    added = minimum(cosine, -cosine)  # (n, n)
    return np.eye(len(gram)) + added * norms[:, None] / positive(norms)


def positive(lengths: np.ndarray) -> np.ndarray:
    """The lengths with ∞ in place of 0, as divisors."""
    return np.where(lengths > 0, lengths, np.inf)


def minimum(quadratic: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """u ≥ 0 for which ½ uᵀQ u − h·u is smallest, for each row h of `linear`, with Q made definite (`definite`).

    The active set method of Lawson and Hanson on the normal equations, for all rows at once. From the minimum over some
    variables, the others 0, all those enter along which the function falls, and those leave that would turn negative on
    the way to the new minimum (`descend`). The function falls each time, and a row for which it no longer does in
    float64 is at its end: no set of variables comes twice.

    Shapes:
        quadratic: Q (n, n), symmetric, its eigenvalues not below 0 but for rounding, its diagonal about 1
        linear: (m, n)
        returns: (m, n)

    Raises:
        NoSolutionError: more than 1000 rounds.

    Source: Lawson and Hanson 1974, chapter 23 (NNLS); there one variable enters at a time.
    """
    quadratic, passive = definite(quadratic), linear > 0
    u, best = np.zeros_like(linear), np.zeros(len(linear))
    for _ in range(ROUNDS):
        u, passive = descend(quadratic, linear, u, passive)
        entering = (linear - u @ quadratic > ROUNDING * (1 + u.sum(axis=1, keepdims=True))) & ~passive  # (m, n)
        if entering.any():
            gain = np.einsum("ij,ij->i", linear, u)  # (m,), twice how far the function lies below 0
            entering &= (gain > best)[:, None]
            best = gain
        if not entering.any():
            return u
        passive = passive | entering
    raise NoSolutionError(
        f"Quadratic programs over gradients must end within {ROUNDS} rounds. Found one that does not: "
        "take another weighting."
    )


def descend(
    quadratic: np.ndarray, linear: np.ndarray, u: np.ndarray, passive: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The minimum over the passive variables, without those that become negative on the line to it; and the rest."""
    target = minimum_over(quadratic, linear, passive)
    while (blocked := target < 0).any():
        reach = np.divide(u, u - target, out=np.ones_like(u), where=blocked)  # (m, n)
        step = reach.min(axis=1, keepdims=True)  # (m, 1)
        u = np.maximum(u + step * (target - u), 0.0)
        passive = passive & ~(blocked & (reach == step))
        target = minimum_over(quadratic, linear, passive)
    return target, passive


def minimum_over(quadratic: np.ndarray, linear: np.ndarray, passive: np.ndarray) -> np.ndarray:
    """u with (Q u)_j = h_j for the passive j and u_j = 0 for the others, in each row.  # (m, n)"""
    systems = np.where(passive[:, :, None], quadratic, np.eye(len(quadratic)))  # (m, n, n)
    return np.linalg.solve(systems, (linear * passive)[:, :, None])[:, :, 0] * passive


def definite(matrix: np.ndarray) -> np.ndarray:
    """The matrix with its small eigenvalues raised to 1e-14 or, if larger, to how far the least lies below 0.

    A Gram matrix has none below 0: the least one says how much rounding there is in all. Directions in which the
    function rises by no more than rounding would else be followed far. Any part of the matrix can so be solved with.
    """
    values, vectors = np.linalg.eigh(matrix)
    floor = max(FLOOR, -float(values[0]))
    return matrix if values[0] >= floor else vectors * np.maximum(values, floor) @ vectors.T
