from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import tensor

from iamm.attention.channelwise import ChannelwiseAttention
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.normaliser.top_k import TopKNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.dot_product import DotProductScore

PARTS = {"score": DotProductScore, "pattern": FullPattern, "normaliser": SoftmaxNormaliser}


def test_by_hand():
    """Channel 0 has scores 1 · (ln 3, 0), weights 3/4 and 1/4; channel 1, of query 1, 2 · (0, ln 2), 1/5 and 4/5."""
    attention = ChannelwiseAttention(2, sharpness=1.0, **PARTS)
    key, value = tensor([[[math.log(3), 0.0], [0.0, math.log(2)]]]), tensor([[[4.0, 10.0], [-8.0, 5.0]]])
    context, weights, _ = attention(tensor([[[0.0, 1.0]]]), key, value, need_weights=True)
    torch.testing.assert_close(weights, tensor([[[[0.75, 0.25]], [[0.2, 0.8]]]]))
    torch.testing.assert_close(context, tensor([[[1.0, 6.0]]]))


def test_agrees_with_a_loop(agree):
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 3, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    key = torch.randn(2, 7, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    found = ChannelwiseAttention(5, **PARTS).double()(query, key).context
    expected = torch.empty_like(query)
    for b in range(2):
        for q in range(3):
            for c in range(5):
                weights = torch.stack([torch.exp((4.0 + query[b, q, c]) * x) for x in key[b, :, c]])
                expected[b, q, c] = (weights * key[b, :, c]).sum() / weights.sum()
    agree(found, expected, [query, key])


@pytest.mark.parametrize(
    ("changes", "pooled"),
    [
        ({"sharpness": 0.0}, lambda places: places.mean(dim=1)),
        ({"sharpness": 1e4}, lambda places: places.amax(dim=1)),
        ({"normaliser": partial(TopKNormaliser, k=1)}, lambda places: places.amax(dim=1)),
    ],
)
def test_lies_between_the_mean_and_the_maximum(changes, pooled):
    places = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(0))
    attention = ChannelwiseAttention(5, **{**PARTS, **changes})
    torch.testing.assert_close(attention(torch.zeros(3, 1, 5), places).context[:, 0], pooled(places))


def test_refuses_a_negative_sharpness():
    with pytest.raises(ValueError, match=r"`sharpness` must be .* Found -1"):
        ChannelwiseAttention(5, sharpness=-1.0, **PARTS)
