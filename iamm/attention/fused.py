"""The choice between torch's fused kernel and explicit sums, and second derivatives of the kernel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from iamm.normaliser.base import masked_softmax, widened

NATIVE_BF16 = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
"""Whether this processor has bf16 arithmetic; elsewhere each product is emulated."""


def fused_is_faster(query: Tensor, key: Tensor, masked: bool) -> bool:
    """Whether the fused kernel is faster for this device, type and shape, as measured on idle cores.

    `benchmarks/attention.py rivals` repeats the part without masks.

    On a CPU the fused kernel wins over long keys, where the block of all weights leaves the cache; the sum written out
    over short ones, by up to 1.3 times (and up to 128 keys in bf16, on a processor that has it), and twice as fast for
    one query in heads of one channel. A mask costs the sum written out four passes and the fused kernel none.
    Everywhere else the fused kernel is taken unmeasured, and in an exported program, whose lengths may be unknown.

    Shapes:
        query (B, H, Q, E), key (B, H, K, E)
    """
    if query.device.type != "cpu" or torch.compiler.is_exporting():
        return True
    (queries, width), keys = query.shape[2:], key.shape[2]
    if query.dtype == torch.bfloat16:
        return keys > 128 or not NATIVE_BF16
    if query.dtype == torch.float16:
        return True
    if queries == 1:
        return width > 1 and keys * width <= 1024
    if queries < 8:
        return False
    return keys >= (48 if masked else max(64, 4 * width))


def fused_attention(query: Tensor, key: Tensor, value: Tensor, allow: Tensor | None) -> Tensor:
    """softmax(query keyᵀ) value by the fused kernel, which alone can be differentiated once only.

    Shapes:
        query (B, H, Q, E), key (B, H, K, E), value (B, H, K, E), allow broadcastable to (B, H, Q, K) → (B, H, Q, E)
    """
    context = functional.scaled_dot_product_attention(query, key, value, allow, scale=1.0)
    if torch.compiler.is_compiling() or not context.requires_grad:
        return context
    written: Tensor = SlopesWrittenOut.apply(context, query, key, value, allow)
    return written


class SlopesWrittenOut(torch.autograd.Function):
    """The context as it is. Its slope goes back through the kernel, or, where it shall be differentiated again
    (`create_graph=True`), through the sum written out.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(context: Tensor, query: Tensor, key: Tensor, value: Tensor, allow: Tensor | None) -> Tensor:
        return context.view_as(context)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        if not torch.is_grad_enabled():
            return slope, None, None, None, None
        *places, allow = ctx.saved_tensors
        slope, query, key, value = (widened(each) for each in (slope, *places))
        weights = masked_softmax(query @ key.mT, allow)  # (B, H, Q, K)
        to_weights = slope @ value.mT
        to_scores = weights * (to_weights - (weights * to_weights).sum(dim=-1, keepdim=True))
        return None, to_scores @ key, to_scores.mT @ query, weights.mT @ slope, None
