from __future__ import annotations

import math

import torch
from torch import tensor

from iamm.fusion.base import SceneMemory


def test_reading_a_memory_by_hand():
    """D = 4, √D = 2; query (2 ln 3, 0, 0, 0): slots e₁ and e₂ score ln 3 and 0, weights 0.75 and 0.25."""
    memory = SceneMemory(("a", "b"), 2, 4)
    one, two, three, four = torch.eye(4)
    memory.load_state_dict({"slots.a": torch.stack((one, two)), "slots.b": torch.stack((three, four))})
    read = memory.read(tensor([[2 * math.log(3.0), 0.0, 0.0, 0.0]]))
    torch.testing.assert_close(read, tensor([[[0.75, 0.25, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]]))


def test_a_memory_begins_with_the_same_numbers_as_one_draw():
    torch.manual_seed(5)
    memory = SceneMemory(("a", "b"), 3, 5)
    torch.manual_seed(5)
    torch.testing.assert_close(memory.all_slots(), torch.randn(2, 3, 5) / math.sqrt(5), rtol=0, atol=0)
    assert memory.slots["b"].grad_fn is None
    assert memory.slots["b"].is_leaf
