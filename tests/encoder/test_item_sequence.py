from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import tensor

from iamm.attention.multi_head import MultiHeadAttention
from iamm.attention.ridge import RidgeAttention
from iamm.encoder.base import sinusoids
from iamm.encoder.item_sequence import ItemSequenceEncoder
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.scaled_dot_product import ScaledDotProductScore

HISTORY = tensor([[4, 6, 0, 0], [3, 5, 4, 6], [5, 0, 0, 0]])
CANDIDATE, LENGTHS = tensor([5, 4, 7]), [2, 4, 1]
HERE = torch.ones(3, dtype=torch.bool)
PARTS = {"score": ScaledDotProductScore, "pattern": FullPattern, "normaliser": SoftmaxNormaliser, "heads": 2}
FORMS = [(causal, candidate) for causal in (True, False) for candidate in (True, False)]


def made(text_scene, **keys) -> ItemSequenceEncoder:
    torch.manual_seed(0)
    attention = partial(MultiHeadAttention, **PARTS)
    return ItemSequenceEncoder(text_scene(4), 6, attention=attention, layers=2, **{"dropout": 0.0, **keys}).double()


def encoded(encoder, rows=slice(None)):
    return encoder({"history": HISTORY[rows], "candidate": CANDIDATE[rows]}, HERE[rows])


def naive(encoder, row: int, candidate: bool, causal: bool) -> torch.Tensor:
    """One example without padding: its items and their positions through the layers, written out."""
    items = HISTORY[row, : LENGTHS[row]].tolist() + [CANDIDATE[row].item()] * candidate
    table = encoder.embedding.weight
    positions = sinusoids(len(items), 6).flip(0)  # the last item has position 0
    x = torch.stack([6**0.5 * table[item] for item in items]) + positions
    mask = torch.ones(len(items), len(items), dtype=torch.bool)
    mask = mask.tril() if causal else mask
    for layer in encoder.layers:
        normed = layer.norms[0](x)
        x = x + layer.attention(normed[None], allow=mask).context[0]
        x = x + layer.feed_forward(layer.norms[1](x))
    return encoder.norm(x)


def test_a_hidden_candidate_changes_nothing_that_is_passed_on(text_scene):
    shown, hidden = (made(text_scene, passes_candidate=passes) for passes in (True, False))
    values, allow = encoded(hidden)
    expected, real = encoded(shown)
    assert not allow[:, 0].any()
    assert (values[:, 0] == 0).all()
    torch.testing.assert_close(values[:, 1:], expected[:, 1:])
    assert torch.equal(allow[:, 1:], real[:, 1:])
    with pytest.raises(ValueError, match=r"hidden takes no part .* Found candidate=True, passes_candidate=False"):
        made(text_scene, candidate=True, passes_candidate=False)


@pytest.mark.parametrize(("causal", "candidate"), FORMS)
def test_each_form_equals_the_layers_of_one_example(text_scene, causal, candidate):
    encoder = made(text_scene, causal=causal, candidate=candidate, latest=False)
    values, allow = encoded(encoder)
    for row, length in enumerate(LENGTHS):
        expected = naive(encoder, row, candidate, causal)
        first = expected[-1] if candidate else 6**0.5 * encoder.embedding.weight[CANDIDATE[row]]
        torch.testing.assert_close(values[row, 0], first)
        torch.testing.assert_close(values[row, 1 : 1 + length], expected[:length])
        assert allow[row].tolist() == [True] * (1 + length) + [False] * (4 - length)
        assert (values[row, 1 + length :] == 0).all()


@pytest.mark.parametrize(("causal", "candidate"), FORMS)
def test_the_latest_place_alone_is_passed_on(text_scene, causal, candidate):
    keys = {"causal": causal, "candidate": candidate}
    every, latest = (encoded(made(text_scene, latest=latest, **keys)) for latest in (False, True))
    for row, length in enumerate(LENGTHS):
        assert latest.allow[row].tolist() == [place in (0, length) for place in range(5)]
        torch.testing.assert_close(latest.values[row, [0, length]], every.values[row, [0, length]])


def test_an_empty_history_leaves_the_candidate(text_scene):
    encoder = made(text_scene)
    values, allow = encoder({"history": torch.zeros(1, 4, dtype=torch.int64), "candidate": tensor([4])}, HERE[:1])
    assert allow.tolist() == [[True, False, False, False, False]]
    assert values.isfinite().all()


@pytest.mark.parametrize(("causal", "candidate"), FORMS)
def test_the_attention_map_has_the_candidate_in_front(text_scene, causal, candidate):
    encoder = made(text_scene, causal=causal, candidate=candidate)
    layers = encoder.attention_map({"history": HISTORY, "candidate": CANDIDATE}, HERE)
    assert [weights.shape for weights in layers] == [(3, 2, 5, 5)] * 2
    for weights in layers:
        sums = weights[1].sum(dim=-1)
        torch.testing.assert_close(sums[:, 1:], torch.ones(2, 4, dtype=torch.float64))
        torch.testing.assert_close(sums[:, 0], torch.full((2,), float(candidate), dtype=torch.float64))
        assert bool((weights[1, :, 1:, 0] > 0).any()) == (candidate and not causal)  # who reads the candidate
        assert bool((weights[1, :, 1, 2:] > 0).any()) == (not causal)  # what the oldest item reads


def test_refuses_an_attention_that_cannot_be_causal(text_scene):
    with pytest.raises(ValueError, match=r"must be causal with causal=true\. Found one that cannot: all queries share"):
        ItemSequenceEncoder(text_scene(4), 6, attention=RidgeAttention)
    assert not ItemSequenceEncoder(text_scene(4), 6, attention=RidgeAttention, causal=False).causal
