from __future__ import annotations

import torch
from torch import tensor

from iamm.pattern.base import Sight


def test_narrowed_joins_what_is_given():
    allow, near = tensor([[True, True, False]]), tensor([[True, False, False], [True, True, True]])
    bias, more = tensor([[1.0, 2.0, 3.0]]), tensor([[0.5], [0.25]])
    found = Sight(start=1, allow=allow, bias=bias, causal=True).narrowed(near, more)
    torch.testing.assert_close(found.allow, tensor([[True, False, False], [True, True, False]]))
    torch.testing.assert_close(found.bias, tensor([[1.5, 2.5, 3.5], [1.25, 2.25, 3.25]]))
    assert (found.start, found.causal) == (1, True)
    plain = Sight(start=1).narrowed(None)
    assert (plain.allow, plain.bias) == (None, None)
    assert Sight().narrowed(near, more) == Sight(allow=near, bias=more)


def test_since_cuts_keys_and_keeps_what_stands_for_all_of_them():
    """Two queries at the places 3 and 4 of five; the first two keys are cut off."""
    key_allow = tensor([[True, False, True, False, True]])
    by_query, by_pair = tensor([[True], [False]]), torch.arange(10.0).view(2, 5)
    found = Sight(start=3, key_allow=key_allow, allow=by_query, bias=by_pair, positional=True).since(2)
    assert (found.start, found.positional) == (1, True)
    assert found.allow is by_query
    torch.testing.assert_close(found.key_allow, tensor([[True, False, True]]))
    torch.testing.assert_close(found.bias, tensor([[2.0, 3, 4], [7, 8, 9]]))
    queries, keys = torch.zeros(1, 1, 2, 1), torch.zeros(1, 1, 3, 1)
    torch.testing.assert_close(found.apart(queries, keys), tensor([[-1, 0, 1], [-2, -1, 0]]))
