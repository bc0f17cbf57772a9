"""The scenes' gradients, apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from iamm import processes

Slopes = Sequence[Tensor | None]
"""A gradient piece by piece, None for what a loss does not reach."""

BLOCK = 2048
"""Products that are summed in the gradients' own precision."""


class Rows:
    """Gradients of the same tensors as the rows of one matrix (S, P), whose memory is used again in each step.

    Args:
        scenes: S.
    """

    def __init__(self, scenes: int) -> None:
        self.matrix = torch.empty(scenes, 0)
        self.like: Sequence[Tensor] = ()
        self.clear()

    def clear(self) -> None:
        """A new step begins."""
        self.filled = [False] * len(self.matrix)

    def begin(self, like: Sequence[Tensor]) -> None:
        """Say of which tensors the gradients will be."""
        self.like = like
        size = sum(tensor.numel() for tensor in like)
        dtype = torch.promote_types(like[0].dtype, torch.float32)  # gradients at features may be bf16
        if (self.matrix.shape[1], self.matrix.dtype, self.matrix.device) != (size, dtype, like[0].device):
            self.matrix = torch.empty(len(self.matrix), size, dtype=dtype, device=like[0].device)

    @torch.no_grad()
    def add(self, scene: int, slopes: Slopes) -> None:
        """Put a gradient into the scene's row, or add it to what is there."""
        pieces = [piece.reshape(-1) for piece in whole(slopes, self.like)]
        if self.filled[scene]:
            self.matrix[scene] += torch.cat(pieces)
        else:
            torch.cat(pieces, out=self.matrix[scene])
        self.filled[scene] = True

    def local(self) -> Tensor:
        """The matrix, with zeros for the scenes that gave nothing.  # (S, P)"""
        for scene, filled in enumerate(self.filled):
            if not filled:
                self.matrix[scene] = 0
        return self.matrix

    def whole(self) -> Tensor:
        """Its mean over the processes.  # (S, P)"""
        return processes.mean(self.local())

    @torch.no_grad()
    def write(self, parameters: Sequence[nn.Parameter], weights: Tensor) -> None:
        """θ.grad += Σ_i w_i g_i, for the parameters whose gradients these are."""
        step = weights.to(self.matrix) @ self.whole()  # (P,)
        pieces = step.split([parameter.numel() for parameter in parameters])
        for parameter, piece in zip(parameters, pieces, strict=True):
            add_gradient(parameter, piece.view_as(parameter))


def gradients(output: Tensor, inputs: Sequence[Tensor], start: Tensor | None = None, *, retain: bool = True) -> Slopes:
    """∂output/∂inputs, times `start`; None for what is frozen or not reached."""
    asked = [tensor for tensor in inputs if tensor.requires_grad] if output.requires_grad else []
    if not asked:
        return [None] * len(inputs)
    found = iter(torch.autograd.grad(output, asked, start, retain_graph=retain, allow_unused=True))
    return [next(found) if tensor.requires_grad else None for tensor in inputs]


def whole(slopes: Slopes, like: Sequence[Tensor]) -> list[Tensor]:
    """The pieces with zeros for those that are missing."""
    return [torch.zeros_like(p) if slope is None else slope for slope, p in zip(slopes, like, strict=True)]


def gram(rows: Tensor) -> Tensor:
    """G_ij = g_i · g_j in float64; block by block, since long sums in float32 lose digits (7e-5 in a million).

    Shapes:
        rows: (S, P) → (S, S)
    """
    scenes, size = rows.shape
    count = size // BLOCK
    blocks = rows[:, : count * BLOCK].view(scenes, count, BLOCK).transpose(0, 1)  # (P / BLOCK, S, BLOCK)
    rest = rows[:, count * BLOCK :].double()
    return torch.bmm(blocks, blocks.mT).sum(dim=0, dtype=torch.float64) + rest @ rest.mT


def add_gradient(parameter: nn.Parameter, slope: Tensor) -> None:
    if parameter.grad is None:
        parameter.grad = slope
    else:
        parameter.grad += slope


def add_gradients(parameters: Sequence[nn.Parameter], slopes: Slopes, weight: float) -> None:
    """θ.grad += w g, for what the loss reaches."""
    for parameter, slope in zip(parameters, slopes, strict=True):
        if slope is not None:
            add_gradient(parameter, slope * weight)


def add_zeros(parameters: Sequence[nn.Parameter]) -> None:
    """A gradient of 0 where there is none: optimizers then see all scenes in each step, as with one loss for all."""
    for parameter in parameters:
        if parameter.grad is None and parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)
