from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from iamm.normaliser.threshold import ThresholdNormaliser


def test_by_hand():
    """Weights as 10 : 6 : 4 : 1; half of 10 leaves 10 and 6, half of 6 (10 hidden) leaves 6 and 4."""
    scores = tensor([[10.0, 6.0, 4.0, 1.0]]).log().expand(2, 4)
    allow = tensor([[True, True, True, True], [False, True, True, True]])
    expected = tensor([[0.625, 0.375, 0.0, 0.0], [0.0, 0.6, 0.4, 0.0]])
    torch.testing.assert_close(ThresholdNormaliser(1, 1, threshold=0.5)(scores, allow), expected)


@pytest.mark.parametrize("threshold", [1e-6, 0.1, 0.5, 1.0])
def test_agrees_with_a_loop(case, naive_weights, agree, threshold):
    """The definition itself: softmax, prune, divide anew."""
    scores, allow = case

    def pruned(seen):
        powers = [torch.exp(score) for score in seen]
        weights = [power / sum(powers) for power in powers]
        kept = [weight if weight >= threshold * max(weights) else 0 * weight for weight in weights]
        return [weight / sum(kept) for weight in kept]

    found = ThresholdNormaliser(4, 3, threshold=threshold)(scores, allow)
    agree(found, naive_weights(pruned, scores, allow), [scores])


def test_at_one_only_the_largest_are_left():
    found = ThresholdNormaliser(1, 1, threshold=1.0)(tensor([2.0, 1.0, 2.0, math.log(2)]), None)
    torch.testing.assert_close(found, tensor([0.5, 0.0, 0.5, 0.0]))


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.1])
def test_refuses_a_share_out_of_range(threshold):
    with pytest.raises(ValueError, match=rf"`threshold` must be a number above 0 and at most 1\. Found {threshold}\."):
        ThresholdNormaliser(1, 1, threshold=threshold)
