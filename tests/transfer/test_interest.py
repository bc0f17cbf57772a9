"""Interest and gates alone are learnt, as parameters of the target's own."""

from __future__ import annotations

import pytest
import torch

from iamm.engine.collate import collate
from iamm.transfer.interest import InterestTransfer

OWN = {f"fusion.{part}.review_domains_book" for part in ("recogniser.added", "marks", "gates.added")}


def test_only_the_targets_own_numbers_move(task, changed):
    made = task()
    before = {name: values.detach().clone() for name, values in made.model.named_parameters()}
    InterestTransfer(steps=2).adapt(made.model, made.material(2))
    assert changed(made.model, before) == OWN
    own = {name: values for name, values in made.model.named_parameters() if name in OWN}
    assert sum(values.numel() for values in own.values()) == 3 * 8  # K·D + 2·D, K = 1
    assert all(values.any() for values in own.values())


def test_it_begins_with_migration_by_attention(task):
    made = task()
    losses = made.losses()
    InterestTransfer().adapt(made.model, made.material(0))
    torch.testing.assert_close(made.losses(), losses, rtol=0, atol=0)
    with torch.no_grad():
        made.model.fusion.recogniser.added["review_domains_book"][0] += 1
    assert not made.losses().equal(losses)


def test_known_scenes_do_not_change(task):
    made = task()
    batch = collate(made.known[0], "test", torch.arange(14), torch.device("cpu"))
    made.model.train(False)
    before = made.model.observe(batch)[0]["review_domains_phone"]["nll"]
    InterestTransfer(steps=3, rate=0.1).adapt(made.model, made.material(2))
    assert made.model.observe(batch)[0]["review_domains_phone"]["nll"] == before


def test_the_formulas_by_value(task):
    """q is moved by δ, a gate's logits by g."""
    made = task()
    fusion = made.model.fusion
    vectors, values = torch.randn(2, 8), torch.randn(2, 5, 8)
    scenes = torch.full((2, 3), 1 / 3)
    q, gated = fusion.recogniser(vectors, "review_domains_book").interest, fusion.gates(values, scenes, "")
    made.model.fusion.add_scene("review_domains_book")
    with torch.no_grad():
        fusion.recogniser.added["review_domains_book"].fill_(0.5)
        fusion.gates.added["review_domains_book"].fill_(0.7)
    torch.testing.assert_close(fusion.recogniser(vectors, "review_domains_book").interest, q + 0.5)
    expected = values * 2 / (1 + torch.exp(torch.tensor(-0.7)))  # W_s is 0 at the start
    torch.testing.assert_close(fusion.gates(values, scenes, "review_domains_book"), expected)
    torch.testing.assert_close(fusion.gates(values, scenes, "review_domains_phone"), gated)


def test_without_gates_and_without_interest(task):
    made = task("fusion.gates=false")
    InterestTransfer(steps=1).adapt(made.model, made.material(1))
    plain = task("fusion=mean")
    with pytest.raises(ValueError, match=r"by a fusion that has interest. Found MeanFusion"):
        InterestTransfer().check(plain.model, plain.material(1))
