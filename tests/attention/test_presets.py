"""What holds for every preset alike, at short and at long sequences: second derivatives and half precision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor

from iamm.attention.base import Attention
from tests.composing import config_of

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "configs" / "attention").glob("*.yaml"))
LENGTHS = [9, 300]  # the second is long enough for fused kernels, tiles and blocks
D = 16
LOOSE = {"top_k": 1.0}
"""A rounded score may change the few places that are read."""


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def made(name: str) -> Attention:
    torch.manual_seed(0)
    longer = ["attention.pattern.length=300"] if name == "low_rank" else []
    return instantiate(config_of(f"attention={name}", *longer).attention)(D)


@pytest.mark.parametrize("length", LENGTHS)
def test_second_derivatives(name, length):
    """The slope of a directional derivative, against finite differences."""
    attention = made(name).double()
    query, along = torch.randn(2, 1, length, D, dtype=torch.float64)

    def slope(step: float, **more: bool) -> tuple[Tensor, Tensor]:
        moved = (query + step * along).requires_grad_()
        (gradient,) = torch.autograd.grad(attention(moved).context.square().sum(), moved, **more)
        return moved, (gradient * along).sum()

    moved, first = slope(0.0, create_graph=True)
    (second,) = torch.autograd.grad(first, moved)
    numeric = (slope(1e-6)[1] - slope(-1e-6)[1]) / 2e-6
    torch.testing.assert_close((second * along).sum(), numeric, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(name, length, dtype):
    places = torch.randn(2, length, D, generator=torch.Generator().manual_seed(1)).to(dtype)
    half, exact = made(name).to(dtype), made(name).to(dtype).double()
    for words in ({}, {"need_weights": True}, {"key_allow": torch.arange(length).repeat(2, 1) > 2}):
        for query in ((places,), (places[:, :1], places)):
            context = half(*query, **words).context
            expected = exact(*(each.double() for each in query), **words).context
            assert context.dtype == dtype
            margin = LOOSE.get(name, 10 * torch.finfo(dtype).eps)
            torch.testing.assert_close(context.double(), expected, atol=margin, rtol=margin)
