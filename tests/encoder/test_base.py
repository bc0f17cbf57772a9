from __future__ import annotations

import math
from functools import partial

import torch
from torch import tensor

from iamm.attention.single import SingleAttention
from iamm.encoder.base import Features, FeedForward, Pool, masked_mean, sinusoids
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.dot_product import DotProductScore

DotProductAttention = partial(SingleAttention, score=DotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser)

VALUES = tensor([[[1.0, 2.0], [3.0, 6.0], [90.0, 70.0]], [[5.0, 5.0], [7.0, 7.0], [9.0, 9.0]]])
ALLOW = tensor([[True, True, False], [False, False, False]])


def test_sinusoids_by_hand():
    expected = tensor(
        [
            [0.0, 1.0, 0.0, 1.0],
            [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)],
            [math.sin(2), math.cos(2), math.sin(0.02), math.cos(0.02)],
        ]
    )
    torch.testing.assert_close(sinusoids(3, 4), expected)


def test_sinusoids_go_on_from_a_later_start():
    torch.testing.assert_close(sinusoids(2, 6, start=11), sinusoids(13, 6)[11:], rtol=0, atol=0)


def test_feed_forward_by_hand():
    """W₁ x + b₁ = (3 − 1, −3 + 1) = (2, −2), relu (2, 0), W₂ = (4, 9)ᵀ, b₂ = 0.5: 8.5."""
    layer = FeedForward(1, 2, dropout=0.0)
    layer[0].weight.data, layer[0].bias.data = tensor([[3.0], [-3.0]]), tensor([-1.0, 1.0])
    layer[3].weight.data, layer[3].bias.data = tensor([[4.0, 9.0]]), tensor([0.5])
    torch.testing.assert_close(layer(tensor([[1.0]])), tensor([[8.5]]))


def test_mean_over_real_places_and_zero_without_any():
    features = Features(VALUES, ALLOW)
    torch.testing.assert_close(masked_mean(features), tensor([[2.0, 4.0], [0.0, 0.0]]))
    vector, weights = Pool(2, None)(features, need_weights=True)
    torch.testing.assert_close(vector, masked_mean(features))
    assert weights is None
    assert features.present.tolist() == [True, False]


def test_pool_by_hand():
    """query (ln 3, 0): scores of the real places are ln 3 · 1 and ln 3 · 3, weights 3 : 27 = 0.1 : 0.9."""
    pool = Pool(2, DotProductAttention)
    pool.query.data = tensor([[[math.log(3.0), 0.0]]])
    vector, weights = pool(Features(VALUES, ALLOW), need_weights=True)
    torch.testing.assert_close(weights, tensor([[[0.1, 0.9, 0.0]], [[0.0, 0.0, 0.0]]]))
    torch.testing.assert_close(vector, tensor([[2.8, 5.6], [0.0, 0.0]]))
    assert pool(Features(VALUES, ALLOW))[1] is None


def test_pool_learns_its_query():
    pool = Pool(2, DotProductAttention)
    pool(Features(VALUES, ALLOW))[0].sum().backward()
    assert pool.query.grad.abs().max() > 0
