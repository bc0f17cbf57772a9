"""Bargaining weights, for which the gain of each scene is a power of its weight."""

from __future__ import annotations

import contextlib
import math

import numpy as np
from numpy.linalg import LinAlgError

from iamm.errors import NoSolutionError
from iamm.weighting.quadratic import shortest_combination

SHORTEST = 1e-6
"""Squared length of a convex combination of unit gradients that counts as 0: about the precision of float32."""

ENOUGH = 1e-7
"""Relative change of the weights in the last step of Newton's method; the error after it is about the square."""

STEPS = 500


def bargain(gram: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """a > 0 with (G a)_i = a_i^(−1/α) for all i: with d = Σ_i a_i g_i, g_i·d = a_i^(−1/α).

    That is where ½ aᵀG a − Σ_i φ(a_i) is smallest, φ′(a) = a^(−1/α) (φ = log for α = 1), a convex problem. Newton's
    method finds it, for relative changes of the weights, so that it is the same whatever the gradients' scales:

        (B + p Q) δ = q − B 1,  with B_ij = a_i G_ij a_j, q_i = a_i^(1−p), Q = diag q, p = 1/α;
        a_i ← a_i (1 + t δ_i),  t = (1 − (1 + p τ)^(−1/p)) / τ, τ = max_i −δ_i (t = 1 where no δ_i is negative).

    Along the step the slope of the problem grows at most as if all weights shrank like the one that shrinks the most;
    t goes as far as it surely falls. Before each step a is scaled to the best multiple of itself, which solves two
    scenes with α = 1 at once.

    There is a solution just where no convex combination of the gradients is zero. G_ij from float32 is off by some 1e-7
    of |g_i| |g_j|, and so is the squared length of a convex combination of unit gradients, however many. Where the
    shortest has less than 1e-6 (of two gradients: within 0.1° of opposite), it is taken as zero, as much of what would
    be found is rounding. All else is solved, equal and dependent gradients too.

    Zero gradients take no part: their weights are 0.

    Args:
        gram: G (n, n), of gradients that may differ in scale by 1e8.
        alpha: positive.

    Raises:
        NoSolutionError: a convex combination of the gradients is zero; or weights that float64 cannot hold, which
            needs both a large `alpha` and gradients of very different scale.
    """
    norms = np.sqrt(gram.diagonal())  # (n,)
    if norms.all():
        weights = optimum(gram, norms, 1 / alpha)
        refuse_cancelling(gram, norms, weights)
        return weights
    weights, nonzero = np.zeros(len(norms)), norms > 0
    if nonzero.any():
        weights[nonzero] = bargain(gram[np.ix_(nonzero, nonzero)], alpha)
    return weights


def optimum(gram: np.ndarray, norms: np.ndarray, p: float) -> np.ndarray:
    """`bargain` for gradients that are not zero; it starts from the solution for orthogonal ones."""
    weights = norms ** (-2 / (1 + p))  # (n,)
    with np.errstate(divide="raise", invalid="raise", over="raise"), contextlib.suppress(ArithmeticError, LinAlgError):
        for _ in range(STEPS):
            weights, change = newton_step(gram, norms, weights, p)
            if change < ENOUGH:
                return weights
    raise NoSolutionError(
        "Bargaining must end with weights that float64 can hold. Found none: take a weighting.alpha nearer to 1, "
        "or another weighting."
    )


def newton_step(gram: np.ndarray, norms: np.ndarray, weights: np.ndarray, p: float) -> tuple[np.ndarray, float]:
    """The next weights (n,) and the largest relative change among them."""
    gains = gram.dot(weights)  # g_i · d
    square, length = float(weights.dot(gains)), float(weights.dot(norms))
    if not square > SHORTEST * length**2:
        raise cancelling(square / length**2)
    q = weights ** (1 - p)
    multiple = (sum(q.tolist()) / square) ** (1 / (1 + p))
    weights, gains, q = weights * multiple, gains * multiple, q * multiple ** (1 - p)
    spread = np.sqrt(weights * weights * gram.diagonal() + p * q)
    left = weights / spread
    matrix = left[:, None] * gram * left  # (n, n), B + p Q, rows and columns divided by the root of its diagonal
    matrix.flat[:: len(gram) + 1] = 1.0
    changes = np.linalg.solve(matrix, (q - weights * gains) / spread) / spread
    listed = changes.tolist()
    lowest, highest = min(listed), max(listed)
    if lowest >= 0:
        return weights * (1 + changes), highest
    shrinking = -math.log1p(-p * lowest) / p  # log(1 − t τ)
    step = math.expm1(shrinking) / lowest
    return weights * np.maximum(1 + step * changes, math.exp(shrinking)), max(highest, -lowest)


def refuse_cancelling(gram: np.ndarray, norms: np.ndarray, weights: np.ndarray) -> None:
    """Raise an error if a convex combination of the unit gradients u_i is 0.

    None is shorter than min_i u_i·d / |d|; only if this bound is too small is the shortest one computed.
    """
    gains = gram.dot(weights)
    least = min((gains / norms).tolist())
    if least <= 0 or least**2 < SHORTEST * float(weights.dot(gains)):
        cosine = gram / (norms[:, None] * norms)
        shortest = shortest_combination(cosine)
        square = float(shortest.dot(cosine).dot(shortest))
        if square < SHORTEST:
            raise cancelling(square)


def cancelling(square: float) -> NoSolutionError:
    return NoSolutionError(
        "Bargaining needs scenes' gradients that do not cancel. Found a convex combination of them, each made 1 long, "
        f"of squared length {square:.1e}: take another weighting, such as multiple_gradient_descent."
    )
