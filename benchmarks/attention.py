"""Time and memory of every attention, forward and backward, against torch's scaled_dot_product_attention.

    python benchmarks/attention.py growth                      # every attention, T from 32 to 2048; some minutes
    python benchmarks/attention.py growth local linear         # some of them
    python benchmarks/attention.py rivals                      # multi_head against torch.nn.MultiheadAttention

One thread, CPU time, in turns in one process. `growth`: self-attention, B = 2, D = 64 (4 heads where there are any);
ratios to the bare fused kernel at the same T, which has no projections; the exponent is fitted from T = 512 on.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from measuring import forward_backward, in_turns, peak_bytes
from torch import Tensor, nn
from torch.nn import functional

from iamm.attention.base import Attention
from iamm.attention.fused import NATIVE_BF16

LENGTHS = (32, 64, 128, 256, 512, 1024, 2048)
WIDTH, HEADS, BATCH = 64, 4, 2
LARGER = {"low_rank": [f"attention.pattern.length={LENGTHS[-1]}"]}


def made(name: str, width: int) -> Attention:
    with initialize_config_module("iamm.configs", version_base="1.3"):
        config = compose(overrides=[f"+attention={name}", *LARGER.get(name, ())]).attention
    torch.manual_seed(0)
    return instantiate(config)(width)


def places(batch: int, length: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(batch, length, width, dtype=dtype).requires_grad_()


def bare(width: int, heads: int) -> Callable[[Tensor], Tensor]:
    """The fused kernel between splitting and joining heads, without projections."""

    def call(x: Tensor) -> Tensor:
        split = x.unflatten(-1, (heads, -1)).transpose(1, 2)
        return functional.scaled_dot_product_attention(split, split, split).transpose(1, 2).flatten(2)

    return call


def rounds_for(length: int) -> int:
    return 3 if length >= 1024 else 7


def exponent(lengths: list[int], seconds: list[float]) -> float:
    """Slope of log seconds over log T by least squares."""
    x, y = [math.log(length) for length in lengths], [math.log(second) for second in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def growth(names: list[str]) -> None:
    print("| attention | expected | time | memory |", " | ".join(f"T = {length}" for length in LENGTHS), "|")
    print("| --- |" + " --- |" * (3 + len(LENGTHS)))
    for name in names:
        attention, cells, seconds, peaks = made(name, WIDTH), [], [], []
        for length in LENGTHS:
            x = places(BATCH, length, WIDTH)
            ours = forward_backward(lambda x, attention=attention: attention(x).context, x)
            theirs = forward_backward(bare(WIDTH, HEADS), x)
            took = in_turns({"ours": ours, "bare": theirs}, rounds_for(length))
            peaks.append(peak_bytes(ours))
            seconds.append(took["ours"])
            cells.append(f"{took['ours'] / took['bare']:.2f} × / {peaks[-1] / peak_bytes(theirs):.1f} ×")
        tail = slice(LENGTHS.index(512), None)
        slopes = [exponent(list(LENGTHS[tail]), list(found[tail])) for found in (seconds, peaks)]
        print(
            f"| `{name}` | {attention.growth} | {slopes[0]:.2f} | {slopes[1]:.2f} |", " | ".join(cells), "|", flush=True
        )


def rivals() -> None:
    """multi_head against torch's module, and ours without projections against the bare kernel."""
    print("| type | T | D | weights | ours ms | module ms | ours / module | kernel ms | ours / kernel |")
    print("| --- |" + " --- |" * 8)
    for dtype, length, width, weights in settings():
        ours = made("multi_head", width).to(dtype)
        theirs = nn.MultiheadAttention(width, HEADS, bias=False, batch_first=True, dtype=dtype)
        x = places(64 if length <= 128 else 8, length, width, dtype)
        split = x.detach().unflatten(-1, (HEADS, -1)).transpose(1, 2).contiguous().requires_grad_()
        works = {
            "ours": forward_backward(lambda x, ours=ours, w=weights: ours(x, need_weights=w).context, x),
            "module": forward_backward(lambda x, theirs=theirs, w=weights: theirs(x, x, x, need_weights=w)[0], x),
            "our kernel": forward_backward(
                lambda q, ours=ours, w=weights: ours.attend(q / q.shape[-1] ** 0.5, q, q, need_weights=w)[0], split
            ),
            "kernel": forward_backward(
                lambda q: functional.scaled_dot_product_attention(q / q.shape[-1] ** 0.5, q, q, scale=1.0), split
            ),
        }
        took = {name: 1000 * seconds for name, seconds in in_turns(works, rounds_for(2 * length)).items()}
        print(
            f"| {str(dtype)[6:]} | {length} | {width} | {'yes' if weights else 'no'} | {took['ours']:.2f} "
            f"| {took['module']:.2f} | {took['ours'] / took['module']:.2f} | {took['kernel']:.2f} "
            f"| {took['our kernel'] / took['kernel']:.2f} |",
            flush=True,
        )


def settings() -> Iterator[tuple[torch.dtype, int, int, bool]]:
    """bf16 over short sequences only where it is emulated, a hundred times slower."""
    for dtype in (torch.float32, torch.bfloat16):
        for length in (16, 32, 64, 128, 256, 512):
            if dtype == torch.float32 or NATIVE_BF16 or length <= 64:
                for width in (64, 256):
                    yield from ((dtype, length, width, weights) for weights in (False, True))


def main() -> None:
    torch.set_num_threads(1)
    what, *names = sys.argv[1:] or ["growth"]
    if what == "growth":
        growth(names or sorted(path.stem for path in Path("configs/attention").glob("*.yaml")))
    elif what == "rivals":
        rivals()
    else:
        raise SystemExit(f"The benchmark must be growth or rivals. Found {what}.")


if __name__ == "__main__":
    main()
