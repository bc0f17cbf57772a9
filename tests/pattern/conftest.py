"""A pattern against a mask over all pairs, on any layout of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from iamm.attention.composed import ComposedAttention
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.base import Sight
from iamm.pattern.full import FullPattern
from iamm.score.base import Score
from iamm.score.relative_position import RelativePositionScore
from iamm.score.scaled_dot_product import ScaledDotProductScore

B, H, D = 2, 2, 6


class Layout(NamedTuple):
    """Queries behind a past, what hides keys, what the score and the caller want to know."""

    past: int
    queries: int
    causal: bool
    padded: bool
    positional: bool
    pairwise: bool
    need_weights: bool
    seed: int


LAYOUTS = st.builds(
    Layout,
    past=st.sampled_from([0, 0, 17, 60]),
    queries=st.integers(1, 150) | st.integers(180, 220),
    causal=st.booleans(),
    padded=st.booleans(),
    positional=st.sampled_from([False, False, True]),
    pairwise=st.sampled_from([False, False, True]),
    need_weights=st.booleans(),
    seed=st.integers(0, 100),
)


def read(attention: ComposedAttention, layout: Layout, places: Tensor, **masks: Tensor | None) -> list[Tensor]:
    """Context and weights of the queries behind the past, which an earlier call has put into the state."""
    key_allow, past = masks.pop("key_allow", None), layout.past
    state, new = None, key_allow
    if past:
        seen, new = (None, None) if key_allow is None else (key_allow[:, :past], key_allow[:, past:])
        state = attention(places[:, :past], key_allow=seen, state=attention.empty_state(places)).state
    context, weights, _ = attention(
        places[:, past:],
        **masks,
        key_allow=new,
        causal=layout.causal,
        state=state,
        need_weights=layout.need_weights,
    )
    return [context] if weights is None else [context, weights]


def four_axes(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else mask.view(*[1] * (4 - mask.dim()), *mask.shape)


def gradients(result: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    probe = torch.linspace(-1, 1, result.numel(), dtype=result.dtype).view_as(result)
    found = torch.autograd.grad((result * probe).sum(), leaves, allow_unused=True)
    return [torch.zeros_like(leaf) if slope is None else slope for leaf, slope in zip(leaves, found, strict=True)]


Near = Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, Tensor | None]]
"""The pattern, the queries' places (Q, 1) and the keys' (K,) → who sees whom, and what is added to the scores or None,
both broadcastable to (B, H, Q, K)."""


def compare(make: Callable[..., nn.Module], near: Near, layout: Layout, **parts: Callable[..., nn.Module]) -> None:
    torch.manual_seed(layout.seed)
    kind: type[Score] = RelativePositionScore if layout.positional else ScaledDotProductScore
    parts = {"score": kind, "normaliser": SoftmaxNormaliser, **parts}
    found = ComposedAttention(D, heads=H, pattern=make, **parts).double()
    plain = ComposedAttention(D, heads=H, pattern=FullPattern, **parts).double()
    plain.score = found.score
    for parameter in found.score.parameters():
        nn.init.normal_(parameter)
    total = layout.past + layout.queries
    places = torch.randn(B, total, D, dtype=torch.float64, requires_grad=True)
    key_allow = torch.rand(B, total) < 0.7 if layout.padded else None
    allow = torch.rand(B, 1, layout.queries, total) < 0.7 if layout.pairwise else None
    bias = torch.randn(layout.queries, total, dtype=torch.float64, requires_grad=True) if layout.pairwise else None
    place = torch.arange(total)
    shown, added = map(four_axes, near(found.pattern, place[layout.past :, None], place))
    expected = read(
        plain,
        layout,
        places,
        key_allow=key_allow,
        allow=shown if allow is None else allow & shown,
        bias=added if bias is None else bias if added is None else bias + added,
    )
    result = read(found, layout, places, key_allow=key_allow, allow=allow, bias=bias)
    torch.testing.assert_close(result, expected)
    leaves = [places, *found.score.parameters(), *found.pattern.parameters(), *([] if bias is None else [bias])]
    torch.testing.assert_close(gradients(result[0], leaves), gradients(expected[0], leaves))


@pytest.fixture(scope="session")
def same_as_masked():
    """The numbers and gradients of a pattern are those of `full` with a mask over all pairs, on whatever is drawn."""

    def check(
        make: Callable[..., Callable[..., nn.Module]],
        near: Callable[..., Near],
        *options: st.SearchStrategy,
        **parts: Callable[..., nn.Module],
    ) -> None:
        @settings(max_examples=60, deadline=None, derandomize=True)
        @given(LAYOUTS, st.tuples(*options))
        def run(layout: Layout, chosen: tuple) -> None:
            compare(make(*chosen), near(*chosen), layout, **parts)

        run()

    return check


@pytest.fixture
def scored_pairs():
    """How many pairs one example's and head's score sees in a call."""

    def count(make: Callable[..., nn.Module], length: int, past: int = 0, causal: bool = False) -> int:
        pairs = []

        def attend(query, key, value, **words):
            pairs.append(query.shape[0] * query.shape[2] * key.shape[2])
            return query, None

        shapes = ((1, 1, length, 3), (1, 1, past + length, 3), (1, 1, past + length, 3))
        make(3, 1)(attend, *map(torch.zeros, shapes), Sight(past, causal=causal))
        return sum(pairs)

    return count
