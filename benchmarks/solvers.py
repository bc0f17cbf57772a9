"""How far the weightings' solvers are from the optimum, and what a call takes.

    python benchmarks/solvers.py            # 10,000 matrices: 2 to 32 scenes, random and degenerate; then the times

Each error is a certificate worked out apart from the solver, and relative:

    mgda      aᵀGa − min_i (Ga)_i, a bound of how far aᵀGa lies above its minimum, to the smallest |g_i|²
    upgrad    for each row v of the projections, how far (Gv)_i falls below 0, and (v − e)ᵀGv, to |g_i| |g_j| and |g_i|²
    cagrad    F(w) − min_i g_i·d, a bound of how far F lies above its minimum, to |g_0| Σ w_i |g_i|
    nash      |a_i (Ga)_i − 1|
    fair      |a_i^½ (Ga)_i − 1|, α = 2
    aligned   |BᵀGB − σ²P|, P the projection on what is not dependent, to σ² (independent gradients only)
    imtl      spread of d·u_i, to |d| (independent gradients only)

Matrices: gradients random, in conflict, rank-deficient, some equal, nearly equal, zero, or in opposite pairs; all of
them times 1e-8, 1 or 1e8, or each scene's by its own factor between 1e-4 and 1e4. Where no solution exists and the
solver says so, or gradients count as dependent, that is counted.
"""

from __future__ import annotations

import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from iamm.errors import NoSolutionError
from iamm.weighting.aligned import alignment
from iamm.weighting.bargaining import bargain
from iamm.weighting.cosines import cosines, spectrum
from iamm.weighting.gradient_surgery import GradientSurgeryWeighting
from iamm.weighting.impartial import ImpartialWeighting
from iamm.weighting.quadratic import dual_cone_projections, shortest_combination
from iamm.weighting.worst_case import worst_case

MATRICES = 10_000
SIZES = (2, 3, 4, 8, 16, 32)
KINDS = ("random", "conflict", "deficient", "equal", "near", "zero", "opposite", "mixed")
INDEPENDENT = ("random", "conflict", "mixed")


def gradients(generator: np.random.Generator, kind: str, n: int) -> np.ndarray:
    """(n, P)"""
    width = max(1, n // 2) if kind == "deficient" else n + int(generator.integers(1, 20))
    rows = generator.normal(size=(n, width))
    if kind == "conflict":
        rows -= 0.95 * rows.mean(axis=0)
    if kind == "equal":
        rows[generator.integers(0, n, n // 2)] = rows[0]
    if kind == "near":
        rows[-1] = rows[0] + 1e-4 * rows[-1]
    if kind == "zero":
        rows[generator.integers(0, n)] = 0
    if kind == "opposite":
        rows[-1] = -generator.uniform(0.5, 2) * rows[0]
    if kind == "mixed":
        rows *= 10.0 ** generator.uniform(-4, 4, (n, 1))
    return rows * 10.0 ** generator.choice([-8, 0, 8])


def mgda(gram: np.ndarray) -> float:
    a = shortest_combination(gram)
    return float((a @ gram @ a - (gram @ a).min()) / (gram.diagonal().min() or 1.0))


def upgrad(gram: np.ndarray) -> float:
    rows, norms = dual_cone_projections(gram), np.sqrt(gram.diagonal())
    gains = rows @ gram  # (n, n)
    scale = np.outer(norms, norms)
    infeasible = np.divide(-gains, scale, out=np.zeros_like(gains), where=scale > 0).max()
    slack = ((rows - np.eye(len(gram))) * gains).sum(axis=1)
    unmet = np.divide(np.abs(slack), norms**2, out=np.zeros_like(norms), where=norms > 0).max()
    return float(max(infeasible, unmet))


def cagrad(gram: np.ndarray, c: float = 0.4) -> float:
    e, n, norms = worst_case(gram, c), len(gram), np.sqrt(gram.diagonal())
    if not e.any():
        return 0.0
    mean, there = np.full(n, 1 / n), norms > 0
    length, cancelled = np.sqrt(mean @ gram @ mean), np.zeros(n)
    cancelled[there] = shortest_combination(gram[np.ix_(there, there)])  # the best w where g_w = 0 is best
    least = (gram @ (mean + e))[there].min()
    bounds = []
    for w in (e / e.sum(), cancelled):
        value = w @ gram @ mean + c * length * np.sqrt(max(w @ gram @ w, 0.0))
        bounds.append((value - least) / (length * (w @ norms)))
    return float(min(bounds))


def balance(alpha: float) -> Callable[[np.ndarray], float]:
    def residual(gram: np.ndarray) -> float:
        a = bargain(gram, alpha)
        return float(np.abs((gram @ a) * a ** (1 / alpha) - 1)[gram.diagonal() > 0].max())

    return residual


def require_independent(gram: np.ndarray) -> None:
    """Gradients that float32 could not tell from dependent ones are taken as dependent (`iamm.weighting.cosines`)."""
    if spectrum(cosines(gram)[1])[2]:
        raise NoSolutionError("dependent")


def aligned(gram: np.ndarray) -> float:
    require_independent(gram)
    b = alignment(gram)
    product = b.T @ gram @ b
    square = product.trace() / len(gram)
    return float(np.abs(product - square * np.eye(len(gram))).max() / square)


def imtl(gram: np.ndarray) -> float:
    require_independent(gram)
    a = ImpartialWeighting(len(gram)).rule(gram)
    along = gram @ a / np.sqrt(gram.diagonal())
    return float((along.max() - along.min()) / np.sqrt(a @ gram @ a))


CHECKS: dict[str, tuple[Callable[[np.ndarray], float], tuple[str, ...]]] = {
    "mgda": (mgda, KINDS),
    "upgrad": (upgrad, KINDS),
    "cagrad": (cagrad, KINDS),
    "nash": (balance(1.0), KINDS),
    "fair": (balance(2.0), KINDS),
    "aligned": (aligned, INDEPENDENT),
    "imtl": (imtl, INDEPENDENT),
}


def errors() -> None:
    generator = np.random.default_rng(0)
    worst: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    refused: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for number in range(MATRICES):
        kind, n = KINDS[number % len(KINDS)], int(generator.choice(SIZES))
        rows = gradients(generator, kind, n)
        gram = rows @ rows.T
        for name, (check, kinds) in CHECKS.items():
            if kind in kinds:
                try:
                    worst[name][kind] = max(worst[name][kind], check(gram))
                except NoSolutionError:
                    refused[name][kind] += 1
    print(f"largest error over {MATRICES:,} matrices; in brackets how many had no solution or counted as dependent")
    for name, found in worst.items():
        told = [f"{kind} {value:.0e}" for kind, value in found.items()]
        none = [f"{kind} {count}" for kind, count in refused[name].items()]
        print(f"  {name:8s} {max(found.values()):.0e}   {', '.join(told)}   ({', '.join(none) or 'none'})")


def times() -> None:
    generator = np.random.default_rng(1)
    surgery = {n: GradientSurgeryWeighting(n, seed=0) for n in SIZES}
    impartial = {n: ImpartialWeighting(n) for n in SIZES}
    works: dict[str, Callable[[np.ndarray], object]] = {
        "mgda": shortest_combination,
        "upgrad": dual_cone_projections,
        "cagrad": lambda gram: worst_case(gram, 0.4),
        "nash": bargain,
        "fair": lambda gram: bargain(gram, 2.0),
        "aligned": alignment,
        "imtl": lambda gram: impartial[len(gram)].rule(gram),
        "pcgrad": lambda gram: surgery[len(gram)].rule(gram),
    }
    print("\nCPU ms a call, median over 20 rounds of 50 matrices, gradients in conflict or random by halves")
    for n in (2, 4, 8, 32):
        grams = [rows @ rows.T for i in range(50) for rows in [gradients(generator, KINDS[i % 2], n)]]
        took = {name: [] for name in works}
        for _ in range(20):
            for name, work in works.items():
                started = time.process_time()
                for gram in grams:
                    work(gram)
                took[name].append((time.process_time() - started) / len(grams))
        print(f"  n = {n:2d}  " + "  ".join(f"{name} {1000 * statistics.median(t):.3f}" for name, t in took.items()))


if __name__ == "__main__":
    torch.set_num_threads(1)
    errors()
    times()
