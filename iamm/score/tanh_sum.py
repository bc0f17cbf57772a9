"""The pairwise sum of additive attention, computed in tiles without the block of all pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import groupby, product
from typing import Any

import torch
from torch import Tensor

TILE = 1 << 19
"""Numbers in a tile (measured, 2^15 to 2^21: smaller ones spend their time on calls, larger ones leave the cache)."""

SMALL = 1 << 18
"""Up to so many pairs times features, writing the block out is faster (measured)."""

WIDEST = 32.0
"""How far apart one feature's queries may lie for exponentials of them."""

Fill = Callable[[Tensor, Tensor, Tensor], None]


def tanh_sum(query: Tensor, key: Tensor, v: Tensor) -> Tensor:
    """scores_qk = Σ_f v_f tanh(query_qf + key_kf), without the block of all q, k and f.

    tanh(a + b) = 1 − 2 / (1 + e^{2a} e^{2b}): exponentials are taken once for each query and each key, and a pair costs
    a product, two sums and a quotient. That is done tile by tile, forward and again backward, so that nothing but the
    arguments is kept.

    Right over the whole range (see `_stretches`): in float32 to some 1e-7 of Σ|v|, 1e-6 where queries lie 30 apart.
    Half types are computed in float32, also under autocast. NaN and ±inf may give NaN.

    Args:
        query: (…, Q, F)
        key: (…, K, F)
        v: (F,)

    Shapes:
        → (…, Q, K), of the query's type

    Raises:
        ValueError: shapes that do not fit each other; leading axes are not broadcast.

    Cost: Q·K·F operations; memory for arguments, scores and one tile of 2^19 numbers, not two or three times Q·K·F.
    A block that is small, or no larger than the arguments (one query, one key), is written out. Both limits were
    measured on a CPU, and so are second derivatives (`create_graph=True`) and a program that is exported.
    """
    if query.shape[:-2] != key.shape[:-2] or not query.shape[-1:] == key.shape[-1:] == v.shape:
        shapes = ", ".join(str(tuple(each.shape)) for each in (query, key, v))
        raise ValueError(f"`query` (…, Q, F), `key` (…, K, F) and `v` (F,) must share … and F. Found {shapes}.")
    block = query.numel() * key.shape[-2]
    with torch.autocast(query.device.type, enabled=False):
        if torch.compiler.is_exporting() or block <= max(SMALL, query.numel() + key.numel()):
            return _written_out(query, key, v)
        return torch.ops.iamm.tanh_sum(query, key, v)


def _written_out(query: Tensor, key: Tensor, v: Tensor) -> Tensor:
    """With tanh(x) = 2σ(2x) − 1, since σ is the faster of the two."""
    dtype = _precision(query)
    left, right, weight = 2 * query.to(dtype), 2 * key.to(dtype), v.to(dtype)
    pairs = torch.sigmoid(left.unsqueeze(-2) + right.unsqueeze(-3))  # (…, Q, K, F)
    return (pairs @ (2 * weight) - weight.sum()).to(query.dtype)  # (…, Q, K)


def _precision(query: Tensor) -> torch.dtype:
    return torch.promote_types(query.dtype, torch.float32)


def _rows(tensor: Tensor) -> Tensor:
    """All leading axes as one: (…, M, N) → (R, M, N)."""
    return tensor.reshape(-1, *tensor.shape[-2:])


@torch.library.custom_op("iamm::tanh_sum", mutates_args=(), schema="(Tensor query, Tensor key, Tensor v) -> Tensor")
def _scores(query: Tensor, key: Tensor, v: Tensor) -> Tensor:
    weight = v.to(_precision(query))
    scores = weight.new_empty((*query.shape[:-1], key.shape[-2]))  # (…, Q, K)
    flat = _rows(scores)  # (R, Q, K)
    for place, tile in _tiles(query, key):
        flat[place] = torch.mv(tile.flatten(0, 2), weight).view(tile.shape[:3])  # (r, q, k)
    return scores.to(query.dtype)


@torch.library.custom_op(
    "iamm::tanh_sum_backward",
    mutates_args=(),
    schema="(Tensor grad, Tensor query, Tensor key, Tensor v) -> (Tensor, Tensor, Tensor)",
)
def _gradients(grad: Tensor, query: Tensor, key: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """To v Σ grad tanh; to query and key v Σ grad (1 − tanh²), summed over the places of the other."""
    weight, grad = v.to(_precision(query)), _rows(grad.to(_precision(query)))  # (F,), (R, Q, K)
    to_query, to_key, to_v = (weight.new_zeros(each.shape) for each in (query, key, v))
    flat_query, flat_key = _rows(to_query), _rows(to_key)  # (R, Q, F), (R, K, F)
    for (rows, queries, keys), tile in _tiles(query, key):
        part = grad[rows, queries, keys]  # (r, q, k)
        to_v.addmv_(tile.flatten(0, 2).T, part.reshape(-1))
        torch.ops.aten.tanh_backward.grad_input(part.unsqueeze(-1), tile, grad_input=tile)  # grad (1 − tanh²)
        flat_query[rows, queries].add_(tile.sum(2))
        flat_key[rows, keys].add_(tile.sum(1))
    return to_query.mul_(weight).to(query.dtype), to_key.mul_(weight).to(key.dtype), to_v.to(v.dtype)


@_scores.register_fake
def _(query: Tensor, key: Tensor, v: Tensor) -> Tensor:
    return query.new_empty((*query.shape[:-1], key.shape[-2]))  # (…, Q, K)


@_gradients.register_fake
def _(grad: Tensor, query: Tensor, key: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return query.new_empty(query.shape), key.new_empty(key.shape), v.new_empty(v.shape)


def _save_inputs(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    if torch.is_grad_enabled():
        return _gradients_written_out(grad, *ctx.saved_tensors)
    return torch.ops.iamm.tanh_sum_backward(grad, *ctx.saved_tensors)


def _gradients_written_out(grad: Tensor, query: Tensor, key: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As `_gradients`, by what can be differentiated again."""
    dtype = _precision(query)
    tanh = torch.tanh(query.to(dtype).unsqueeze(-2) + key.to(dtype).unsqueeze(-3))  # (…, Q, K, F)
    part = grad.to(dtype).unsqueeze(-1) * (1 - tanh.square()) * v.to(dtype)
    to_v = grad.to(dtype).flatten() @ tanh.flatten(0, -2)  # (F,)
    return part.sum(-2).to(query.dtype), part.sum(-3).to(key.dtype), to_v.to(v.dtype)


_scores.register_autograd(_backward, setup_context=_save_inputs)


def _tiles(query: Tensor, key: Tensor) -> Iterator[tuple[tuple[slice, slice, slice], Tensor]]:
    """Each place (rows, queries, keys) with tanh(query + key) there, (r, q, k, F), until the next overwrites it."""
    query, key = _rows(query), _rows(key)
    (rows, queries, width), keys = query.shape, key.shape[1]
    r, q, k = _tile_shape(rows, queries, keys, width)
    buffer = query.new_empty(r * q * k * width, dtype=_precision(query))
    for row, left, right, fill in _stretches(query, key, r):
        for one, other in product(_steps(0, queries, q), _steps(0, keys, k)):
            shape = (len(left), one.stop - one.start, other.stop - other.start, width)
            tile = buffer[: math.prod(shape)].view(shape)  # (r, q, k, F)
            fill(left[:, one, None], right[:, None, other], tile)
            yield (row, one, other), tile


def _tile_shape(rows: int, queries: int, keys: int, width: int) -> tuple[int, int, int]:
    """As many keys as a tile holds, then queries, then rows; one of each at least."""
    k = min(keys, max(1, TILE // width))
    q = min(queries, max(1, TILE // (width * k)))
    return min(rows, max(1, TILE // (width * k * q))), q, k


def _steps(start: int, stop: int, length: int) -> Iterator[slice]:
    return (slice(first, min(first + length, stop)) for first in range(start, stop, length))


def _stretches(query: Tensor, key: Tensor, length: int) -> Iterator[tuple[slice, Tensor, Tensor, Fill]]:
    """Up to `length` rows at a time: what stands for their queries, what for their keys, and how the two fill a tile.

    Each feature's queries are centred by m: tanh = 1 − 2 / (1 + e^{2(query − m)} e^{2(key + m)}). The first factor lies
    within e^{±WIDEST}. The second leaves float32 only for keys beyond ±43, where tanh is ±1 to the last digit, which is
    what ∞ and 0 in its place give. Rows whose queries lie farther apart are put through tanh itself.
    """
    dtype = _precision(query)
    low, high = query.amin(1, keepdim=True).to(dtype), query.amax(1, keepdim=True).to(dtype)  # (R, 1, F)
    narrow = ((high - low).amax((1, 2)) <= WIDEST).tolist()
    for centred, run in groupby(range(len(narrow)), key=narrow.__getitem__):
        places = list(run)
        for rows in _steps(places[0], places[-1] + 1, length):
            left, right = query[rows].to(dtype), key[rows].to(dtype)  # (r, Q, F), (r, K, F)
            if centred:
                centre = low[rows] / 2 + high[rows] / 2  # (r, 1, F); their sum might overflow
                left, right = (left - centre).mul_(2).exp_(), (right + centre).mul_(2).exp_()
            yield rows, left, right, _of_exponentials if centred else _of_sums


def _of_exponentials(left: Tensor, right: Tensor, tile: Tensor) -> None:
    one = left.new_ones(left.shape[-1])  # F of them: a second number without an axis would leave torch's vector loop
    torch.addcmul(one, left, right, out=tile)
    torch.addcdiv(one, one, tile, value=-2, out=tile)


def _of_sums(left: Tensor, right: Tensor, tile: Tensor) -> None:
    torch.add(left, right, out=tile).tanh_()
