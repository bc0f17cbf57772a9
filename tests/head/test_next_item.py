from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from iamm.dataset.base import Scene, SceneBatch
from iamm.dataset.fields import CLASS, ID, ITEMS
from iamm.dataset.vocabulary import UNKNOWN, WordVocabulary
from iamm.encoder.base import Features
from iamm.head.next_item import NextItemHead

WORDS = [f"i{number}" for number in range(13)]  # ids 4 to 16
FIELDS = {"history": ITEMS, "candidate": ID, "user": ID}
SCENE = Scene("s", "behaviour", "ranking", {}, FIELDS, CLASS, ("passed", "clicked"), source=WordVocabulary(WORDS))


def made(**keys) -> NextItemHead:
    torch.manual_seed(0)
    return NextItemHead(SCENE, 5, **keys).double()


def features() -> Features:
    values = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    allow = tensor([[False, True, True], [False, True, False], [False, True, True], [False, False, False]])
    return Features(values.masked_fill(~allow[:, :, None], 0.0).requires_grad_(), allow)


def batch(candidate, targets=(1, 1, 1, 1), present=(True, True, True, True)) -> SceneBatch:
    return SceneBatch({"candidate": tensor(candidate)}, tensor(targets), tensor(present))


def test_loss_and_ranks_equal_a_naive_loop(agree):
    """Of three clicks, one of them on an item without a word; the third row was passed."""
    head, given = made(), features()
    candidates, losses, ranks = [7, UNKNOWN, 9, 16], [], []
    for row in (0, 1, 3):
        places = [given.values[row, t] for t in (1, 2) if given.allow[row, t]]
        pooled = sum(places) / len(places) if places else torch.zeros(5, dtype=torch.float64)
        scores = {item: head.output.weight[item] @ pooled + head.output.bias[item] for item in range(UNKNOWN, 17)}
        own = scores[candidates[row]]
        losses.append(torch.log(sum(torch.exp(score - own) for score in scores.values())))
        ranks.append(1 + sum(score.item() > own.item() for score in scores.values()))
    rows = batch(candidates, targets=(1, 1, 0, 1))
    agree(head.loss(given, rows), sum(losses) / 3, [given.values, *head.parameters()])
    assert head.count(rows).item() == 3
    observed = head.observe(given, rows)
    assert observed["rank"] == ranks
    assert observed["nll"] == pytest.approx([loss.item() for loss in losses])


def test_measures_by_hand():
    """Ranks 1, 3, 10 and 11: the first three are hits, with gains 1, 1/2 and 1/log₂ 11."""
    parts = [{"rank": [1, 3], "nll": [0.5, 1.5]}, {"rank": [10, 11], "nll": [2.0, 4.0]}]
    expected = {"ndcg_10": (1 + 0.5 + 1 / math.log2(11)) / 4, "hit_rate_10": 0.75, "loss": 2.0}
    assert made().measure(parts) == pytest.approx(expected)


def test_items_with_one_score_stand_in_front():
    """A head that knows nothing hits nothing: 14 items share one score."""
    head = made()
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    observed = head.observe(features(), batch([4, 5, 6, 7]))
    assert observed["rank"] == [14] * 4
    assert observed["nll"] == pytest.approx([math.log(14)] * 4)


def test_the_candidate_is_not_read():
    head, given = made(), features()
    spoilt = Features(given.values.detach().clone(), given.allow)
    spoilt.values[:, 0] = 9.0
    torch.testing.assert_close(head.scores(spoilt), head.scores(given))


def test_an_answer_is_the_ten_best_items():
    answers = made().answers(features())
    probabilities = made().predictions(features())
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(4, dtype=torch.float64))
    assert (probabilities[:, :UNKNOWN] == 0).all()
    for answer, row in zip(answers, probabilities, strict=True):
        best = row.argsort(descending=True)[:10].tolist()
        assert answer["items"] == [SCENE.source.pieces[item] for item in best]
        assert answer["probabilities"] == pytest.approx(row[best].tolist())
