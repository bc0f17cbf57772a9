"""The choice between torch's fused kernel and explicit sums."""

from __future__ import annotations

import torch
from torch import Tensor

NATIVE_BF16 = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
"""Whether this processor has bf16 arithmetic; elsewhere each product is emulated."""


def fused_is_faster(query: Tensor, key: Tensor, masked: bool) -> bool:
    """Whether the fused kernel is faster for this device, type and shape, as measured on idle cores.

    `benchmarks/attention.py rivals` repeats the part without masks.

    On a CPU the fused kernel wins over long keys, where the block of all weights leaves the cache; the sum written out
    over short ones, by up to 1.3 times (and up to 128 keys in bf16, on a processor that has it). A mask costs the sum
    written out four passes and the fused kernel none. Everywhere else the fused kernel is taken unmeasured.

    Shapes:
        query (B, H, Q, E), key (B, H, K, E)
    """
    if query.device.type != "cpu":
        return True
    (queries, width), keys = query.shape[2:], key.shape[2]
    if query.dtype == torch.bfloat16:
        return keys > 128 or not NATIVE_BF16
    if query.dtype == torch.float16:
        return True
    if queries == 1:
        return keys * width <= 1024
    if queries < 8:
        return False
    return keys >= (48 if masked else max(64, 4 * width))
