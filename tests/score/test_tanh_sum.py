from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor
from torch.profiler import ProfilerActivity, profile

from iamm.score import tanh_sum as module
from iamm.score.tanh_sum import tanh_sum

FLOATS = [torch.float32, torch.float64]


@pytest.fixture
def tiled(monkeypatch):
    """Sizes that are written out elsewhere go through tiles of 60 numbers here."""
    monkeypatch.setattr(module, "SMALL", 0)
    monkeypatch.setattr(module, "TILE", 60)


@pytest.fixture(params=["written out", "tiled"])
def either(request):
    """Both ways."""
    if request.param == "tiled":
        request.getfixturevalue("tiled")


def plain(query: Tensor, key: Tensor, v: Tensor) -> Tensor:
    return torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3)) @ v  # (…, Q, K)


def arguments(*shape: int, dtype: torch.dtype = torch.float64, size: float = 1.0) -> list[Tensor]:
    """query (…, Q, F), key (…, K, F) and v (F,) for shape = (…, Q, K, F)."""
    *leading, queries, keys, width = shape
    generator = torch.Generator().manual_seed(0)
    shapes = ((*leading, queries, width), (*leading, keys, width), (width,))
    query, key, v = (torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes)
    return [each.requires_grad_() for each in (size * query, size * key, v)]


def result_and_gradients(score, leaves: list[Tensor]) -> list[Tensor]:
    scores = score(*leaves)
    probe = torch.linspace(-1, 2, scores.numel(), dtype=scores.dtype).view_as(scores)
    return [scores, *torch.autograd.grad((scores * probe).sum(), leaves)]


def exact(leaves: list[Tensor]) -> list[Tensor]:
    """The plain form and its gradients in float64."""
    return result_and_gradients(plain, [each.detach().double().requires_grad_() for each in leaves])


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("dtype", FLOATS)
def test_by_hand(dtype):
    """tanh(ln(n)/2) = (n − 1)/(n + 1), and logarithms add: 1, 2, 4 times 1, 2, 1/2, all 45-fold.

    The slope of tanh there is 4n/(n + 1)²: by the first query, n = 1, 2, 1/2, it is 1, 8/9, 8/9.
    """
    query = (tensor([[1.0], [2.0], [4.0]], dtype=dtype).log() / 2).requires_grad_()
    key = tensor([[1.0], [2.0], [0.5]], dtype=dtype).log() / 2
    scores = tanh_sum(query, key, tensor([45.0], dtype=dtype))
    expected = tensor([[0.0, 15.0, -15.0], [15.0, 27.0, 0.0], [27.0, 35.0, 15.0]], dtype=dtype)
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=0)
    scores[0].sum().backward()
    torch.testing.assert_close(query.grad, tensor([[125.0], [0.0], [0.0]], dtype=dtype), atol=1e-5, rtol=0)


@pytest.mark.usefixtures("tiled")
@pytest.mark.parametrize("tile", [1, 7, 60, 210, 500, 10_000])
@pytest.mark.parametrize("leading", [(), (11,), (2, 3), (2, 1, 3)])
def test_agrees_with_the_plain_form(monkeypatch, leading, tile):
    """Tiles of one feature row, of part of the keys, of part of the queries, of several rows, and of all."""
    monkeypatch.setattr(module, "TILE", tile)
    leaves = arguments(*leading, 7, 5, 3)
    torch.testing.assert_close(result_and_gradients(tanh_sum, leaves), exact(leaves))


@pytest.mark.parametrize("shape", [(2, 3, 41, 43, 53), (3, 200, 211, 3), (64, 1, 67, 73), (64, 67, 1, 73)])
def test_agrees_with_the_plain_form_at_its_own_sizes(shape):
    leaves = arguments(*shape)
    torch.testing.assert_close(result_and_gradients(tanh_sum, leaves), exact(leaves))


@pytest.mark.usefixtures("either")
def test_gradients_by_differences():
    torch.autograd.gradcheck(tanh_sum, arguments(2, 3, 5, 4))


@settings(max_examples=150, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(2, 6), st.integers(3, 7), st.integers(1, 5)),
    sizes=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    shift=st.floats(-50, 50),
    tile=st.integers(1, 200),
    dtype=st.sampled_from(FLOATS),
    seed=st.integers(0, 1000),
)
def test_any_shape_and_magnitude(shape, sizes, shift, tile, dtype, seed):
    """Queries of 10^size around `shift`, keys of 10^size around −shift: off by 16 ε of what is summed."""
    rows, queries, keys, width = shape
    generator = torch.Generator().manual_seed(seed)
    query, key, v = (
        torch.randn(each, generator=generator, dtype=dtype)
        for each in ((rows, queries, width), (rows, keys, width), (width,))
    )
    leaves = [query * 10 ** sizes[0] + shift, key * 10 ** sizes[1] - shift, v]
    leaves = [each.requires_grad_() for each in leaves]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SMALL", 0)
        patch.setattr(module, "TILE", tile)
        found = result_and_gradients(tanh_sum, leaves)
    summed = [v.abs().sum(), 2 * keys * v.abs().max(), 2 * queries * v.abs().max(), tensor(2 * rows * queries * keys)]
    for each, expected, terms in zip(found, exact(leaves), summed, strict=True):
        margin = 16 * torch.finfo(dtype).eps * terms.item()
        torch.testing.assert_close(each.double(), expected, atol=margin, rtol=0)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [50.0, 1e4, 1e30])
def test_saturated(dtype, size):
    """Every tanh is ±1, no slope is left; also where queries differ by 2·size and where keys do."""
    v = tensor([3.0, 5.0], dtype=dtype)
    signs = tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]], dtype=dtype)
    expected = tensor([[8.0, -2.0, -8.0]] * 3, dtype=dtype)
    small, large = (factor * signs for factor in (0.5, size))
    for query, key, wanted in ((small, large, expected), (large, small, expected.T)):
        leaves = [each.clone().requires_grad_() for each in (query, key, v)]
        scores, *slopes = result_and_gradients(tanh_sum, leaves)
        torch.testing.assert_close(scores, wanted)
        torch.testing.assert_close(slopes[:2], [torch.zeros_like(query)] * 2)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_queries_as_large_as_there_are(sign):
    """The sum of two of them is infinite already."""
    query, key = torch.full((3, 2), sign * torch.finfo(torch.float32).max), torch.ones(4, 2)
    torch.testing.assert_close(tanh_sum(query, key, tensor([3.0, 5.0])), torch.full((3, 4), sign * 8.0))


@pytest.mark.usefixtures("tiled")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("share", [0.99, 1.01, 3.0])
def test_on_either_side_of_the_range(dtype, share):
    """Queries as far apart as the exponentials reach, and farther; each meets keys that undo it all but a little."""
    query = 1000 + share * module.WIDEST * torch.linspace(-0.5, 0.5, 7, dtype=dtype)[:, None]
    key = -query + torch.linspace(-2, 2, 7, dtype=dtype)[:, None]
    leaves = [query.requires_grad_(), key.requires_grad_(), tensor([1.0], dtype=dtype, requires_grad=True)]
    for found, expected, terms in zip(
        result_and_gradients(tanh_sum, leaves), exact(leaves), (1, 14, 14, 98), strict=True
    ):
        margin = 16 * torch.finfo(dtype).eps * terms
        torch.testing.assert_close(found.double(), expected, atol=margin, rtol=0)


@pytest.mark.usefixtures("tiled")
def test_only_rows_out_of_range_take_the_other_branch(monkeypatch):
    """And the rows beside them never know."""
    seen, of_sums = [], module._of_sums
    monkeypatch.setattr(module, "_of_sums", lambda left, *rest: seen.append(left.clone()) or of_sums(left, *rest))
    leaves = arguments(5, 3, 4, 2, dtype=torch.float32)
    alone = tanh_sum(*leaves)
    assert seen == []
    query = leaves[0].detach().clone()
    query[1, 0, 1], query[2, 2, 0], query[4, 1, 1] = 40.0, float("nan"), -float("inf")
    scores = tanh_sum(query, *leaves[1:])
    torch.testing.assert_close(torch.cat(seen).squeeze(2), query[[1, 2, 4]], equal_nan=True)
    torch.testing.assert_close(scores[[0, 3]], alone[[0, 3]], rtol=0, atol=0)


@pytest.mark.usefixtures("either")
def test_nan_and_infinity_stay_where_they_are():
    query, key, v = (each.detach() for each in arguments(3, 5, 4, 2))
    expected = plain(query, key, v)
    query[0, 1, 0], key[1, 2, 1], key[2, 3, 0] = float("nan"), float("nan"), float("inf")
    scores = tanh_sum(query, key, v)
    expected[0, 1], expected[1, :, 2] = float("nan"), float("nan")
    expected[2, :, 3] = v[0] + v[1] * torch.tanh(query[2, :, 1] + key[2, 3, 1])
    torch.testing.assert_close(scores, expected, equal_nan=True)
    _, to_query, to_key, _ = result_and_gradients(tanh_sum, [each.requires_grad_() for each in (query, key, v)])
    assert to_query[0, [0, 2, 3, 4]].isfinite().all()
    assert to_query[2].isfinite().all()
    assert to_key[1, [0, 1, 3]].isfinite().all()


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_computed_in_float32(dtype):
    leaves = arguments(2, 5, 7, 3, dtype=dtype)
    wide = [each.detach().float().requires_grad_() for each in leaves]
    found, expected = tanh_sum(*leaves), tanh_sum(*wide)
    torch.testing.assert_close(found, expected.to(dtype), rtol=0, atol=0)
    probe = torch.linspace(-1, 2, found.numel()).view_as(found).to(dtype)
    slopes = torch.autograd.grad(found, leaves, probe), torch.autograd.grad(expected, wide, probe.float())
    torch.testing.assert_close(slopes[0], tuple(each.to(dtype) for each in slopes[1]), rtol=1e-2, atol=1e-2)
    assert [each.dtype for each in slopes[0]] == [dtype] * 3


@pytest.mark.usefixtures("either")
def test_autocast_changes_nothing():
    leaves = arguments(2, 5, 7, 3, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = result_and_gradients(tanh_sum, leaves)
    torch.testing.assert_close(found, result_and_gradients(tanh_sum, leaves), rtol=0, atol=0)


@pytest.mark.usefixtures("either")
def test_mixed_types_each_get_their_own_gradient():
    """As under autocast, where projections are bfloat16 and v is float32."""
    query, key, v = arguments(2, 5, 7, 3, dtype=torch.float32)
    leaves = [query.detach().bfloat16().requires_grad_(), key, v]
    scores, *slopes = result_and_gradients(tanh_sum, leaves)
    assert scores.dtype == torch.bfloat16
    assert [each.dtype for each in slopes] == [torch.bfloat16, torch.float32, torch.float32]
    torch.testing.assert_close(scores.double(), exact(leaves)[0], rtol=1e-2, atol=1e-2)


@pytest.mark.usefixtures("tiled")
def test_any_layout():
    """Heads are views, and a sum's gradient is one number expanded."""
    query, key, v = arguments(2, 5, 7, 12)
    query, key = (each.detach().unflatten(-1, (4, 3)).transpose(1, 2).requires_grad_() for each in (query, key))
    leaves = [query, key, v.detach()[::4].requires_grad_()]
    torch.testing.assert_close(result_and_gradients(tanh_sum, leaves), exact(leaves))
    slopes = [torch.autograd.grad(score(*leaves).sum(), leaves) for score in (tanh_sum, plain)]
    torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("shape", [(2, 0, 5, 3), (2, 5, 0, 3), (0, 5, 7, 3), (2, 5, 7, 0), (0, 0, 0, 0)])
def test_nothing_to_score(shape):
    leaves = arguments(*shape)
    torch.testing.assert_close(result_and_gradients(tanh_sum, leaves), exact(leaves))
    assert tanh_sum(*leaves).shape == shape[:-1]


@pytest.mark.parametrize(
    "shapes", [((2, 5, 3), (2, 7, 4), (3,)), ((2, 5, 3), (2, 7, 3), (4,)), ((2, 5, 3), (1, 7, 3), (3,))]
)
def test_shapes_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ValueError, match=r"must share … and F\. Found \(2, 5, 3\), "):
        tanh_sum(*(torch.ones(shape) for shape in shapes))


@pytest.mark.usefixtures("either")
def test_two_calls_give_the_same_bits():
    leaves = arguments(2, 5, 7, 3, dtype=torch.float32)
    first, second = (result_and_gradients(tanh_sum, leaves) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def largest(work) -> int:
    """Bytes of the largest tensor that `work` creates, inside its operators too."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        work()
    return max(event.self_cpu_memory_usage for event in recorded.events())


def test_no_block_of_pairs(monkeypatch):
    """Of 2·127·131·61 = 2 million numbers at once, neither forward nor backward: a tile and the arguments' sizes."""
    monkeypatch.setattr(module, "TILE", 1 << 14)
    leaves = arguments(2, 127, 131, 61, dtype=torch.float32)
    block = 4 * 2 * 127 * 131 * 61
    assert largest(lambda: result_and_gradients(plain, leaves)) >= block
    scores = 4 * 2 * 127 * 131
    assert largest(lambda: result_and_gradients(tanh_sum, leaves)) <= max(4 << 14, scores) < block / 50


def test_nothing_is_kept_but_the_arguments():
    leaves = arguments(2, 127, 131, 61, dtype=torch.float32)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda each: kept.append(each.data_ptr()) or each, lambda each: each):
        tanh_sum(*leaves)
    assert sorted(kept) == sorted(each.data_ptr() for each in leaves)


@pytest.mark.usefixtures("either")
def test_compiles_in_one_piece():
    torch.compiler.reset()
    leaves = arguments(2, 5, 7, 3)
    compiled = torch.compile(tanh_sum, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(result_and_gradients(compiled, leaves), result_and_gradients(tanh_sum, leaves))


@pytest.mark.usefixtures("tiled")
def test_torch_knows_the_operator():
    """Its schema, its shapes without values, its gradient's registration and its tracing with varying shapes."""
    leaves = arguments(2, 5, 7, 3)
    torch.library.opcheck(torch.ops.iamm.tanh_sum.default, leaves)
    assert math.prod(torch.ops.iamm.tanh_sum(*leaves).shape) == 2 * 5 * 7


@pytest.mark.usefixtures("either")
def test_second_derivatives_by_differences():
    torch.autograd.gradgradcheck(tanh_sum, arguments(2, 3, 5, 4))
