"""Additive scores, by tiles against written out: CPU time, peak memory, forward and backward, and their error.

    python benchmarks/additive.py                     # three sizes, some minutes
    python benchmarks/additive.py 64,32,128 8,512,64  # others: B,T,D

One thread, CPU time, in turns in one process. Memory is what tensors made on the way hold at one time, gradients among
them, arguments not. Scores alone, then with softmax and context behind them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from measuring import forward_backward, in_turns, peak_bytes
from torch import Tensor

from iamm.score.tanh_sum import tanh_sum

ROUNDS = 7
SIZES = ((64, 32, 128), (64, 128, 128), (64, 256, 64))
Form = Callable[[Tensor, Tensor, Tensor], Tensor]


def plain(query: Tensor, key: Tensor, v: Tensor) -> Tensor:
    """As it is usually written."""
    return torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3)) @ v  # (B, T, T)


def attention(scores: Form) -> Form:
    """The context, with the keys as values."""
    return lambda query, key, v: scores(query, key, v).softmax(-1) @ key  # (B, T, D)


def arguments(batch: int, length: int, width: int) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(shape).requires_grad_() for shape in ((batch, length, width), (batch, length, width), (width,))]


def compare(name: str, tiled: Form, written_out: Form, leaves: list[Tensor]) -> str:
    """One row of the table: both times, both peaks and what the tiles save."""
    works = {"tiled": forward_backward(tiled, *leaves), "written out": forward_backward(written_out, *leaves)}
    fast, slow = (1000 * seconds for seconds in in_turns(works, ROUNDS).values())
    small, large = (peak_bytes(work) / 2**20 for work in works.values())
    return f"{name} | {slow:.0f} | {fast:.0f} | {slow / fast:.1f} | {large:.1f} | {small:.1f} | {large / small:.0f}"


def error(form: Form, leaves: list[Tensor]) -> float:
    """The largest of a score against float64, one sequence at a time, as a share of Σ|v|."""
    query, key, v = (each.detach() for each in leaves)
    sequences = zip(form(query, key, v).double(), query.double(), key.double(), strict=True)
    return max((found - plain(q, k, v.double())).abs().max().item() for found, q, k in sequences) / v.abs().sum().item()


def main() -> None:
    torch.set_num_threads(1)
    sizes = [tuple(map(int, size.split(","))) for size in sys.argv[1:]] or SIZES
    print("| B, T, D | of | written out ms | tiled ms | times faster | written out MiB | tiled MiB | times smaller |")
    print("| --- |" + " --- |" * 7)
    errors = []
    for size in sizes:
        leaves = arguments(*size)
        for name, around in (("scores", lambda form: form), ("attention", attention)):
            print(f"| {size} | {compare(name, around(tanh_sum), around(plain), leaves)} |", flush=True)
        errors.append(f"{error(tanh_sum, leaves):.1e} (written out {error(plain, leaves):.1e})")
    print("largest error of a score over Σ|v|, against float64:", ", ".join(errors))


if __name__ == "__main__":
    main()
