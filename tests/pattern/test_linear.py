from __future__ import annotations

import math

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, tensor

from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.normaliser.sum import SumNormaliser
from iamm.pattern.base import Sight
from iamm.pattern.linear import LinearPattern
from iamm.score.kernel import KernelScore
from iamm.score.scaled_dot_product import ScaledDotProductScore

PARTS = {"score": KernelScore, "normaliser": SumNormaliser}


@pytest.fixture
def attention(attention_with):
    return attention_with(3, pattern=LinearPattern, **PARTS)


def test_agrees_with_a_mask_over_all_pairs(same_as_masked):
    """Up to 220 places: some chunks, the last of them short."""
    same_as_masked(
        lambda _: LinearPattern,
        lambda _: lambda pattern, own, place: (torch.ones(len(own), len(place), dtype=torch.bool), None),
        st.none(),
        **PARTS,
    )


@pytest.mark.parametrize("causal", [False, True])
def test_agrees_with_a_loop(attention, agree, causal):
    """φ(x) = elu(x) + 1; nine places of width 3 are enough for sums to be taken first."""
    places = torch.randn(2, 9, 3, dtype=torch.float64, requires_grad=True)
    key_allow = torch.ones(2, 9, dtype=torch.bool)
    key_allow[1, [0, 1, 5]] = False

    def phi(x):
        return torch.where(x > 0, x + 1, torch.exp(x))

    rows = []
    for b in range(2):
        for q in range(9):
            seen = [k for k in range(q + 1 if causal else 9) if key_allow[b, k]]
            scores = [phi(places[b, q]) @ phi(places[b, k]) for k in seen]
            terms = [score / sum(scores) * places[b, k] for score, k in zip(scores, seen, strict=True)]
            rows.append(sum(terms, start=torch.zeros(3, dtype=torch.float64)))
    expected = torch.stack(rows).view(2, 9, 3)
    real = key_allow.unsqueeze(-1)  # padded queries are cleared, and nobody's business
    agree(attention(places, key_allow=key_allow, causal=causal).context * real, expected * real, [places])


def test_by_hand(attention_with):
    """φ(0) = 1 and φ(2) = 3: the keys 0, 2, 2 and 0 have weights 1, 3, 3, 1 over their sum, whatever the query.

    Values 0, 1, 2, 3: 0; 3/4; 9/7; 12/8 for the places before the first … fourth key.
    """
    key, value = tensor([0.0, 2.0, 2.0, 0.0]).view(1, 4, 1), tensor([0.0, 1.0, 2.0, 3.0]).view(1, 4, 1)
    attention = attention_with(1, pattern=LinearPattern, **PARTS).float()
    found = attention(key, value=value, causal=True).context
    torch.testing.assert_close(found.flatten(), tensor([0.0, 3 / 4, 9 / 7, 12 / 8]))
    torch.testing.assert_close(attention(key, value=value).context.flatten(), tensor([1.5] * 4))


@pytest.mark.parametrize("causal", [False, True])
def test_no_pair_is_scored_in_a_long_sequence(scored_pairs, causal):
    assert scored_pairs(LinearPattern, length=2000, causal=causal) == 0


def test_a_single_query_scores_its_pairs(scored_pairs):
    """One of them costs E, the sum over keys E² for each key."""
    assert scored_pairs(LinearPattern, length=1, past=2000, causal=True) == 2001


@pytest.mark.parametrize("causal", [False, True])
def test_sums_keep_their_digits_in_half_precision(attention_with, causal):
    """Thousands of bf16 numbers, summed in bf16, would stop growing at a few hundred."""
    torch.manual_seed(0)
    attention = attention_with(4, pattern=LinearPattern, **PARTS).float()
    places = torch.rand(1, 4001, 4).bfloat16().float() + 1
    expected = attention(places.double(), causal=causal).context
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = attention(places, causal=causal).context
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    halved = attention(places.bfloat16(), causal=causal).context
    assert halved.dtype == torch.bfloat16
    exact = attention(places.bfloat16().double(), causal=causal).context
    torch.testing.assert_close(halved.double(), exact, rtol=8e-3, atol=0)


@pytest.mark.parametrize("causal", [False, True])
def test_equal_features_far_below_zero_have_equal_weights(attention_with, causal):
    """e^x of −1000 is 0 even in float64, and its shares are not."""
    places = torch.full((1, 20, 3), -1000.0, dtype=torch.float64, requires_grad=True)
    found = attention_with(3, pattern=LinearPattern, **PARTS)(places, causal=causal).context
    torch.testing.assert_close(found, places)
    found.sum().backward()
    torch.testing.assert_close(places.grad.sum(), torch.tensor(60.0, dtype=torch.float64))


@pytest.mark.parametrize(
    ("score", "normaliser"), [(ScaledDotProductScore, SoftmaxNormaliser), (KernelScore, SoftmaxNormaliser)]
)
def test_refuses_other_parts(attention_with, score, normaliser):
    words = rf"A linear `pattern` needs .* Found {score.__name__} and SoftmaxNormaliser: choose score=kernel"
    with pytest.raises(ValueError, match=words):
        attention_with(6, pattern=LinearPattern, score=score, normaliser=normaliser)


def test_refuses_dropout(attention_with):
    words = r"This pattern takes no `dropout`: it never forms the weights .*\. Set its dropout=0\."
    with pytest.raises(ValueError, match=words):
        attention_with(6, pattern=LinearPattern, dropout=0.1, **PARTS)


def exact(query: Tensor, key: Tensor, value: Tensor, allow: Tensor) -> Tensor:
    """softmax(ln φ(q)ᵀφ(k)), whose logarithms know no underflow."""
    left, right = (x.clamp(max=0.0) + torch.relu(x).log1p() for x in (query.unsqueeze(-2), key.unsqueeze(-3)))
    scores = torch.logsumexp(left + right, dim=-1).masked_fill(~allow, -math.inf)
    return torch.softmax(scores, dim=-1) @ value


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("places", [3, 40])
@pytest.mark.parametrize(
    ("queries", "keys", "size"),
    [(0, 0, 1), (-86, 0, 1), (0, -86, 1), (-100, -100, 1), (0, -1e4, 1), (-1e4, -1e4, 1), (0, 0, 300)],
)
def test_features_of_any_size(queries, keys, size, places, causal):
    """float32 against logarithms in float64, contexts and gradients; the last five keys of one example are padding."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 1, places + 5, 5, generator=generator) for _ in range(3))
    key_allow = torch.ones(2, places + 5, dtype=torch.bool)
    key_allow[1, places:] = False
    value = value.masked_fill(~key_allow[:, None, :, None], 0.0)
    score, pattern, normaliser = KernelScore(5, 1), LinearPattern(5, 1), SumNormaliser(5, 1)

    def attend(query, key, value, *, allow=None, bias=None, distance=None, need_weights=False):
        weights = normaliser(score(query, key), allow)
        return weights @ value, weights

    query, key = (size * query + queries).requires_grad_(), (size * key + keys).requires_grad_()
    sight = Sight(start=0, key_allow=key_allow, causal=causal)
    context, _ = pattern(attend, score.query(query), score.key(key), value, sight)
    wide = [x.detach().double().requires_grad_() for x in (query, key)]
    square = torch.ones(places + 5, places + 5, dtype=torch.bool)
    expected = exact(*wide, value.double(), key_allow[:, None, None] & (square.tril() if causal else square))
    torch.testing.assert_close(context.double(), expected, atol=5e-7, rtol=0)
    probe = torch.linspace(-1, 1, context.numel()).view_as(context)
    slopes = torch.autograd.grad((context * probe).sum(), [query, key])
    steep = torch.autograd.grad((expected * probe).sum(), wide)
    for found, wanted in zip(slopes, steep, strict=True):
        torch.testing.assert_close(found.double(), wanted, atol=5e-7 * max(1.0, wanted.abs().max().item()), rtol=0)
