"""The target takes the interest of known scenes that a rule names."""

from __future__ import annotations

import pytest
import torch

from iamm.transfer.by_rule import ByRuleTransfer, is_called, resemblance

NAMES = ("review_domains_phone", "review_domains_kettle", "review_domains_hotel")


def shares(made, scene: str = "review_domains_book") -> torch.Tensor:
    vectors = torch.randn(4, 8, generator=torch.Generator().manual_seed(2))
    made.model.train(False)
    return made.model.fusion.recogniser(vectors, scene).scenes


@pytest.mark.parametrize(
    ("transfer", "weights"),
    [
        (ByRuleTransfer(like="mean"), [1 / 3] * 3),
        (ByRuleTransfer(like="hotel"), [0, 0, 1]),
        (ByRuleTransfer(like="review_domains_kettle"), [0, 1, 0]),
    ],
)
def test_the_weights_of_a_rule(task, transfer, weights):
    made = task()
    assert made.model.names == NAMES
    other = shares(made, "review_domains_phone")
    transfer.adapt(made.model, made.material(0))
    torch.testing.assert_close(shares(made), torch.tensor(weights, dtype=torch.float32).expand(4, 3))
    torch.testing.assert_close(shares(made, "review_domains_phone"), other, rtol=0, atol=0)
    assert not transfer.reads_unlabelled


def test_the_nearest_scene_has_the_largest_mean_p(task):
    made = task()
    material = made.material(0)
    made.model.train(False)
    rows = material.batch("unlabelled", torch.arange(40))
    p = made.model.interest(rows)["review_domains_book"].recognised  # (40, 3)
    torch.testing.assert_close(resemblance(made.model, material), p.double().mean(dim=0))
    ByRuleTransfer().adapt(made.model, material)
    expected = torch.eye(3)[int(p.sum(dim=0).argmax())]
    torch.testing.assert_close(shares(made), expected.expand(4, 3))
    assert ByRuleTransfer().reads_unlabelled


def test_interest_within_the_scene_is_by_resemblance(task):
    """q_k = Σ_m softmax_m(cos / τ) Q_smk of the one scene, in a loop."""
    made = task()
    ByRuleTransfer(like="kettle").adapt(made.model, made.material(0))
    recogniser = made.model.fusion.recogniser
    with torch.no_grad():
        values = recogniser.interests["review_domains_kettle"]
        values.add_(torch.randn(values.shape, generator=torch.Generator().manual_seed(3)))
    vectors = torch.randn(4, 8, generator=torch.Generator().manual_seed(2))
    found = recogniser(vectors, "review_domains_book").interest
    for row, vector in enumerate(vectors):
        u = recogniser.project(vector)
        keys = [recogniser.project(centre) for centre in recogniser.centres("review_domains_kettle")]
        cosines = [float((u @ key / (u.norm() * key.norm()).clamp(min=1e-12)).detach()) / 0.1 for key in keys]
        weights = torch.tensor(cosines).softmax(dim=0)
        expected = sum(weight * values[m] for m, weight in enumerate(weights))
        torch.testing.assert_close(found[row], expected, rtol=1e-4, atol=1e-5)


def test_words_and_names():
    assert is_called("review_domains_book", "book")
    assert is_called("review_domains_book", "review_domains_book")
    assert not is_called("review_domains_notebook", "book")


def test_what_is_refused(task):
    made = task()
    with pytest.raises(ValueError, match=r"`transfer.like` must be nearest, mean or a known scene. Found sofa."):
        ByRuleTransfer(like="sofa").check(made.model, made.material(0))
    with pytest.raises(ValueError, match=r"Found book."):
        ByRuleTransfer(like="book").check(made.model, made.material(0))
    for rule in ("nearest", "mean"):
        plain = task("fusion=shared")
        with pytest.raises(ValueError, match=r"by a fusion that has interest. Found SharedFusion: choose fusion="):
            ByRuleTransfer(like=rule).check(plain.model, plain.material(0))
