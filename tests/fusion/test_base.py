from __future__ import annotations

import math

import torch
from torch import tensor

from iamm.fusion.base import SceneMemory


def test_reading_a_memory_by_hand():
    """D = 4, √D = 2; query (2 ln 3, 0, 0, 0): slots e₁ and e₂ score ln 3 and 0, weights 0.75 and 0.25."""
    memory = SceneMemory(2, 2, 4)
    one, two, three, four = torch.eye(4)
    memory.slots.data = torch.stack((torch.stack((one, two)), torch.stack((three, four))))
    read = memory.read(tensor([[2 * math.log(3.0), 0.0, 0.0, 0.0]]))
    torch.testing.assert_close(read, tensor([[[0.75, 0.25, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]]))
