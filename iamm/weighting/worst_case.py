"""The direction near the mean gradient with the largest least gain of a scene."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

RIDGE = 1e-13
"""Added to the diagonal of C, so that no gradients depend on each other: some times what float64 rounds of C_ij. One
step of refinement takes it out again where they do not."""

GAP = 1e-10
"""How far F may lie above the least gain, relative to the lengths of what is combined."""

ROUNDING = 1e-15
"""Rounding error of a gain, relative to the terms of its sum."""


class Problem(NamedTuple):
    """min f(y) = q·y + c √(yᵀC y) over y ≥ 0 with p·y = 1: combinations of unit gradients, with the mean one 1 long.

    Shapes:
        border: (n + 1, n + 1), C = cosines of the gradients with a last row and column p, 0 in the corner;
            p_i is the length of the shortest gradient over that of gradient i, so that w_i = p_i y_i sum to 1
        right: (n + 1, 2), columns (0, 1) and (q, 0); q = cosines with the mean gradient
        radius: c
    """

    border: np.ndarray
    right: np.ndarray
    radius: float


class Point(NamedTuple):
    """The minimum of f over the combinations of some scenes' gradients.

    Shapes:
        scenes: k of the n
        lengths: y of these (k,)
        pull: v = c y / √(yᵀC y) (k,)
        value: f(y) = (q + C v)_i / p_i, the same for each of these scenes
    """

    scenes: list[int]
    lengths: np.ndarray
    pull: np.ndarray
    value: float


def worst_case(gram: np.ndarray, radius: float) -> np.ndarray:
    """e (n,), with which d = g_0 + Σ_i e_i g_i, within c |g_0| of the mean gradient g_0, has the largest min_i g_i·d.

    By duality min_i g_i·d is then the minimum of F(w) = g_w·g_0 + c |g_0| |g_w| over the convex combinations
    g_w = Σ_i w_i g_i, and e = c |g_0| w / |g_w|. Where g_w = 0, any d within reach with no g_i·d negative would do; e
    leads to the one nearest to g_0, g_0 itself if no g_i·g_0 is negative. Where several e give one d, as for equal
    gradients, it is any of them.

    Zero gradients, which gain nothing by any d, take no part: e is 0 there. Where g_0 = 0, all of e is.

    The method is exact: among the combinations of given scenes, F has its minimum in closed form (`face`). It starts
    from the best single scene and adds those that gain less than F until there are none; scenes whose weights would
    turn negative on the way are left out again. F falls each time, so that no set of scenes comes twice. |g_w| is exact
    up to 3e-7 of Σ_i w_i |g_i|: 1e-13 on the diagonal of the cosines keeps equal and opposite gradients apart.

    Args:
        gram: G (n, n).
        radius: c, 0 ≤ c < 1.
    """
    n, pulls = len(gram), np.zeros(len(gram))
    norms, gains = np.sqrt(gram.diagonal()), gram.sum(axis=1) / n  # (n,), g_i·g_0
    square = sum(gains.tolist()) / n
    if radius > 0 and square > ROUNDING * (sum(norms.tolist()) / n) ** 2:
        nonzero, mean = norms.nonzero()[0], math.sqrt(square)
        lengths = norms[nonzero]
        best = solve(posed(gram[nonzero[:, None], nonzero], lengths, gains[nonzero] / (lengths * mean), radius))
        pulls[nonzero[best.scenes]] = np.maximum(best.pull, 0) * mean / lengths[best.scenes]
    return pulls


def posed(gram: np.ndarray, lengths: np.ndarray, along: np.ndarray, radius: float) -> Problem:
    """The problem of gradients of these lengths (n,), with the cosines `along` (n,) to the mean."""
    n = len(gram)
    border, right = np.empty((n + 1, n + 1)), np.zeros((n + 1, 2))
    border[:n, :n] = gram / (lengths[:, None] * lengths)
    border.flat[:: n + 2] = 1 + RIDGE
    border[:n, n] = border[n, :n] = lengths.min() / lengths
    border[n, n], right[n, 0], right[:n, 1] = 0, 1, along
    return Problem(border, right, radius)


def solve(problem: Problem) -> Point:
    """The combination at which f is smallest."""
    n, radius = len(problem.border) - 1, problem.radius
    cosines, prices, along = problem.border[:n, :n], problem.border[n, :n], problem.right[:n, 1]
    values = (along + radius) / prices
    first = int(values.argmin())
    best = Point([first], np.array([1 / prices[first]]), np.array([radius]), float(values[first]))
    while len(best.scenes) < n:
        least = best.value - GAP * sum(best.lengths.tolist())
        excess = along + best.pull.dot(cosines[best.scenes]) - least * prices  # (n,)
        poor = (excess < -ROUNDING * (1 + sum(best.pull.tolist()))).nonzero()[0].tolist()
        added = [scene for scene in poor if scene not in best.scenes]
        if not added:
            break
        further = descend(problem, best.scenes + added, np.array(best.lengths.tolist() + [0.0] * len(added)))
        if not further.value < best.value:  # what is left is rounding
            break
        best = further
    return best


def descend(problem: Problem, scenes: list[int], lengths: np.ndarray) -> Point:
    """The best combination of these scenes, or of fewer if the line to it from y = `lengths` leaves y ≥ 0."""
    while True:
        lowest, tilt = face(problem, scenes)
        bounded = lowest.value > -math.inf
        move = lowest.lengths - lengths if bounded else -tilt
        limits = [-y / step if step < 0 else math.inf for y, step in zip(lengths.tolist(), move.tolist(), strict=True)]
        reach = min(limits)
        if bounded and reach >= 1:
            return lowest
        inside = [index for index, limit in enumerate(limits) if limit > reach]
        lengths, scenes = (lengths + reach * move)[inside], [scenes[index] for index in inside]


def face(problem: Problem, scenes: list[int]) -> tuple[Point, np.ndarray]:
    """The minimum of f over p·y = 1, y of either sign; and u (k,).

    m is the shortest combination: C m = ρ p, p·m = 1, its squared length ρ. u is the steepest way up: C u = q − ν p,
    p·u = 0, its squared length β² = q·u. Then f(m − θ u) is smallest at θ = √(ρ / (c² − β²)), where v = m/θ − u. Where
    β ≥ c, f falls along −u for ever: its value is −∞. Where ρ is no more than what the ridge gives it, g_m = 0, and v
    needs m only in so far as it keeps v ≥ 0.
    """
    rows = np.array([*scenes, len(problem.border) - 1])
    right = problem.right[rows]  # (k + 1, 2)
    border = problem.border[rows[:, None], rows]
    solved = np.linalg.solve(border, right)
    ridge = np.append(np.full(len(scenes), RIDGE), 0.0)[:, None]
    solved += np.linalg.solve(border, right - border.dot(solved) + ridge * solved)
    shortest, tilt = solved[:-1, 0], solved[:-1, 1]  # (k,)
    smallest = RIDGE * float(shortest.dot(shortest))
    square = max(-float(solved[-1, 0]), smallest)
    room = problem.radius**2 - float(tilt.dot(right[:-1, 1]))
    if room <= 0:
        return Point(scenes, shortest, tilt, -math.inf), tilt
    angle = math.sqrt(square / room)
    share = 1 / angle
    if square < 1.01 * smallest:
        share = (tilt / shortest)[shortest > 0].max()
    pull = share * shortest - tilt
    return Point(scenes, shortest - angle * tilt, pull, square / angle + float(solved[-1, 1])), tilt
