from __future__ import annotations

import math

import torch
from torch import tensor
from torch.nn import functional

from iamm.normaliser.sum import SumNormaliser
from iamm.score.kernel import KernelScore, log_features


def test_by_hand():
    """φ(2) = 3, φ(0) = 1, φ(−ln 4) = 1/4: s = 3·1/4 + 1·3 = 3.75; weights against s = 3·1 + 1·1 = 4."""
    score = KernelScore(2, 1)
    query = score.query(tensor([[[[2.0, 0.0]]]]))
    key = score.key(tensor([[[[-math.log(4), 2.0], [0.0, 0.0]]]]))
    torch.testing.assert_close(score(query, key), tensor([[[[3.75, 4.0]]]]))


def test_a_query_far_below_zero_by_hand():
    """φ(q) = e⁻²⁰⁰·(1/2, 1) becomes (1/2, 1); against φ(k) = (3, 1) and (1/4, 1): 2.5 and 1.125."""
    score = KernelScore(2, 1)
    query = score.query(tensor([[[[-200.0 - math.log(2), -200.0]]]]))
    key = score.key(tensor([[[[2.0, 0.0], [-math.log(4), 0.0]]]]))
    torch.testing.assert_close(score(query, key), tensor([[[[2.5, 1.125]]]]), atol=0, rtol=2e-5)


def test_agrees_with_a_loop(case, agree, attention_with):
    query, key, value, allow = case
    found = attention_with(6, score=KernelScore, normaliser=SumNormaliser)(query, key, value, allow=allow[:, None])
    rows = []
    for b in range(2):
        for q in range(3):
            seen = [k for k in range(5) if allow[b, q, k]]
            scores = [(functional.elu(query[b, q]) + 1) @ (functional.elu(key[b, k]) + 1) for k in seen]
            terms = [score / sum(scores) * value[b, k] for score, k in zip(scores, seen, strict=True)]
            rows.append(sum(terms, start=torch.zeros_like(value[b, 0])))
    agree(found.context, torch.stack(rows).view(2, 3, 6), [query, key, value])


def test_features_are_exact_far_below_zero():
    """elu(x) + 1 as it is written rounds e⁻⁵⁰ away, and φ(−10⁴) is no float."""
    x = tensor([-1e4, -50.0, 0.0, 50.0], requires_grad=True)
    logs = log_features(x)
    torch.testing.assert_close(logs, tensor([-1e4, -50.0, 0.0, math.log(51.0)]), atol=0, rtol=1e-6)
    logs.sum().backward()
    torch.testing.assert_close(x.grad, tensor([1.0, 1.0, 1.0, 1 / 51]), atol=0, rtol=1e-6)
