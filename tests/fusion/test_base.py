from __future__ import annotations

import math

import torch

from iamm.fusion.base import SceneMemory


def test_a_memory_begins_with_the_same_numbers_as_one_draw():
    torch.manual_seed(5)
    memory = SceneMemory(("a", "b"), 3, 5)
    torch.manual_seed(5)
    torch.testing.assert_close(memory.all_slots(), torch.randn(2, 3, 5) / math.sqrt(5), rtol=0, atol=0)
    assert memory.slots["b"].grad_fn is None
    assert memory.slots["b"].is_leaf
