from __future__ import annotations

import torch

from iamm.schedule.constant import ConstantSchedule


def test_by_hand():
    assert [ConstantSchedule()(step, 5) for step in range(7)] == [1.0] * 7
    found = [ConstantSchedule(warmup=3)(step, 5) for step in range(5)]
    torch.testing.assert_close(found, [1 / 3, 2 / 3, 1.0, 1.0, 1.0])
