from __future__ import annotations

import torch
from torch import tensor

from iamm.pattern.base import Sight
from iamm.pattern.full import FullPattern


def asked(sight: Sight, queries: int, keys: int) -> dict:
    """What the pattern asks `attend` for."""
    seen = {}

    def attend(query, key, value, **words):
        seen.update(words, blocks=seen.get("blocks", 0) + 1)
        return query, None

    shape = (2, 1, queries, 3), (2, 1, keys, 3), (2, 1, keys, 3)
    FullPattern(3, 1)(attend, *(torch.zeros(s) for s in shape), sight)
    return seen


def test_one_block_without_a_mask():
    found = asked(Sight(), 5, 7)
    assert found == {"allow": None, "bias": None, "distance": None, "need_weights": False, "blocks": 1}


def test_causal_by_hand():
    """Two queries behind a past of one: the first sees places 0 and 1, the second all three."""
    found = asked(Sight(start=1, causal=True, positional=True), 2, 3)
    torch.testing.assert_close(found["allow"], tensor([[True, True, False], [True, True, True]]))
    torch.testing.assert_close(found["distance"], tensor([[-1, 0, 1], [-2, -1, 0]]))


def test_masks_are_joined():
    key_allow = tensor([[True, False, True], [True, True, True]])
    allow = tensor([[True, True, False]] * 2)
    found = asked(Sight(key_allow=key_allow, allow=allow, positional=True), 2, 3)
    expected = tensor([[[[True, False, False]] * 2], [[[True, True, False]] * 2]])
    torch.testing.assert_close(found["allow"], expected)
    assert found["distance"] is None  # a memory apart
