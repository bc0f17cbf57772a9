"""The scenes' gradients, apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from iamm import processes

Pieces = Sequence[Tensor | None]
"""A gradient parameter by parameter, None for what a loss does not reach; empty for none at all."""


class SceneGradients:
    """g_i = ∂L_i/∂θ of each scene apart, summed over the batches of a step.

    Args:
        scenes: S.
    """

    def __init__(self, scenes: int) -> None:
        self.parameters: Sequence[nn.Parameter] = ()
        self.slopes: list[Pieces] = [()] * scenes

    def add(self, scene: int, parameters: Sequence[nn.Parameter], slopes: Pieces) -> None:
        """One scene's gradients of one batch; None for what its loss does not reach."""
        self.parameters = parameters
        before = self.slopes[scene]
        self.slopes[scene] = [added(a, b) for a, b in zip(before, slopes, strict=True)] if before else slopes

    def average(self) -> None:
        """Each gradient becomes its mean over the processes."""
        if processes.several():
            self.slopes = [[processes.mean(piece) for piece in whole(s, self.parameters)] for s in self.slopes]

    def gram(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """G_ij = g_i · g_j over some of the parameters.  # (S, S)"""
        places = {id(parameter): place for place, parameter in enumerate(self.parameters)}
        chosen = [places[id(parameter)] for parameter in parameters]
        return gram([[slopes[place] for place in chosen] if slopes else () for slopes in self.slopes], parameters)

    @torch.no_grad()
    def write(self, weights: Tensor) -> None:
        """θ.grad += Σ_i w_i g_i."""
        scale = weights.tolist()
        for place, parameter in enumerate(self.parameters):
            terms = [(scale[scene], slopes[place]) for scene, slopes in enumerate(self.slopes) if slopes]
            for weight, slope in terms:
                if slope is not None:
                    add_gradient(parameter, slope, weight)


def added(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return one if other is None else other if one is None else one + other


def add_gradient(parameter: nn.Parameter, slope: Tensor, weight: float) -> None:
    if parameter.grad is None:
        parameter.grad = slope * weight
    else:
        parameter.grad.add_(slope, alpha=weight)


@torch.no_grad()
def gram(slopes: Sequence[Pieces], like: Sequence[Tensor]) -> Tensor:
    """G_ij = g_i · g_j, for S gradients given piece by piece; a missing piece, or all, is zero.

    Args:
        slopes: S sequences as long as `like`, or empty.
        like: tensors of the pieces' shapes.
    """
    rows = [torch.cat([piece.reshape(-1) for piece in whole(pieces, like)]) for pieces in slopes]
    flat = torch.stack(rows).to(torch.promote_types(like[0].dtype, torch.float32))  # (S, P)
    return flat @ flat.mT  # (S, S)


def whole(pieces: Pieces, like: Sequence[Tensor]) -> list[Tensor]:
    """The pieces with zeros for those that are missing."""
    held = pieces or [None] * len(like)
    return [torch.zeros_like(p) if piece is None else piece for piece, p in zip(held, like, strict=True)]
