from __future__ import annotations

import pytest
import torch

from iamm.schedule.step import StepSchedule


def test_by_hand():
    """Of 10 steps the milestones 0.25 and 0.6 stand at 2.5 and 6: steps 0-2, 3-5 and 6-9; γ = 0.5."""
    schedule = StepSchedule(milestones=[0.25, 0.6], gamma=0.5)
    found = [schedule(step, 10) for step in range(10)]
    torch.testing.assert_close(found, [1.0] * 3 + [0.5] * 3 + [0.25] * 4)


def test_warmup_multiplies():
    """γ = 0.5 from step 2 on, warm-up of 4: 1/4, 2/4, 3/4 · 0.5, 4/4 · 0.5."""
    schedule = StepSchedule(milestones=[0.5], gamma=0.5, warmup=4)
    torch.testing.assert_close([schedule(step, 4) for step in range(4)], [0.25, 0.5, 0.375, 0.5])


@pytest.mark.parametrize("gamma", [0.0, -0.1, 1.1])
def test_refuses_gamma_out_of_range(gamma):
    with pytest.raises(ValueError, match=rf"`gamma` must be a number above 0 and at most 1\. Found {gamma}\."):
        StepSchedule(gamma=gamma)


@pytest.mark.parametrize("milestones", [[0.5, 1.5], [-0.1], [30]])
def test_refuses_milestones_out_of_range(milestones):
    with pytest.raises(ValueError, match=r"`milestones` must be a list, .* at least 0 and at most 1\. Found [\[(]"):
        StepSchedule(milestones=milestones)
