from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor, tensor

from iamm.attention.single import SingleAttention
from iamm.dataset.base import Scene, SceneBatch
from iamm.dataset.fields import CLASS, ID, ITEMS
from iamm.encoder.base import Features
from iamm.head.ranker import RankerHead
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.scaled_dot_product import ScaledDotProductScore

FIELDS = {"history": ITEMS, "candidate": ID, "user": ID}
SCENE = Scene("s", "behaviour", "ranking", {}, FIELDS, CLASS, ("passed", "clicked"))
ALLOW = tensor([[True, True, True, False], [True, True, True, True], [True, True, False, False]])


def dot(dim: int) -> SingleAttention:
    return SingleAttention(dim, score=ScaledDotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser)


def made(**keys) -> RankerHead:
    torch.manual_seed(0)
    return RankerHead(SCENE, 5, **{"hidden": 7, "dropout": 0.0, **keys}).double()


def given(seed: int = 1) -> Features:
    values = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Features(values.requires_grad_(), ALLOW)


def batch(targets=(1, 0, 1), user=(4, 4, 9), present=(True, True, True)) -> SceneBatch:
    return SceneBatch({"user": tensor(user)}, tensor(targets), tensor(present))


def naive(head: RankerHead, features: Features, attends: bool) -> Tensor:
    """One example at a time, one place at a time."""
    scores = []
    for values, allow in zip(features.values, features.allow.tolist(), strict=True):
        candidate, history = values[0], [values[t] for t in range(1, 4) if allow[t]]
        powers = [torch.exp(candidate @ place / 5**0.5) if attends else torch.ones(()).double() for place in history]
        pooled = sum(power * place for power, place in zip(powers, history, strict=True)) / sum(powers)
        inner, outer = head.layers[0], head.layers[3]
        hidden = inner.weight @ torch.cat((candidate, pooled, candidate * pooled)) + inner.bias
        scores.append((outer.weight @ hidden.clamp(min=0) + outer.bias)[0])
    return torch.stack(scores)


@pytest.mark.parametrize("attends", [False, True])
def test_scores_equal_a_naive_loop(agree, attends):
    head, features = made(attention=dot if attends else None), given()
    leaves = [features.values, *head.layers.parameters()]
    agree(head.scores(features), naive(head, features, attends), leaves)


def test_loss_by_hand():
    """s = 1 · c_0 without a layer between: scores 2, −1 and 0, the last one absent."""
    head = made(hidden=None)
    torch.nn.init.zeros_(head.layers.weight)
    torch.nn.init.zeros_(head.layers.bias)
    head.layers.weight.data[0, 0] = 1.0
    values = torch.zeros(3, 4, 5, dtype=torch.float64)
    values[:, 0, 0] = tensor([2.0, -1.0, 0.0])
    features, rows = Features(values, ALLOW), batch(present=(True, True, False))
    expected = [torch.log1p(torch.exp(tensor(-2.0).double())), torch.log1p(torch.exp(tensor(-1.0).double()))]
    torch.testing.assert_close(head.loss(features, rows), sum(expected) / 2)
    noted = head.observe(features, rows)
    assert noted["score"].tolist() == [2.0, -1.0]
    assert noted["nll"] == pytest.approx([float(each) for each in expected])
    assert (noted["clicked"], noted["user"]) == ([1, 0], [4, 4])


def test_a_candidate_without_history_is_scored_by_itself():
    head = made(attention=dot)
    values = given().values
    alone = Features(values, tensor([[True, False, False, False]] * 3))
    h, weights = head.pooled(alone, need_weights=True)
    assert (h == 0).all()
    assert (weights == 0).all()
    assert head.scores(alone).isfinite().all()


def test_the_candidate_is_no_part_of_its_history():
    _, weights = made(attention=dot).pooled(given(), need_weights=True)
    assert (weights[:, :, 0] == 0).all()
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(3, 1, dtype=torch.float64))


def test_measures_of_batches_are_those_of_all():
    """User 4: a click above none, 1 pair of 1. User 9: a click between two, 1 of 2. User 5 clicked all it was shown."""
    parts = [
        {"score": tensor([0.9, 0.1]).double(), "clicked": [1, 0], "user": [4, 4], "nll": [0.5, 0.25]},
        {
            "score": tensor([0.3, 0.8, 0.5, 0.2]).double(),
            "clicked": [0, 0, 1, 1],
            "user": [9, 9, 9, 5],
            "nll": [0.0] * 4,
        },
    ]
    head = made()
    found = head.measure(parts)
    assert found["gauc"] == pytest.approx((2 * 1.0 + 3 * 0.5) / 5)
    assert found["auc"] == pytest.approx((3 + 2 + 1) / 9)  # pairs that the clicks 0.9, 0.5 and 0.2 win
    assert found["loss"] == pytest.approx(0.125)
    assert json.dumps(head.details(parts)) == '{"users": 2, "users_left_out": 1}'


def test_validation_selects_by_the_auc_of_each_user():
    assert made().selects.name == "gauc"
    assert made(quality="loss").selects.lower_is_better
    with pytest.raises(ValueError, match=r"^`quality` must be one of gauc, auc"):
        made(quality="accuracy")
