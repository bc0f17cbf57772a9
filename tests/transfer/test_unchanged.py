"""Nothing is trained: migration by attention."""

from __future__ import annotations

import pytest
import torch

from iamm.transfer.unchanged import UnchangedTransfer


def test_nothing_changes(task, changed):
    made = task()
    before = {name: values.detach().clone() for name, values in made.model.named_parameters()}
    losses = made.losses()
    UnchangedTransfer().adapt(made.model, made.material(3))
    assert changed(made.model, before) == set()
    torch.testing.assert_close(made.losses(), losses, rtol=0, atol=0)
    assert not UnchangedTransfer.reads_unlabelled


def test_something_stands_in_for_interest(task):
    made = task()
    losses = {"learnt": made.losses()}
    for control in ("shuffled", "constant", "uniform", "absent"):
        UnchangedTransfer(control=control).adapt(made.model, made.material(0))
        assert made.model.fusion.control == control
        assert not any(made.losses().equal(others) for others in losses.values())
        losses[control] = made.losses()
    plain = task("fusion=shared")
    with pytest.raises(ValueError, match=r"has interest. Found SharedFusion"):
        UnchangedTransfer(control="uniform").check(plain.model, plain.material(0))


def test_interest_is_that_of_the_scenes_that_an_example_resembles(task):
    """q = Σ_s p_s q_s, here with interest vectors that are the scene's number everywhere."""
    made = task()
    recogniser = made.model.fusion.recogniser
    with torch.no_grad():
        for number, values in enumerate(recogniser.interests.values()):
            values.fill_(number)
    vectors = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
    made.model.train(False)
    found = recogniser(vectors, "review_domains_book")
    expected = sum(number * found.scenes[:, number] for number in range(3))
    torch.testing.assert_close(found.interest, expected[:, None, None].expand(5, 1, 8))
    assert not found.loss.any()
