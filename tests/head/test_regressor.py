from __future__ import annotations

import json
import math
from functools import partial

import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torch import nn, tensor

from iamm.attention.single import SingleAttention
from iamm.encoder.base import Features
from iamm.head.regressor import RegressorHead
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.scaled_dot_product import ScaledDotProductScore

ScaledDotProductAttention = partial(
    SingleAttention, score=ScaledDotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser
)
TRAIN = tensor([2.0, 4, 4, 4, 5, 5, 7, 9]).double()
"""Their mean is 5, the squares of the differences are 9, 1, 1, 1, 0, 0, 4 and 16: their deviation is √(32 / 8) = 2."""


@pytest.fixture
def head(scene):
    """D = 2; of (300, 100) the norm is (1, −1), hence s = ½ and ŷ = 5 + 2 · ½ = 6."""

    def make(targets=TRAIN, present=None, **knobs) -> RegressorHead:
        made = RegressorHead(scene("regression", targets, present), 2, dropout=0.0, **knobs)
        nn.init.zeros_(made.output.weight)
        nn.init.zeros_(made.output.bias)
        made.output.weight.data[0, 0] = 0.5
        return made

    return make


def places(count: int) -> Features:
    return Features(tensor([[[300.0, 100.0]]]).expand(count, -1, -1), torch.ones(count, 1, dtype=torch.bool))


def outputs_of(predicted: list[float], target: list[float]) -> list[dict]:
    """In two batches."""
    return [{"predicted": predicted[part], "target": target[part]} for part in (slice(2), slice(2, None))]


def test_loss_by_hand(head, batch):
    """Targets 7 and 9 are 1 and 2 in deviations from the mean: (½ − 1)² = ¼, (½ − 2)² = 2¼, their mean 1¼."""
    assert head().loss(places(1), batch(tensor([7.0]).double())).item() == pytest.approx(0.25)
    assert head().loss(places(2), batch(tensor([7.0, 9.0]).double())).item() == pytest.approx(1.25)


def test_answers_are_in_the_targets_unit(head):
    assert head().answers(places(2)) == [{"number": pytest.approx(6.0)}] * 2
    assert head().labels(places(1)) == ["6"]
    assert head(TRAIN * 1e-4).labels(places(1)) == ["0.0006"]


def test_the_loss_has_no_unit(head, batch):
    """Targets in other units, 1,000 y + 10⁶: the same losses, and predictions to float64's precision."""
    other = head(1000 * TRAIN + 1e6)
    assert other.predictions(places(1)).item() == pytest.approx(1_006_000, abs=1e-3)
    found = other.loss(places(1), batch(tensor([1_007_000.0]).double()))
    torch.testing.assert_close(found, head().loss(places(1), batch(tensor([7.0]).double())))


def test_absent_rows_count_nowhere(head, batch):
    seen = batch(tensor([7.0, 100.0]).double(), tensor([True, False]))
    assert head().loss(places(2), seen).item() == pytest.approx(0.25)
    assert head().observe(places(2), seen) == {"predicted": [pytest.approx(6.0)], "target": [7.0]}
    trained = head(tensor([3.0, 100.0, 7.0]).double(), tensor([True, False, True]))
    assert (trained.mean.item(), trained.deviation.item()) == (5.0, 2.0)


def test_training_targets_that_are_equal_are_not_scaled(head):
    made = head(tensor([3.0, 3.0]).double())
    assert (made.mean.item(), made.deviation.item()) == (3.0, 1.0)


def test_measures_by_hand(head):
    """Errors −1, −3 and 0. Their squares have the mean 10/3; the targets' mean is 6, Σ (y − 6)² = 1 + 9 + 16."""
    found = head().measure(outputs_of([6.0, 6.0, 2.0], [7.0, 9.0, 2.0]))
    assert found == pytest.approx({"r2": 1 - 10 / 26, "rmse": math.sqrt(10 / 3), "mae": 4 / 3, "loss": 10 / 3 / 4})
    assert list(found) == [measure.name for measure in RegressorHead.measures]


def test_measures_equal_scikit_learn(head):
    generator = torch.Generator().manual_seed(1)
    target, noise = torch.randn(2, 61, generator=generator, dtype=torch.float64)
    target = (1e4 * target + 1e6).tolist()
    predicted = [value + 7e3 * each for value, each in zip(target, noise.tolist(), strict=True)]
    found = head().measure(outputs_of(predicted, target))
    assert found["r2"] == pytest.approx(r2_score(target, predicted), abs=1e-12)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(target, predicted), rel=1e-12)
    assert found["mae"] == pytest.approx(mean_absolute_error(target, predicted), rel=1e-12)


@pytest.mark.parametrize("target", [[3.0, 3.0], [0.1, 0.1, 0.1], [4.0]])
def test_equal_targets_have_no_spread_to_explain(head, target):
    """As in scikit-learn, 1 of a perfect prediction and 0 of another; also where the mean of 0.1 is not 0.1."""
    right, wrong = (head().measure(outputs_of([t + off for t in target], target))["r2"] for off in (0.0, 1.0))
    assert (right, wrong) == (1.0, 0.0)
    if target == [3.0, 3.0]:
        assert (r2_score(target, target), r2_score(target, [4.0, 4.0])) == (right, wrong)


def test_the_baseline_predicts_the_mean_of_training(head):
    """Errors of 5 against 7, 9 and 2: −2, −4, 3."""
    found = head().details(outputs_of([6.0, 6.0, 2.0], [7.0, 9.0, 2.0]))
    expected = {"number": 5.0, "r2": 1 - 29 / 26, "rmse": math.sqrt(29 / 3), "mae": 3.0}
    assert found == {"baseline": pytest.approx(expected)}
    assert json.loads(json.dumps(found)) == found


def test_every_measure_may_select(head):
    qualities = {name: head(quality=name).selects.quality(3.0) for name in ("r2", "rmse", "mae", "loss")}
    assert qualities == {"r2": 3.0, "rmse": 0.25, "mae": 0.25, "loss": 0.25}
    assert head().selects.name == "r2"


def test_equals_the_naive_loop_with_gradients(scene, batch, agree):
    torch.manual_seed(0)
    head = RegressorHead(scene("regression", TRAIN), 5, attention=ScaledDotProductAttention, dropout=0.0).double()
    nn.init.normal_(head.norm.weight)
    values = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    allow = tensor([[True] * 4, [True, False, True, False], [False] * 4])
    targets = [2.5, -1.0, 8.0]
    found = head.loss(Features(values, allow), batch(tensor(targets).double(), tensor([True, True, False])))
    losses = []
    for b in (0, 1):
        real = [values[b, t] for t in range(4) if allow[b, t]]
        powers = [torch.exp(head.pool.query[0, 0] @ x / math.sqrt(5)) for x in real]
        x = sum(power / sum(powers) * place for power, place in zip(powers, real, strict=True))
        spread = torch.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
        s = head.output.weight[0] @ ((x - x.mean()) / spread * head.norm.weight + head.norm.bias) + head.output.bias[0]
        losses.append((s - (targets[b] - 5) / 2) ** 2)
    agree(found, sum(losses) / 2, [values, *head.parameters()])


def test_looks_at_its_pooling_weights(scene):
    torch.manual_seed(0)
    head = RegressorHead(scene("regression", TRAIN), 5, attention=ScaledDotProductAttention).eval()
    features = Features(torch.randn(2, 4, 5), tensor([[True, True, False, True], [False] * 4]))
    attention_map = head.attention_map(features)
    assert attention_map.weights.shape == (2, 1, 1, 4)
    torch.testing.assert_close(attention_map.weights.sum(dim=-1).flatten(), tensor([1.0, 0.0]))
    assert attention_map.queries == [[f"{number:.4g}"] for number in head.predictions(features).tolist()]
    torch.testing.assert_close(attention_map.weights[:, 0] @ features.values, head.pool(features)[0].unsqueeze(1))
