from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from iamm.normaliser.top_k import TopKNormaliser


def test_by_hand():
    """k = 2: of all ln 3 and ln 9; ties go to the first places; with one in sight it has all."""
    scores = tensor([[math.log(3), math.log(9), 0.0, -1.0], [5.0, 7.0, 5.0, 5.0], [1.0, 2.0, 3.0, 4.0]])
    allow = tensor([[True] * 4, [False, True, True, True], [False, False, True, False]])
    lead = 1 / (1 + math.exp(-2))
    expected = tensor([[0.25, 0.75, 0.0, 0.0], [0.0, lead, 1 - lead, 0.0], [0.0, 0.0, 1.0, 0.0]])
    torch.testing.assert_close(TopKNormaliser(1, 1, k=2)(scores, allow), expected)


@pytest.mark.parametrize("k", [1, 3, 7, 11])
def test_agrees_with_a_loop(case, naive_weights, agree, k):
    scores, allow = case

    def top(seen):
        bar = sorted(seen, reverse=True)[:k][-1:]
        powers = [torch.exp(score) if score >= bar[0] else 0 * score for score in seen]
        return [power / sum(powers) for power in powers]

    agree(TopKNormaliser(4, 3, k=k)(scores, allow), naive_weights(top, scores, allow), [scores])


def test_equal_scores_leave_exactly_k():
    weights = TopKNormaliser(1, 1, k=5)(torch.zeros(3, 1009), None)
    torch.testing.assert_close(weights[:, :5], torch.full((3, 5), 0.2))
    assert (weights[:, 5:] == 0).all()


@pytest.mark.parametrize("k", [0, -3])
def test_refuses_none(k):
    with pytest.raises(ValueError, match=rf"`k` must be a whole number at least 1\. Found {k}\."):
        TopKNormaliser(1, 1, k=k)
