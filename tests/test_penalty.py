from __future__ import annotations

import torch

from iamm.penalty import summed


def test_what_has_one_name_is_summed():
    a, b, c = (torch.tensor(value) for value in (1.0, 2.5, 4.0))
    assert summed(({"span": a}, {}, {"load": c, "span": b})) == {"span": 3.5, "load": 4.0}
