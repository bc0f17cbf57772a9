from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import tensor

from iamm.dataset.base import Split
from iamm.encoder.click_rates import ClickRatesEncoder


def logit(share: float) -> float:
    return math.log(share / (1 - share))


def test_by_hand(text_scene):
    """Four examples, two clicks: r = 3/6. Item 4 has 2 of 3, item 5 none of 1; user 0 2 of 2, user 1 none of 2; the
    fifth example is absent."""
    train = Split(
        {"candidate": tensor([4, 4, 4, 5, 5]), "user": tensor([0, 0, 1, 1, 0])},
        tensor([1, 1, 0, 0, 1]),
        tensor([True, True, True, True, False]),
    )
    encoder = ClickRatesEncoder(replace(text_scene(3), splits={"train": train}), 2, users=2, prior=2.0)
    here = tensor([True, True, True, False])
    values, allow = encoder({"candidate": tensor([4, 5, 6, 4]), "user": tensor([0, 1, 7, 0])}, here)
    items = [logit(3 / 5), logit(1 / 3), 0.0, 0.0]  # (k + 2 · ½) / (n + 2), less logit ½ = 0
    users = [logit(3 / 4), logit(1 / 4), 0.0, 0.0]
    expected = torch.stack((tensor(items), tensor(users)), dim=1)[:, :, None].expand(-1, -1, 2)
    torch.testing.assert_close(values, expected)
    assert allow.tolist() == [[True, True]] * 3 + [[False, False]]
