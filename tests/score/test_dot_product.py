from __future__ import annotations

import torch
from torch import tensor

from iamm.score.dot_product import DotProductScore


def test_the_worked_example_of_the_documents(attention_with):
    """D0 §4.6 with its right values: qᵀx = 3 and 7; w = 1/(1+e⁴), 1/(1+e⁻⁴); h = x₁ + 4·w₂."""
    query = tensor([[[0.1, 0.2, 0.3, 0.4]]], dtype=torch.float64)
    scenes = tensor([[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]], dtype=torch.float64)
    attention = attention_with(4, score=DotProductScore)
    scores = attention.score(attention.score.query(attention.project_query(query)), attention.project_key(scenes))
    torch.testing.assert_close(scores, tensor([[[[3.0, 7.0]]]], dtype=torch.float64))
    context, weights, _ = attention(query, scenes, need_weights=True)
    torch.testing.assert_close(weights, tensor([[[[0.018, 0.982]]]], dtype=torch.float64), atol=5e-4, rtol=0)
    expected = tensor([[[4.928, 5.928, 6.928, 7.928]]], dtype=torch.float64)
    torch.testing.assert_close(context, expected, atol=5e-4, rtol=0)


def test_gradient_of_the_query_is_that_of_the_softmax(attention_with):
    """D0 §4.5 put right: ∂L/∂q = Σ_i w_i (x_i − h) (g · x_i) for ∂L/∂h = g."""
    query = tensor([[[0.1, 0.2, 0.3, 0.4]]], dtype=torch.float64, requires_grad=True)
    scenes = tensor([[[1.0, 2.0, 0.0, 1.0], [0.0, 1.0, 1.0, -1.0]]], dtype=torch.float64)
    slope = tensor([1.0, -2.0, 3.0, 0.5], dtype=torch.float64)
    context, weights, _ = attention_with(4, score=DotProductScore)(query, scenes, need_weights=True)
    (context @ slope).sum().backward()
    terms = [weights[0, 0, 0, i] * (scenes[0, i] - context[0, 0]) * (slope @ scenes[0, i]) for i in range(2)]
    torch.testing.assert_close(query.grad[0, 0], sum(terms).detach())


def test_agrees_with_a_loop(case, naive_attention, agree, attention_with):
    query, key, value, allow = case
    found = attention_with(6, score=DotProductScore)(query, key, value, allow=allow.unsqueeze(1)).context
    expected = naive_attention(lambda q, k: q @ k, query, key, value, allow)
    agree(found, expected, [query, key, value])
