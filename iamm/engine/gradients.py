"""Gradients between the backward passes and the optimizer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from iamm.engine.finite import finite_norm
from iamm.engine.plan import Plan


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
