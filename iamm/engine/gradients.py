"""Gradients between the backward passes and the optimizer, and the scale of those of fp16.

Small gradients of fp16 would be 0. So ∂L/∂L is s in place of 1, and the gradient of each parameter is divided by s as
soon as it is known (Micikevicius et al. 2018, §3.2). A weighting, whatever rule it is, thus sees the true losses and
the true gradients of parameters; between them, at the features, gradients are s times as large.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from iamm.engine.finite import finite_norm
from iamm.engine.plan import Plan

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""The type of a precision of 16 bits."""


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """A block of forward passes in this precision; `fp32` changes nothing."""
    return torch.autocast(device.type, HALF.get(precision), enabled=precision in HALF)


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Set each learning rate to its base rate, with which the optimizer began, times a factor; return the first."""
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("base_lr", group["lr"]) * factor
    return float(optimizer.param_groups[0]["lr"])


def scale_gradients(losses: Sequence[Tensor], scale: float) -> None:
    """Multiply all gradients of these losses by s."""
    for loss in losses if scale != 1 else ():
        if loss.requires_grad:
            loss.register_hook(lambda gradient: gradient * scale)


@contextmanager
def unscaled(parameters: Sequence[nn.Parameter], scale: Callable[[], float]) -> Iterator[None]:
    """A block in which each gradient of the parameters is divided by s as soon as it is computed."""
    handles = [parameter.register_hook(lambda gradient: gradient / scale()) for parameter in parameters]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def shaped(parameters: Sequence[nn.Parameter], plan: Plan) -> Tensor:
    """Add λ sign(w) (L1) and λ w (L2) to the gradients, then clip them; return their norm before clipping.  # ()

    Raises:
        NonFiniteError: the norm is not finite.
    """
    with torch.no_grad():
        for parameter in parameters if plan.l1 or plan.l2 else ():
            if parameter.grad is not None:
                parameter.grad.add_(parameter, alpha=plan.l2).add_(parameter.sign(), alpha=plan.l1)
    norm = finite_norm(parameters)
    if plan.clip is not None:
        nn.utils.clip_grads_with_norm_(parameters, plan.clip, norm)
    return norm
