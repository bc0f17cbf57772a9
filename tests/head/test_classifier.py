from __future__ import annotations

import json
import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn, tensor
from torch.nn import functional

from iamm.attention.single import SingleAttention
from iamm.encoder.base import Features
from iamm.head.classifier import ClassifierHead, calibration_error
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.scaled_dot_product import ScaledDotProductScore
from iamm.soft_targets import SoftTargets

ScaledDotProductAttention = partial(
    SingleAttention, score=ScaledDotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser
)


@pytest.fixture
def head(scene):
    """D = 2; of (300, 100) the norm is (1, −1), the logits (ln 2, 0, 0), hence p = (½, ¼, ¼)."""

    def make(**knobs) -> ClassifierHead:
        made = ClassifierHead(scene("classification"), 2, dropout=0.0, **knobs)
        nn.init.zeros_(made.output.weight)
        nn.init.zeros_(made.output.bias)
        made.output.weight.data[0, 0] = math.log(2)
        return made

    return make


def places(count: int) -> Features:
    return Features(tensor([[[300.0, 100.0]]]).expand(count, -1, -1), torch.ones(count, 1, dtype=torch.bool))


def test_loss_by_hand(head, batch):
    """−ln ½ and −ln ¼, their mean 1.5 ln 2."""
    assert head().loss(places(1), batch(tensor([0]))).item() == pytest.approx(math.log(2))
    assert head().loss(places(2), batch(tensor([0, 2]))).item() == pytest.approx(1.5 * math.log(2))


def test_a_teacher_of_classes_by_hand(head, batch):
    """Of the present one of two examples: p = (⅓, ⅓, ⅓) beside q = (½, ¼, ¼), KL = ⅓ ln ⅔ + ⅔ ln(4/3)."""
    seen = batch(tensor([0, 1]), tensor([True, False]))
    assert head().term_logits(places(2), seen).shape == (1, 3)
    taught = seen._replace(soft=SoftTargets(torch.zeros(1, 3), torch.zeros(2, 1), 1.0, 0.25, 0.0))
    divergence = math.log(2 / 3) / 3 + 2 * math.log(4 / 3) / 3
    assert head().loss(places(2), taught).item() == pytest.approx(0.25 * divergence + 0.75 * math.log(2))


def test_label_smoothing_by_hand(head, batch):
    """ε = 0.3: target (0.8, 0.1, 0.1), loss 0.8 ln 2 + 0.2 ln 4 = 1.2 ln 2; what evaluation notes stays ln 2."""
    smooth = head(label_smoothing=0.3)
    assert smooth.loss(places(1), batch(tensor([0]))).item() == pytest.approx(1.2 * math.log(2))
    assert smooth.observe(places(1), batch(tensor([0])))["nll"] == pytest.approx([math.log(2)])


def test_absent_rows_count_nowhere(head, batch):
    seen = batch(tensor([0, 1, 1]), tensor([True, False, False]))
    assert head().loss(places(3), seen).item() == pytest.approx(math.log(2))
    noted = head().observe(places(3), seen)
    assert noted["predicted"] == [0]
    assert noted["target"] == [0]
    assert len(noted["nll"]) == 1
    nobody = batch(tensor([0, 1, 1]), tensor([False, False, False]))
    assert head().loss(places(3), nobody).item() == 0.0


def test_notes_log_probabilities_in_single_precision(head, batch):
    noted = head().observe(places(2), batch(tensor([0, 1]), tensor([True, False])))["log_probabilities"]
    torch.testing.assert_close(noted, torch.log(tensor([[0.5, 0.25, 0.25]])))


SCORES = tensor(
    [
        [0.9, 0.5, 0.1, 0.9],
        [0.4, 0.5, 0.2, 0.8],
        [0.6, 0.5, 0.3, 0.7],
        [0.4, 0.5, 0.4, 0.6],
        [0.1, 0.5, 0.5, 0.5],
        [0.1, 0.5, 0.4, 0.4],
    ]
)
"""Six examples, four classes; class 1 has the same score everywhere."""


def outputs_of(targets: list[int], scores: Tensor = SCORES, predicted: list[int] | None = None) -> list[dict]:
    """In two batches."""
    said = targets if predicted is None else predicted
    return [
        {"predicted": said[part], "target": targets[part], "nll": [2.0] * 3, "log_probabilities": scores[part]}
        for part in (slice(3), slice(3, 6))
    ]


def test_measures_by_hand(head):
    """Six examples in two batches; class 2 is never predicted right, and class 3 not at all.

    class 0: P 1/2, R 1/2, F1 1/2; class 1: P 2/3, R 1, F1 4/5; class 2: 0, 0, 0 (predicted once, wrongly); class 3:
    0, 0, 0. Means over the four: P 7/24, R 3/8, F1 13/40. Accuracy 3/6.

    AUC: class 0 ranks 6 of 8 pairs right and one is a tie, 13/16; class 1 has ties only, 1/2; class 2 is first, 1;
    class 3 is last, 0. Average precision: 1/2 · 1 + 1/2 · 2/4 = 3/4; 2/6; 1; 1/6.
    """
    noted = outputs_of([0, 0, 1, 1, 2, 3], predicted=[0, 1, 1, 1, 0, 2])
    found = head().measure([part | {"nll": nll} for part, nll in zip(noted, ([1, 2, 3], [4, 5, 6]), strict=True)])
    assert found == pytest.approx(
        {
            **{"accuracy": 3 / 6, "precision": 7 / 24, "recall": 3 / 8, "f1": 13 / 40},
            **{"average_precision": 9 / 16, "auc": 37 / 64, "calibration": found["calibration"], "loss": 21 / 6},
        }
    )
    assert list(found) == [measure.name for measure in ClassifierHead.measures]


def test_calibration_by_hand():
    """Confidences 0.55 (a hit) and 0.65 (a miss) have bins of their own, 0.9 and 0.92 share (13/15, 14/15].

    |1 − 0.55| + |0 − 0.65| + |(1 + 0) − (0.9 + 0.92)|, over 4 examples; in one bin |2 − 3.02| / 4.
    """
    shares = tensor([[0.55, 0.45], [0.65, 0.35], [0.1, 0.9], [0.08, 0.92]], dtype=torch.float64)
    found = calibration_error(shares.log(), tensor([0, 1, 1, 0]))
    assert found == pytest.approx((0.45 + 0.65 + 0.82) / 4)
    assert calibration_error(shares.log(), tensor([0, 1, 1, 0]), bins=1) == pytest.approx(1.02 / 4)


def test_classes_without_examples_have_no_part_in_the_means(head):
    """Class 0 ranks 7 of 9 pairs right; class 2 7, and a tie. Precision at each hit: 1, 3/4, 3/4; 1, 2/3, 3/4."""
    found = head().measure(outputs_of([0, 0, 2, 0, 2, 2]))
    assert found["auc"] == pytest.approx((7 / 9 + 7.5 / 9) / 2)
    assert found["average_precision"] == pytest.approx(((1 + 3 / 4 + 3 / 4) / 3 + (1 + 2 / 3 + 3 / 4) / 3) / 2)


def test_one_class_only(head):
    """Nothing can be ranked: the AUC is that of chance, and every prediction is right of the class."""
    found = head().measure(outputs_of([1] * 6))
    assert (found["auc"], found["average_precision"]) == (0.5, 1.0)


def test_scores_that_are_no_numbers_rank_nothing(head):
    """The engine ends such a run by its loss, which is none either."""
    found = head().measure(outputs_of([0, 0, 1, 1, 2, 2], SCORES * math.nan))
    assert (found["auc"], found["average_precision"]) == (0.5, pytest.approx(1 / 3))


def test_ranking_equals_scikit_learn(head):
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(60, 3, generator=generator).mul(2).round().div(2).log_softmax(1)
    targets = torch.randint(3, (60,), generator=generator)
    noted = {"predicted": scores.argmax(1).tolist(), "target": targets.tolist(), "nll": [1.0] * 60}
    found = head().measure([{**noted, "log_probabilities": scores}])
    hot = functional.one_hot(targets)
    shares = precision_recall_fscore_support(noted["target"], noted["predicted"], average="macro")[:3]
    assert [found[name] for name in ("precision", "recall", "f1")] == pytest.approx(shares, abs=1e-12)
    assert found["auc"] == pytest.approx(roc_auc_score(hot, scores, average="macro"), abs=1e-12)
    assert found["average_precision"] == pytest.approx(average_precision_score(hot, scores, average="macro"), abs=1e-12)


def test_details_by_hand(head):
    """Blue is neither a target nor predicted; green is predicted of one red."""
    found = head().details(outputs_of([0, 0, 1, 1, 1, 1], SCORES[:, :3], predicted=[0, 1, 1, 1, 1, 1]))
    assert found["confusion"] == [[1, 1, 0], [0, 4, 0], [0, 0, 0]]
    red = {"precision": 1, "recall": 1 / 2, "f1": 2 / 3, "count": 2, "average_precision": 3 / 4, "auc": 13 / 16}
    green = {"precision": 4 / 5, "recall": 1, "f1": 8 / 9, "count": 4, "average_precision": 4 / 6, "auc": 1 / 2}
    assert found["classes"]["red"] == pytest.approx(red)
    assert found["classes"]["green"] == pytest.approx(green)
    assert found["classes"]["blue"] == {"precision": 0, "recall": 0, "f1": 0, "count": 0}
    assert json.loads(json.dumps(found)) == found


def test_equals_the_naive_loop_with_gradients(scene, batch, agree):
    torch.manual_seed(0)
    head = ClassifierHead(
        scene("classification"), 5, attention=ScaledDotProductAttention, dropout=0.0, label_smoothing=0.2
    ).double()
    nn.init.normal_(head.norm.weight)
    values = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    allow = tensor([[True] * 4, [True, False, True, False], [False] * 4])
    targets = [2, 0, 1]
    found = head.loss(Features(values, allow), batch(tensor(targets), tensor([True, True, False])))
    losses = []
    for b in (0, 1):
        real = [values[b, t] for t in range(4) if allow[b, t]]
        powers = [torch.exp(head.pool.query[0, 0] @ x / math.sqrt(5)) for x in real]
        x = sum(power / sum(powers) * place for power, place in zip(powers, real, strict=True))
        spread = torch.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
        logits = head.output.weight @ ((x - x.mean()) / spread * head.norm.weight + head.norm.bias) + head.output.bias
        surprises = [torch.log(torch.exp(logits).sum()) - logits[c] for c in range(3)]
        losses.append(0.8 * surprises[targets[b]] + 0.2 / 3 * sum(surprises))
    agree(found, sum(losses) / 2, [values, *head.parameters()])


def test_looks_at_its_pooling_weights(scene):
    torch.manual_seed(0)
    head = ClassifierHead(scene("classification"), 5, attention=ScaledDotProductAttention).eval()
    features = Features(torch.randn(2, 4, 5), tensor([[True, True, False, True], [False] * 4]))
    attention_map = head.attention_map(features)
    assert attention_map.weights.shape == (2, 1, 1, 4)
    torch.testing.assert_close(attention_map.weights.sum(dim=-1).flatten(), tensor([1.0, 0.0]))
    assert attention_map.weights[0, 0, 0, 2] == 0
    answers = head.scores(features).argmax(1).tolist()
    assert attention_map.queries == [[("red", "green", "blue")[answer]] for answer in answers]
    torch.testing.assert_close(attention_map.weights[:, 0] @ features.values, head.pool(features)[0].unsqueeze(1))


def test_has_nothing_to_look_at_without_attention(scene):
    assert (
        ClassifierHead(scene("classification"), 5).attention_map(places(2)._replace(values=torch.randn(2, 1, 5)))
        is None
    )


def test_l1_and_l2_norms_by_hand(head):
    """(300, 100) over 400 is (¾, ¼), over √100,000 (0.9487, 0.3162): logits ln 2 times the first; 0 stays 0."""
    for norm, first in (("l1", 0.75), ("l2", 3 / math.sqrt(10))):
        made = head(norm=norm)
        torch.testing.assert_close(made.scores(places(1)), tensor([[first * math.log(2), 0.0, 0.0]]))
        assert made.scores(places(1)._replace(values=torch.zeros(1, 1, 2))).tolist() == [[0.0, 0.0, 0.0]]
    with pytest.raises(ValueError, match=r"`norm` must be true or false, or one of l1, l2\. Found 'l3'\."):
        head(norm="l3")


def test_without_a_norm_it_is_linear(head):
    """Logits ln 2 · 300 · (1, 0, 0) of the vector itself."""
    torch.testing.assert_close(head(norm=False).scores(places(1)), tensor([[300 * math.log(2), 0.0, 0.0]]))
