from __future__ import annotations

import torch

from iamm.schedule.inverse_square_root import InverseSquareRootSchedule


def test_by_hand():
    """warmup = 4: up to 4/4 at n = 4, then √(4/n): 2/3 at n = 9, 1/2 at n = 16."""
    schedule = InverseSquareRootSchedule(warmup=4)
    found = [schedule(n - 1, 100) for n in (1, 2, 3, 4, 9, 16)]
    torch.testing.assert_close(found, [0.25, 0.5, 0.75, 1.0, 2 / 3, 0.5])
    torch.testing.assert_close([InverseSquareRootSchedule()(n - 1, 100) for n in (1, 4, 25)], [1.0, 0.5, 0.2])


def test_has_the_form_of_the_paper():
    """lr = D^−½ · min(n^−½, n · warmup^−3/2), divided by its peak (D · warmup)^−½."""
    schedule = InverseSquareRootSchedule(warmup=7)
    for n in range(1, 50):
        paper = min(n**-0.5, n * 7**-1.5)
        torch.testing.assert_close(schedule(n - 1, 50), paper / 7**-0.5)
