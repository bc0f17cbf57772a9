from __future__ import annotations

import math

import torch
from torch import tensor

from iamm.normaliser.sigmoid import SigmoidNormaliser


def test_by_hand():
    """σ(ln a − ln n) = a/(a + n): of n = 3 in sight 1/(1 + 3), 6/(6 + 3) and 9/(9 + 3); alone 3/(3 + 1)."""
    scores = tensor([[0.0, math.log(6), math.log(9), 50.0], [50.0, math.log(3), 50.0, 50.0]])
    allow = tensor([[True, True, True, False], [False, True, False, False]])
    expected = tensor([[1 / 4, 2 / 3, 3 / 4, 0.0], [0.0, 3 / 4, 0.0, 0.0]])
    torch.testing.assert_close(SigmoidNormaliser(1, 1)(scores, allow), expected)


def test_agrees_with_a_loop(case, naive_weights, agree):
    scores, allow = case

    def sigmoid(seen):
        return [1 / (1 + len(seen) * torch.exp(-score)) for score in seen]

    agree(SigmoidNormaliser(4, 3)(scores, allow), naive_weights(sigmoid, scores, allow), [scores])
