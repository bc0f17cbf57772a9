from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from iamm.score.dot_product import DotProductScore

ZERO = torch.zeros(1, 1, 1, dtype=torch.float64)


def test_masks_are_combined(attention_with):
    """Of three equal keys `key_allow` hides the first, causality the later, `allow` the second from the last query."""
    attention = attention_with(1, score=DotProductScore)
    allow = tensor([[True, True, True], [True, True, True], [True, False, True]])
    found = attention(
        torch.zeros(1, 3, 1, dtype=torch.float64),
        allow=allow,
        key_allow=tensor([[False, True, True]]),
        causal=True,
        need_weights=True,
    )
    torch.testing.assert_close(
        found.weights[0, 0], tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).double()
    )


def test_bias_is_added_to_the_scores(attention_with):
    found = attention_with(1, score=DotProductScore)(
        torch.zeros(1, 1, 1).double(),
        torch.ones(1, 2, 1).double(),
        bias=tensor([[math.log(3), 0.0]]),
        need_weights=True,
    )
    torch.testing.assert_close(found.weights, tensor([[[[0.75, 0.25]]]], dtype=torch.float64))


@pytest.mark.parametrize("dropout", [-0.1, 1.0, 1.5])
def test_refuses_dropout_out_of_range(dropout, attention_with):
    with pytest.raises(ValueError, match=rf"`dropout` must be a number at least 0 and below 1\. Found {dropout}\."):
        attention_with(3, dropout=dropout)
