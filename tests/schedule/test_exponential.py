from __future__ import annotations

import pytest
import torch

from iamm.schedule.exponential import ExponentialSchedule


def test_by_hand():
    """final = 1/16 in 4 steps: halved at each, 1/16 reached at the end."""
    schedule = ExponentialSchedule(final=1 / 16)
    torch.testing.assert_close([schedule(step, 4) for step in range(5)], [1.0, 0.5, 0.25, 0.125, 0.0625])


def test_the_fall_begins_after_the_warmup():
    schedule = ExponentialSchedule(final=1 / 16, warmup=2)
    torch.testing.assert_close([schedule(step, 6) for step in range(7)], [0.5, 1.0, 1.0, 0.5, 0.25, 0.125, 0.0625])


@pytest.mark.parametrize("final", [0.0, -0.1, 1.1])
def test_refuses_final_out_of_range(final):
    with pytest.raises(ValueError, match=rf"`final` must be a number above 0 and at most 1\. Found {final}\."):
        ExponentialSchedule(final=final)
