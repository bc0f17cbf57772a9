from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from iamm.attention.ridge import RidgeAttention

REAL = tensor([[True] * 5, [True, True, False, True, False]])


def cosine(x, y):
    return x @ y / (x.norm() * y.norm())


def naive(query, key, value, allow, ridge):
    """One query at a time: the values are regressed on the allowed keys by an inverse."""
    rows = []
    for b in range(len(query)):
        seen = [k for k in range(key.shape[1]) if allow[b, k]]
        kernel = torch.stack([torch.stack([cosine(key[b, j], key[b, k]) for k in seen]) for j in seen])
        inverse = torch.linalg.inv(kernel + ridge * torch.eye(len(seen), dtype=kernel.dtype))
        for q in query[b]:
            rows.append(torch.stack([cosine(q, key[b, k]) for k in seen]) @ inverse @ value[b, seen])
    return torch.stack(rows).unflatten(0, query.shape[:2])


def test_by_hand():
    """λ = 1: one key that equals the query has 1 / (1 + 1); two of them share 2 / (2 + 1); one across is not read."""
    attention = RidgeAttention(2)
    query, key = tensor([[[3.0, 0.0]]]), tensor([[[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]])
    one = attention(query, key, key_allow=tensor([[True, False, True]]), need_weights=True).weights
    torch.testing.assert_close(one, tensor([[[[1 / 2, 0.0, 0.0]]]]))
    both = attention(query, key, need_weights=True).weights
    torch.testing.assert_close(both, tensor([[[[1 / 3, 1 / 3, 0.0]]]]))


def test_without_ridge_a_query_reads_the_value_of_its_key(case):
    _, key, value, _ = case
    attention = RidgeAttention(6, ridge=1e-9).double()
    torch.testing.assert_close(attention(key, key, value).context, value, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("remembered", [False, True])
def test_agrees_with_a_loop(case, agree, remembered):
    query, key, value, _ = case
    attention = RidgeAttention(6, ridge=0.3).double()
    leaves = [query, key, value, attention.theta]
    if remembered:
        memory = {"state": attention.remember(key, value, key_allow=REAL)}
    else:
        memory = {"key": key, "value": value, "key_allow": REAL}
    agree(attention(query, **memory).context, naive(query, key, value, REAL, attention.theta.exp()), leaves)


def test_it_is_scikit_learns_kernel_ridge(case):
    from sklearn.kernel_ridge import KernelRidge

    query, key, value = (each.detach() for each in case[:3])
    context = RidgeAttention(6, ridge=0.7).double()(query, key, value).context
    for b in range(2):
        fitted = KernelRidge(alpha=0.7, kernel="cosine").fit(key[b].numpy(), value[b].numpy())
        torch.testing.assert_close(context[b], torch.from_numpy(fitted.predict(query[b].numpy())))


def test_a_key_of_zeros_is_not_read(case):
    query, key, value = (each.detach() for each in case[:3])
    spoilt = key.clone()
    spoilt[:, 2] = 0
    allow = torch.arange(5).expand(2, 5) != 2
    attention = RidgeAttention(6).double()
    torch.testing.assert_close(
        attention(query, spoilt, value).context, attention(query, key, value, key_allow=allow).context
    )


def test_the_ridge_is_a_positive_number_that_is_learnt():
    assert RidgeAttention(2, ridge=2.0).theta.item() == pytest.approx(math.log(2))
    with pytest.raises(ValueError, match=r"^`ridge` must be a number above 0\. Found 0\."):
        RidgeAttention(2, ridge=0)
    with pytest.raises(ValueError, match="takes neither `causal` nor `allow` nor `bias`: all queries share one"):
        RidgeAttention(2)(torch.zeros(1, 3, 2), causal=True)
