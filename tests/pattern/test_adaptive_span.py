from __future__ import annotations

import io
import math
from copy import deepcopy
from functools import partial

import pytest
import torch
from hypothesis import strategies as st
from torch import tensor

from iamm.attention.composed import ComposedAttention
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.normaliser.sum import SumNormaliser
from iamm.pattern.adaptive_span import AdaptiveSpanPattern
from iamm.pattern.full import FullPattern
from iamm.score.kernel import KernelScore
from iamm.score.scaled_dot_product import ScaledDotProductScore

PARTS = {"score": ScaledDotProductScore, "normaliser": SoftmaxNormaliser}


def in_span(limit, ramp, start):
    def near(pattern, own, place):
        span = limit * pattern.share[:, None, None]
        shown = (1 + (span - (place - own).abs()) / ramp).clamp(0, 1)
        return shown > 0, shown.masked_fill(shown == 0, 1.0).log()

    return near


def test_agrees_with_a_mask_over_all_pairs(same_as_masked):
    same_as_masked(
        lambda limit, ramp, start: partial(AdaptiveSpanPattern, limit=limit, ramp=ramp, start=start, penalty=0.0),
        in_span,
        st.sampled_from([1, 12, 33]),
        st.sampled_from([1, 3, 8]),
        st.sampled_from([0.04, 0.3, 0.97]),
    )


def test_heads_differ(agree):
    """One head sees two places far, the other nothing but itself and, faintly, its neighbours."""
    torch.manual_seed(0)
    make = partial(AdaptiveSpanPattern, limit=8, ramp=2, penalty=0.0)
    attention = ComposedAttention(6, heads=2, pattern=make, **PARTS).double()
    with torch.no_grad():
        attention.pattern.share.copy_(tensor([0.25, 0.0]))
    places = torch.randn(3, 70, 6, dtype=torch.float64, requires_grad=True)
    apart = (torch.arange(70) - torch.arange(70)[:, None]).abs()
    shown = torch.stack([sum((apart == away) * m for away, m in enumerate(ms)) for ms in ([1, 1, 1, 0.5], [1, 0.5])])
    plain = ComposedAttention(6, heads=2, pattern=FullPattern, **PARTS).double()
    expected = plain(places, allow=(shown > 0)[None], bias=shown.double().clamp(min=1e-9).log()[None]).context
    agree(attention(places).context, expected, [places])


def test_by_hand(attention_with):
    """z = 2, ramp = 2: m = 1, 1, 1, ½, 0 for 0 … 4 places away; all scores alike, values 0 … 9.

    At place 0 the weights are 1, 1, 1, ½ over 3.5: context (0 + 1 + 2 + 1.5) / 3.5.
    """
    value = torch.arange(10, dtype=torch.float64).view(1, 10, 1)
    attention = attention_with(1, pattern=partial(AdaptiveSpanPattern, limit=8, ramp=2, start=0.25))
    context, weights, _ = attention(torch.zeros_like(value), value=value, need_weights=True)
    torch.testing.assert_close(weights[0, 0, 0, :5], tensor([2, 2, 2, 1, 0], dtype=torch.float64) / 7)
    torch.testing.assert_close(context[0, 0, 0], tensor(4.5 / 3.5, dtype=torch.float64))


def test_the_penalty_by_hand():
    """λ·mean(z)/limit = 0.3 · (0.2 + 0.6) / 2, whose slope in each of two heads' shares is λ/2."""
    pattern = AdaptiveSpanPattern(3, 2, limit=5, ramp=3, penalty=0.3)
    with torch.no_grad():
        pattern.share.copy_(tensor([0.2, 0.6]))
    penalty = pattern.penalties()["span"]
    torch.testing.assert_close(penalty, tensor(0.12))
    penalty.backward()
    torch.testing.assert_close(pattern.share.grad, tensor([0.15, 0.15]))


def test_the_penalty_pulls_no_span_below_zero():
    pattern = AdaptiveSpanPattern(3, 3, limit=5, ramp=3, penalty=0.3)
    with torch.no_grad():
        pattern.share.copy_(tensor([-0.2, 0.0, 1.2]))
    pattern.penalties()["span"].backward()
    torch.testing.assert_close(pattern.share.grad, tensor([0.0, 0.0, 0.1]))


def test_a_gradient_that_leads_out_is_dropped(attention_with):
    """Four shares: below, at, within and above the range; slopes that lead down, then up."""
    pattern = AdaptiveSpanPattern(3, 4, limit=8, ramp=2, penalty=0.0)
    with torch.no_grad():
        pattern.share.copy_(tensor([-0.1, 0.0, 0.4, 1.1]))
    # at a distance of z + 1 places, m = 1/2: d ln m / d share = (8 / 2) / (1 / 2) = 8
    sight = [pattern.near(tensor([[away]]))[1][head].sum() for head, away in enumerate((1, 1, 4, 9))]
    found = []
    for sign in (1, -1):
        (slope,) = torch.autograd.grad(sign * sum(sight), pattern.share, retain_graph=True)
        found.append(slope)
    torch.testing.assert_close(found[0][[0, 1, 3]], tensor([0.0, 0.0, 8.0]))
    torch.testing.assert_close(found[1][[0, 1, 3]], tensor([-8.0, -8.0, 0.0]))
    assert found[0][2] == -found[1][2] > 0


def assigned(pattern):
    pattern.load_state_dict({"share": tensor([0.25, 1.0])}, assign=True)
    return pattern


def frozen_copy(pattern):
    pattern.requires_grad_(False)
    return deepcopy(pattern).requires_grad_(True)


def copied_by_pickle(pattern):
    """As `pickle` does it, by the same two calls."""
    make, arguments, state = pattern.__reduce_ex__(4)[:3]
    other = make(*arguments)
    other.__setstate__(deepcopy(state))
    return other


def saved(pattern):
    file = io.BytesIO()
    torch.save(pattern.state_dict(), file)
    file.seek(0)
    other = AdaptiveSpanPattern(3, 2, limit=4, ramp=2, penalty=0.7)
    other.load_state_dict(torch.load(file, weights_only=True))
    return other


@pytest.mark.parametrize("changed", [deepcopy, copied_by_pickle, assigned, frozen_copy, saved])
def test_the_penalty_and_the_range_outlast_what_happens_to_the_parameter(changed):
    """λ/2 in each share; at 1 a slope that would lead further out is dropped."""
    pattern = AdaptiveSpanPattern(3, 2, limit=4, ramp=2, penalty=0.7)
    with torch.no_grad():
        pattern.share.copy_(tensor([0.25, 1.0]))
    pattern = changed(pattern)
    (slope,) = torch.autograd.grad(pattern.penalties()["span"], pattern.share)
    torch.testing.assert_close(slope, tensor([0.35, 0.35], dtype=slope.dtype))
    shown = pattern.near(tensor([[2, 5]]))[1]  # z is 1 and 4: m is 1/2 in either head, d ln m / d share = 4
    (slope,) = torch.autograd.grad(-shown[0, 0, 0] - shown[1, 0, 1], pattern.share)
    torch.testing.assert_close(slope, tensor([-4.0, 0.0], dtype=slope.dtype))


def test_spans_are_learnt(attention_with):
    """What a place needs stands six places before it: the span, short at first, grows until it is in sight."""
    torch.manual_seed(0)
    attention = attention_with(8, pattern=partial(AdaptiveSpanPattern, limit=10, ramp=8, start=0.0, penalty=1e-3))
    optimizer = torch.optim.Adam(attention.parameters(), lr=0.05)
    places = torch.nn.functional.one_hot(torch.arange(64) % 8, 8)[None].double() * 5
    for _ in range(40):
        context = attention(places, causal=True).context
        loss = (context[:, 8:] - places[:, 2:-6]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert attention.pattern.share.item() > 0.2


@pytest.mark.parametrize(("start", "most"), [(0.0, 4), (0.5, 6)])
def test_cost_follows_the_span(scored_pairs, start, most):
    """limit 128, ramp 32: blocks of 32 with 31 keys on either side, then of 95 with 95."""
    pairs = scored_pairs(partial(AdaptiveSpanPattern, limit=128, ramp=32, start=start), length=2000)
    assert pairs < 2000 * most * 64


def test_the_span_is_read_only_where_that_pays_and_can_be_done(monkeypatch):
    """12 + 8 − 1 places from the parameter, or the most: in a compiled call, and where blocks would not pay anyhow."""
    pattern = AdaptiveSpanPattern(3, 2, limit=100, ramp=8, start=0.12)
    assert pattern.radius_for(queries=2000, past=0, causal=False) == 19
    assert pattern.radius_for(queries=20, past=0, causal=False) == 107
    with torch.no_grad():
        pattern.share.copy_(tensor([-0.3, -0.2]))
    assert pattern.radius_for(queries=2000, past=0, causal=False) == 7
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert pattern.radius_for(queries=2000, past=0, causal=False) == 107


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"limit": 0}, r"`limit` must be a whole number at least 1.* Found 0\."),
        ({"ramp": 0}, r"`ramp` must be a whole number at least 1.* Found 0\."),
        ({"start": 1.5}, r"`start` must be a number at least 0 and at most 1\. Found 1\.5\."),
        ({"penalty": -0.1}, r"`penalty` must be a number at least 0\. Found -0\.1\."),
    ],
)
def test_refuses_what_cannot_be(options, words):
    with pytest.raises(ValueError, match=words):
        AdaptiveSpanPattern(3, 1, **options)


def test_refuses_a_normaliser_of_positive_scores(attention_with):
    with pytest.raises(ValueError, match=r"This `pattern` lowers scores below zero\. Found SumNormaliser"):
        attention_with(6, score=KernelScore, normaliser=SumNormaliser, pattern=AdaptiveSpanPattern)


def test_far_places_are_hidden_with_finite_gradients(attention_with):
    attention = attention_with(6, pattern=partial(AdaptiveSpanPattern, limit=4, ramp=1, start=0.5))
    places = torch.randn(2, 5, 6, dtype=torch.float64, requires_grad=True)
    key_allow = tensor([[True] * 5, [True, False, False, False, False]])
    attention(places, key_allow=key_allow).context.square().sum().backward()
    assert places.grad.isfinite().all()
    assert math.isfinite(attention.pattern.share.grad.item())
