"""Gradients of single scenes, and their Gram matrix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from iamm import processes

Pieces = Sequence[Tensor | None]
"""The gradient of each tensor; None for tensors that a loss does not reach."""

BLOCK = 2048
"""Number of products that are summed in the precision of the gradients."""


class Rows:
    """The scenes' gradients of the same tensors as rows of a matrix (S, P), whose memory is reused in each step.

    Args:
        scenes: S.
    """

    def __init__(self, scenes: int) -> None:
        self.matrix = torch.empty(scenes, 0)
        self.like: Sequence[Tensor] = ()
        self.clear()

    def clear(self) -> None:
        """Start a new step."""
        self.filled = [False] * len(self.matrix)

    def begin(self, like: Sequence[Tensor]) -> None:
        """Set the tensors to which the gradients belong."""
        self.like = like
        size = sum(tensor.numel() for tensor in like)
        dtype = torch.promote_types(like[0].dtype, torch.float32)  # gradients at features may be bf16
        if (self.matrix.shape[1], self.matrix.dtype, self.matrix.device) != (size, dtype, like[0].device):
            self.matrix = torch.empty(len(self.matrix), size, dtype=dtype, device=like[0].device)

    @torch.no_grad()
    def add(self, scene: int, pieces: Pieces) -> None:
        """Write a gradient to the scene's row, or add it to an earlier one."""
        rows = [piece.reshape(-1) for piece in filled(pieces, self.like)]
        if self.filled[scene]:
            self.matrix[scene] += torch.cat(rows)
        else:
            torch.cat(rows, out=self.matrix[scene])
        self.filled[scene] = True

    def local(self) -> Tensor:
        """The matrix of this process, with zeros for scenes without a gradient.  # (S, P)"""
        for scene, filled in enumerate(self.filled):
            if not filled:
                self.matrix[scene] = 0
        return self.matrix

    def mean(self) -> Tensor:
        """The mean of the matrix over the processes.  # (S, P)"""
        return processes.mean(self.local())

    @torch.no_grad()
    def write(self, parameters: Sequence[nn.Parameter], weights: Tensor) -> None:
        """θ.grad += Σ_i w_i g_i, for the parameters of the gradients."""
        step = weights.to(self.matrix) @ self.mean()  # (P,)
        pieces = step.split([parameter.numel() for parameter in parameters])
        for parameter, piece in zip(parameters, pieces, strict=True):
            add_gradient(parameter, piece.view_as(parameter))


def gradients(output: Tensor, inputs: Sequence[Tensor], start: Tensor | None = None, *, retain: bool = True) -> Pieces:
    """∂output/∂inputs, times `start`; None for inputs that are frozen or not reached."""
    required = [tensor for tensor in inputs if tensor.requires_grad] if output.requires_grad else []
    if not required:
        return [None] * len(inputs)
    pieces = iter(torch.autograd.grad(output, required, start, retain_graph=retain, allow_unused=True))
    return [next(pieces) if tensor.requires_grad else None for tensor in inputs]


def filled(pieces: Pieces, like: Sequence[Tensor]) -> list[Tensor]:
    """The gradients, with zeros in place of None."""
    return [torch.zeros_like(p) if piece is None else piece for piece, p in zip(pieces, like, strict=True)]


def gram(rows: Tensor) -> Tensor:
    """G_ij = g_i · g_j in float64; summed in blocks, since long sums in float32 lose digits (7e-5 in a million).

    Shapes:
        rows: (S, P) → (S, S)
    """
    scenes, size = rows.shape
    count = size // BLOCK
    blocks = rows[:, : count * BLOCK].view(scenes, count, BLOCK).transpose(0, 1)  # (P / BLOCK, S, BLOCK)
    remainder = rows[:, count * BLOCK :].double()
    return torch.bmm(blocks, blocks.mT).sum(dim=0, dtype=torch.float64) + remainder @ remainder.mT


def add_gradient(parameter: nn.Parameter, piece: Tensor) -> None:
    """θ.grad += g."""
    if parameter.grad is None:
        parameter.grad = piece
    else:
        parameter.grad += piece


def add_gradients(parameters: Sequence[nn.Parameter], pieces: Pieces, weight: float) -> None:
    """θ.grad += w g for the parameters that the loss reaches."""
    for parameter, piece in zip(parameters, pieces, strict=True):
        if piece is not None:
            add_gradient(parameter, piece * weight)


def add_zeros(parameters: Sequence[nn.Parameter]) -> None:
    """Set missing gradients to 0, so that optimizers update all parameters in each step, as with a single loss."""
    for parameter in parameters:
        if parameter.grad is None and parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)
