from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from iamm.weighting.base import Paths


class Leaves:
    """S losses that are leaves themselves: nothing is shared, and ∂L/∂L_i can be read off."""

    def __init__(self, numbers: Sequence[float]) -> None:
        self.losses = [nn.Parameter(torch.tensor(number, dtype=torch.float64)) for number in numbers]
        self.paths = Paths(self.losses, (), [()] * len(numbers), (), self.losses)

    @property
    def slopes(self) -> Tensor:
        """∂L/∂L_i, 0 where no gradient came.  # (S,)"""
        return torch.stack([torch.zeros_like(loss) if loss.grad is None else loss.grad for loss in self.losses])


@pytest.fixture
def leaves():
    return Leaves


@pytest.fixture
def step():
    """One whole step for given losses; gives the applied weights and ∂L/∂L_i by autograd."""

    def run(weighting, numbers, observed=None, **given):
        made = Leaves(numbers)
        seen = torch.ones(len(numbers), dtype=torch.bool) if observed is None else torch.tensor(observed)
        weighting.backward(made.losses, observed=seen, paths=made.paths, **given)
        return weighting.finish(), made.slopes

    return run


class Common:
    """S losses L_i = ½ |x − c_i|²_{A_i} over one shared x, with heads: L_i += ½ (h_i − i)².

    Args:
        centres: c, (S, P) in float64.
        curvatures: the diagonals of A, (S, P); 1 by default.
    """

    def __init__(self, centres: Tensor, curvatures: Tensor | None = None, start: Tensor | None = None) -> None:
        self.centres = centres
        self.curvatures = torch.ones_like(centres) if curvatures is None else curvatures
        self.x = nn.Parameter(torch.zeros_like(centres[0]) if start is None else start.clone())
        self.heads = [nn.Parameter(torch.zeros((), dtype=centres.dtype)) for _ in centres]

    def losses(self) -> tuple[list[Tensor], Paths]:
        z = self.x * 1.0
        each = 0.5 * (self.curvatures * (z - self.centres).square()).sum(dim=1)
        own = [0.5 * (head - place).square() for place, head in enumerate(self.heads)]
        losses = [a + b for a, b in zip(each.unbind(), own, strict=True)]
        return losses, Paths([z] * len(losses), [z], [[head] for head in self.heads], [self.x], [])

    def gradients(self) -> Tensor:
        """g_i = A_i (x − c_i).  # (S, P)"""
        return self.curvatures * (self.x.detach() - self.centres)


@pytest.fixture
def common():
    return Common


@pytest.fixture
def shared_step():
    """One whole step of scenes that share x: the applied weights, x.grad and the heads' gradients."""

    def run(weighting, made, observed=None, **given):
        made.x.grad = None
        for head in made.heads:
            head.grad = None
        losses, paths = made.losses()
        seen = torch.ones(len(losses), dtype=torch.bool) if observed is None else torch.tensor(observed)
        weighting.backward(losses, observed=seen, paths=paths, **given)
        weights = weighting.finish()
        heads = torch.stack([torch.zeros_like(h) if h.grad is None else h.grad for h in made.heads])
        return weights, made.x.grad, heads

    return run
