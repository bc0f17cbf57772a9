from __future__ import annotations

import pytest
import torch
from torch import nn

from iamm.schedule.cosine import CosineSchedule


def test_by_hand():
    """In 6 steps cos πp = 1, √3/2, 1/2, 0, −1/2, −√3/2 and −1 at the end."""
    half = 3**0.5 / 2
    expected = [(1 + cosine) / 2 for cosine in (1, half, 0.5, 0, -0.5, -half, -1)]
    torch.testing.assert_close([CosineSchedule()(step, 6) for step in range(7)], expected)
    torch.testing.assert_close([CosineSchedule(final=0.2)(step, 6) for step in (0, 3, 6)], [1.0, 0.6, 0.2])


def test_the_fall_begins_after_the_warmup():
    schedule = CosineSchedule(warmup=2)
    torch.testing.assert_close([schedule(step, 6) for step in (0, 1, 2, 4, 6)], [0.5, 1.0, 1.0, 0.5, 0.0])


def test_agrees_with_torch():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=3.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=13, eta_min=0.6)
    for step in range(13):
        torch.testing.assert_close(3.0 * CosineSchedule(final=0.2)(step, 13), theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("final", [-0.1, 1.1])
def test_refuses_final_out_of_range(final):
    with pytest.raises(ValueError, match=rf"`final` must be a number at least 0 and at most 1\. Found {final}\."):
        CosineSchedule(final=final)
