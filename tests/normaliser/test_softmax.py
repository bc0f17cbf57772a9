from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor

from iamm.normaliser.base import masked_softmax

INF, NAN = math.inf, math.nan


@st.composite
def scores_and_masks(draw):
    """Scores of any size up to the dtype's thousandth, and a mask of the same or of a broadcast shape."""
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    size = 10.0 ** draw(st.integers(-3, 4))
    scores = size * torch.randn(shape, generator=generator, dtype=dtype)
    mask_shape = [draw(st.sampled_from([1, length])) for length in shape]
    allow = torch.rand(mask_shape, generator=generator) < draw(st.floats(0, 1))
    return scores, allow


@settings(max_examples=150, deadline=None)
@given(scores_and_masks())
def test_masked_softmax(drawn):
    scores, allow = drawn
    scores.requires_grad_()
    weights = masked_softmax(scores, allow)
    everywhere = allow.expand_as(scores)
    assert weights.shape == scores.shape
    assert (weights >= 0).all()
    assert (weights[~everywhere] == 0).all()
    torch.testing.assert_close(weights.sum(-1), everywhere.any(-1).to(weights.dtype))
    rows = (tensor.reshape(-1, scores.shape[-1]) for tensor in (scores, everywhere, weights))
    for row, seen, found in zip(*rows, strict=True):
        torch.testing.assert_close(found[seen], torch.softmax(row[seen], dim=-1))
    weights.square().sum().backward()
    assert scores.grad.isfinite().all()
    assert (scores.grad[~everywhere] == 0).all()


def test_masked_softmax_by_hand():
    scores = tensor([[0.0, math.log(3), 50.0], [NAN, INF, 7.0], [1.0, 2.0, 3.0]])
    allow = tensor([[True, True, False], [False, False, True], [False, False, False]])
    expected = tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(masked_softmax(scores, allow), expected)


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_masked_softmax_has_no_nan_on_the_way_back():
    scores = torch.zeros(2, 3, requires_grad=True)
    with torch.autograd.detect_anomaly():
        masked_softmax(scores, tensor([[True, False, True], [False, False, False]]))[:, 0].sum().backward()
    torch.testing.assert_close(scores.grad, tensor([[0.25, 0.0, -0.25], [0.0, 0.0, 0.0]]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_masked_softmax_in_half_precision(dtype):
    allow = tensor([[True, False], [False, False]])
    found = masked_softmax(tensor([[1.0, 2.0], [3.0, 4.0]], dtype=dtype), allow)
    torch.testing.assert_close(found, tensor([[1.0, 0.0], [0.0, 0.0]], dtype=dtype))


def test_masked_softmax_without_keys():
    assert masked_softmax(torch.zeros(2, 3, 0), torch.zeros(3, 0, dtype=torch.bool)).shape == (2, 3, 0)
