"""Training on the target's few labels alone."""

from __future__ import annotations

import torch

from iamm.transfer.base import Transfer
from iamm.transfer.fine_tune import FineTuneTransfer
from iamm.transfer.scratch import ScratchTransfer


def test_it_is_fine_tuning_of_all_parameters(task):
    made, other = task(), task()
    ScratchTransfer(steps=2, rate=0.01).adapt(made.model, made.material(2))
    FineTuneTransfer(parameters=["*"], steps=2, rate=0.01).adapt(other.model, other.material(2))
    for one, expected in zip(made.model.parameters(), other.model.parameters(), strict=True):
        torch.testing.assert_close(one, expected, rtol=0, atol=0)


def test_it_alone_does_not_begin_from_the_source():
    assert Transfer.begins_from_source
    assert not ScratchTransfer.begins_from_source
