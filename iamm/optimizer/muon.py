"""Muon for the filters of convolutions, AdamW for all other parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from iamm.constrained import Constrained
from iamm.constraints import Count, ListOf, NotNegative, Number, Positive, ShareBelow1

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""a, b, c of the polynomial, which lifts small singular values fast and leaves all between about 0.7 and 1.2."""

Betas = Annotated[Sequence[float], ListOf(Number(0, 1, below=True), length=2)]


class MuonOptimizer(Constrained, torch.optim.AdamW):
    """W ← (1 − ηλ) W − η √max(1, m/n) O(g + μb), b ← μb + g, for the filters W of a convolution, a matrix (m, n).

    m is the number of filters, n that of the weights of one. O(G) brings all singular values of G close to 1: see
    `orthogonalised`. Parameters of one or two axes, such as biases, norms and the matrices of heads, take steps of
    AdamW (Loshchilov and Hutter 2019).

    Args:
        params: of the model, or groups of them.
        lr: η of the filters.
        momentum: μ.
        iterations: of the polynomial in O.
        adam_lr: the learning rate of AdamW, which a schedule changes by the same factor as η.
        betas: of AdamW.
        eps: of AdamW.
        weight_decay: λ, of both.

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks", also `torch.optim.Muon`,
    which takes matrices only. Theirs has 5 iterations in bfloat16; ours are in the type of the parameter.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[Mapping[str, Any]],
        *,
        lr: Positive = 0.2,
        momentum: ShareBelow1 = 0.6,
        iterations: Count = 3,
        adam_lr: Positive = 4e-3,
        betas: Betas = (0.9, 0.95),
        eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0.1,
    ) -> None:
        self.momentum, self.iterations = momentum, iterations
        groups = [dict(one) if isinstance(one, Mapping) else {"params": [one]} for one in params]
        super().__init__(
            [part for group in groups for part in (filters_of(group, lr), others_of(group)) if part["params"]],
            lr=adam_lr,
            betas=(betas[0], betas[1]),
            eps=eps,
            weight_decay=weight_decay,
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Step the filters, then all others by AdamW, which leaves out parameters without a gradient."""
        for group in self.param_groups:
            for weight in filter(is_filters, group["params"]):
                if weight.grad is not None:
                    self.step_filters(weight, group["lr"], group["weight_decay"])
                    weight.grad = None
        return super().step(closure)

    def step_filters(self, weight: nn.Parameter, lr: float, weight_decay: float) -> None:
        assert weight.grad is not None
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())  # which AdamW expects in every state that it loads
            state["momentum_buffer"] = torch.zeros_like(weight)
        past = state["momentum_buffer"].mul_(self.momentum).add_(weight.grad)
        matrix = weight.grad.add(past, alpha=self.momentum).flatten(1)  # (m, n)
        step = orthogonalised(matrix, self.iterations).view_as(weight)
        scale = math.sqrt(max(1.0, matrix.shape[0] / matrix.shape[1]))
        weight.mul_(1 - lr * weight_decay).add_(step, alpha=-lr * scale)


def is_filters(parameter: Tensor) -> bool:
    return parameter.dim() > 2


def filters_of(group: Mapping[str, Any], lr: float) -> dict[str, Any]:
    return {"lr": lr, **group, "params": [each for each in group["params"] if is_filters(each)]}


def others_of(group: Mapping[str, Any]) -> dict[str, Any]:
    return {**group, "params": [each for each in group["params"] if not is_filters(each)]}


def orthogonalised(matrix: Tensor, iterations: int) -> Tensor:
    """U p∘…∘p(Σ/‖Σ‖) Vᵀ of G = UΣVᵀ, p(σ) = aσ + bσ³ + cσ⁵, by X ← aX + (bXXᵀ + c(XXᵀ)²) X from G/‖G‖ (Frobenius).

    It is without a decomposition close to UVᵀ, the nearest matrix whose rows (or columns) are orthonormal.

    Shapes:
        (m, n) → (m, n)
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
