"""Two toy problems whose Pareto fronts are known: what each weighting reaches, and what it is known not to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from iamm.errors import NoSolutionError
from iamm.weighting.base import Paths, Weighting

CONFIGS = Path(__file__).parents[2] / "configs" / "weighting"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
STARTS = [(2.0, 2.0), (-2.0, 1.0)]
GIVEN = {"values": [0.3, 0.7], "seed": 3}
CENTRES = torch.tensor([[-1.0, 0.5], [1.0, -0.5]], dtype=torch.float64)
CURVATURES = torch.tensor([[1.0, 4.0], [3.0, 1.0]], dtype=torch.float64)


def convex(x: Tensor) -> Tensor:
    """L_i = ½ + ½ Σ_k A_ik (x_k − c_ik)²: every point of the front is best for some fixed weights.  # (2,)"""
    return 0.5 + 0.5 * (CURVATURES * (x - CENTRES).square()).sum(dim=1)


def concave(x: Tensor) -> Tensor:
    """L_i = 1.1 − exp(−|x − c_i|²): between the ends no point of the front is best for any fixed weights.  # (2,)"""
    return 1.1 - torch.exp(-(x - CENTRES).square().sum(dim=1))


def built(name: str, **changed: object) -> Weighting:
    config = OmegaConf.load(CONFIGS / f"{name}.yaml")
    given = {key: value for key, value in GIVEN.items() if key in list(config)}
    return instantiate(OmegaConf.merge(config, given, changed))(2).double()


def descended(weighting: Weighting, problem, start: tuple[float, float], steps: int = 250, rate: float = 0.3) -> Tensor:
    """x after gradient descent whose rate falls to 0; an epoch and a validation each 50 steps."""
    x = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = torch.optim.SGD([{"params": [x]}, *weighting.parameter_groups()], lr=rate)
    observed, attended = torch.tensor([True, True]), torch.tensor([0.4, 0.6], dtype=torch.float64)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / steps)
        optimizer.zero_grad()
        losses = problem(x)
        paths = Paths([x, x], [x], [[], []], [x], [])
        try:
            weighting.backward(losses.unbind(), observed=observed, paths=paths, scene_weights=attended)
            weighting.finish()
        except NoSolutionError:  # bargaining is over: the gradients cancel
            break
        optimizer.step()
        if step % 50 == 49:
            weighting.end_epoch(losses.detach())
            weighting.end_validation(1 / (1 + losses.detach()))
    return x.detach()


def from_convex_front(x: Tensor) -> float:
    """Distance to the curve x(λ) = (λA₁ + (1−λ)A₂)⁻¹ (λA₁c₁ + (1−λ)A₂c₂), 0 ≤ λ ≤ 1."""
    (a, b), (c, d) = CURVATURES.numpy(), CENTRES.numpy()

    def distance(share: float) -> float:
        best = (share * a * c + (1 - share) * b * d) / (share * a + (1 - share) * b)
        return float(np.linalg.norm(best - x.numpy()))

    near = min(np.linspace(0, 1, 101), key=distance)
    return min(distance(near), minimize_scalar(distance, bounds=(max(near - 0.01, 0), min(near + 0.01, 1))).fun)


def along(x: Tensor) -> tuple[float, float]:
    """Where x lies on the line from c₁ (−1) to c₂ (1), and how far from it: the concave problem's front."""
    way = CENTRES[1] / CENTRES[1].norm()
    place = float(x @ way)
    return place / float(CENTRES[1].norm()), float((x - place * way).norm())


HOVERS = {"random": 0.02, "fair": 0.02}
"""They end near, as the rate falls: one's step is noise, the other's grows where the gradients begin to cancel."""


@pytest.mark.parametrize("start", STARTS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_every_weighting_reaches_a_convex_front(name, start):
    begun = from_convex_front(torch.tensor(start, dtype=torch.float64))
    assert begun > 0.5
    assert from_convex_front(descended(built(name), convex, start)) < HOVERS.get(name, 2e-3)


def test_where_on_the_convex_front():
    """Equal weights end at λ = ½, (½, 0.3); weights .3 and .7 at (0.75, 4/31·…); MGDA wherever it meets the front."""
    torch.testing.assert_close(descended(built("equal"), convex, STARTS[0]), torch.tensor([0.5, 0.3]).double())
    fixed = descended(built("fixed"), convex, STARTS[0])
    torch.testing.assert_close(fixed, torch.tensor([(-0.3 + 2.1) / 2.4, (0.6 - 0.35) / 1.9]).double())
    one, other = (descended(built("multiple_gradient_descent"), convex, start) for start in STARTS)
    assert (one - other).norm() > 0.5


SIDE = (0.6, 1.0)  # nearer to the second scene

SUMS = {"equal", "fixed", "random", "scene_attention", "dynamic_average"}
"""They minimise a weighted sum, whose only minima in the concave problem are the ends of the front."""


@pytest.mark.parametrize("name", sorted(SUMS & set(NAMES)))
def test_sums_of_losses_reach_the_ends_of_a_concave_front_only(name):
    place, away = along(descended(built(name), concave, SIDE, rate=1.0))
    assert place > 0.8
    assert away < 0.05


@pytest.mark.parametrize(("name", "own"), [("smooth_tchebycheff", {"smoothing": 0.02})])
def test_a_smooth_maximum_finds_the_middle_of_a_concave_front(name, own):
    """Where both losses are equal, from either side."""
    for start in (SIDE, (-0.6, 1.0)):
        place, away = along(descended(built(name, **own), concave, start, steps=600, rate=0.1))
        assert abs(place) < 0.02
        assert away < 0.02


@pytest.mark.parametrize("name", ["multiple_gradient_descent", "unconflicting_projection", "nash"])
def test_rules_over_gradients_stop_at_any_point_of_a_concave_front(name):
    """No step that harms a scene is taken: from the side they come to the line, not to its end."""
    place, away = along(descended(built(name), concave, (0.1, 0.9), rate=0.5))
    assert abs(place) < 0.7
    assert away < 0.02
