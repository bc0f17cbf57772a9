"""Parameters are trained on the target's few labels."""

from __future__ import annotations

import pytest
import torch

from iamm.transfer.fine_tune import FineTuneTransfer


def state(made):
    return {name: values.detach().clone() for name, values in made.model.named_parameters()}


def test_the_steps_are_those_of_a_plain_loop(task):
    made, other = task(), task()
    FineTuneTransfer(parameters=["*"], steps=3, rate=0.01).adapt(made.model, made.material(2))
    batch = other.material(2).batch("train", torch.arange(4))
    optimizer = torch.optim.AdamW(other.model.parameters(), lr=0.01, weight_decay=0)
    other.model.train()
    for _ in range(3):
        optimizer.zero_grad()
        other.model(batch).losses["review_domains_book"].backward()
        optimizer.step()
    for (name, one), (_, expected) in zip(made.model.named_parameters(), other.model.named_parameters(), strict=True):
        torch.testing.assert_close(one, expected, rtol=1e-4, atol=1e-5, msg=name)  # the order of rows differs


def test_the_head_alone(task, changed):
    made = task()
    before = state(made)
    FineTuneTransfer(parameters=["head"], steps=2, rate=0.01).adapt(made.model, made.material(2))
    assert changed(made.model, before) == {name for name in before if name.startswith("heads.")}


def test_it_learns_its_labels(task):
    made = task()
    material = made.material(4)
    FineTuneTransfer(parameters=["*"], steps=60, rate=0.01).adapt(made.model, material)
    outputs, _ = made.model.observe(material.batch("train", torch.arange(8)))
    assert outputs["review_domains_book"]["predicted"] == [0, 1] * 4


def test_without_labels_nothing_changes(task, changed):
    made = task()
    before = state(made)
    FineTuneTransfer(parameters=["*"]).adapt(made.model, made.material(0))
    assert changed(made.model, before) == set()


def test_patterns_that_match_nothing(task):
    made = task()
    with pytest.raises(
        ValueError, match=r"`transfer.parameters` must name parameters. Found nowhere, which match none"
    ):
        FineTuneTransfer(parameters=["nowhere"]).check(made.model, made.material(2))
