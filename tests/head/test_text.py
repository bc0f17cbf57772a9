from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from iamm.encoder.base import Features
from iamm.head.text import bleu
from iamm.soft_targets import SoftTargets

V = 11
FLAT = torch.zeros(V, V)
ROWS = tensor([[1, 4, 5, 2, 0], [1, 6, 2, 0, 0], [1, 7, 8, 9, 2]])


def nowhere(count: int) -> Features:
    return Features(torch.zeros(count, 1, V), torch.ones(count, 1, dtype=torch.bool))


def test_loss_of_a_flat_model_is_the_logarithm_of_the_vocabulary(table_head, batch):
    assert table_head(FLAT).loss(nowhere(3), batch(ROWS)).item() == pytest.approx(math.log(V))


def test_loss_by_hand(table_head, batch):
    """Of 3 + 2 + 4 = 9 scored tokens only 4 → 5 is special: p(5 | 4) = 10 / (10 + 10), the others' 1/11.

    (8 ln 11 + ln 2) / 9. With ε = 0.2 a flat token still costs ln 11, the special one 0.8 ln 2 + 0.2 / 11 · (ln 2 +
    10 ln 20).
    """
    table = FLAT.clone()
    table[4, 5] = math.log(10)
    plain = (8 * math.log(11) + math.log(2)) / 9
    assert table_head(table).loss(nowhere(3), batch(ROWS)).item() == pytest.approx(plain)
    special = 0.8 * math.log(2) + 0.2 / 11 * (math.log(2) + 10 * math.log(20))
    smooth = table_head(table, label_smoothing=0.2).loss(nowhere(3), batch(ROWS)).item()
    assert smooth == pytest.approx((8 * math.log(11) + special) / 9)


def test_a_teacher_of_words_by_hand(table_head, batch):
    """Of the 9 tokens one has the teacher's p(5 | 4) = 10/20 beside the flat 1/11: half of its KL and half of ln 11."""
    table = FLAT.clone()
    table[4, 5] = math.log(10)
    rows, teacher = batch(ROWS), table_head(table)
    logits = teacher.term_logits(nowhere(3), rows)
    assert logits.shape == (9, V)
    taught = rows._replace(soft=SoftTargets(logits, torch.zeros(3, 1), 1.0, 0.5, 0.0))
    divergence = (0.5 * math.log(11 / 2) + 10 / 20 * math.log(11 / 20)) / 9
    assert table_head(FLAT).loss(nowhere(3), taught).item() == pytest.approx(0.5 * divergence + 0.5 * math.log(11))


def test_absent_rows_and_padding_are_never_scored(table_head, batch):
    table = torch.randn(V, V, generator=torch.Generator().manual_seed(0))
    head = table_head(table)
    seen = batch(ROWS, tensor([True, False, True]))
    expected = head.loss(nowhere(2), batch(ROWS[[0, 2]]))
    torch.testing.assert_close(head.loss(nowhere(3), seen), expected)
    wider = batch(torch.nn.functional.pad(ROWS, (0, 3)), seen.present)
    torch.testing.assert_close(head.loss(nowhere(3), wider), expected)
    noted = head.observe(nowhere(3), seen)
    assert noted["reference"] == ["ba do", "ku la mo"]
    assert len(noted["nll"]) == 3 + 4
    assert len(noted["written"]) == 2
    nobody = batch(ROWS, torch.zeros(3, dtype=torch.bool))
    assert head.loss(nowhere(3), nobody).item() == 0.0
    assert head.observe(nowhere(3), nobody) == {"nll": [], "written": [], "reference": []}


def test_published_references_stand_for_the_decoded_targets(table_head, batch):
    """Also where a row is absent."""
    seen = batch(ROWS, tensor([True, False, True]))._replace(references=("Ba, do!", "gi", "Ku la-mo"))
    assert table_head(FLAT).observe(nowhere(3), seen)["reference"] == ["Ba, do!", "Ku la-mo"]


def test_evaluation_counts_without_label_smoothing(table_head, batch):
    table = FLAT.clone()
    table[4, 5] = math.log(10)
    noted = table_head(table, label_smoothing=0.3).observe(nowhere(1), batch(ROWS[:1]))
    assert noted["nll"] == pytest.approx([math.log(11), math.log(2), math.log(11)])


def test_writes_the_likeliest_chain(table_head):
    """BOS → ba → gi → EOS; by a beam as well."""
    table = FLAT.clone()
    table[1, 4] = table[4, 6] = table[6, 2] = 9.0
    for beams in (1, 3):
        assert table_head(table, beams=beams).write(nowhere(2)) == [[4, 6], [4, 6]]
    assert table_head(table, max_length=1).write(nowhere(1)) == [[4]]


def test_measures_by_hand(table_head):
    """Loss 2 nats a token over all batches' tokens, perplexity e²; a perfect text has BLEU 1."""
    text = "ba do gi ku"
    outputs = [
        {"nll": [1.0, 3.0], "written": [text], "reference": [text]},
        {"nll": [2.0], "written": [text], "reference": [text]},
    ]
    found = table_head(FLAT).measure(outputs)
    assert found == pytest.approx({"bleu": 1.0, "loss": 2.0, "perplexity": math.exp(2)})


def test_perplexity_of_a_hopeless_model_is_still_a_number(table_head):
    found = table_head(FLAT).measure([{"nll": [1e6], "written": ["ba"], "reference": ["ba"]}])
    assert math.isfinite(found["perplexity"])
    assert found["loss"] == 1e6


def test_bleu_by_hand():
    """Precisions 4/5, 3/4, 2/3, 1/2, whose product is 1/5; lengths equal: (1/5)^¼ = 0.66874."""
    score, signature = bleu(["Ba do gi ku la"], ["ba do gi ku mo"])
    assert score == pytest.approx(0.2**0.25)
    assert signature.startswith("nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:")


def test_bleu_punishes_brevity_over_the_corpus():
    """All 4 + 4 words are right, of 4 + 6 wanted: e^(1 − 10/8) = 0.7788."""
    score, _ = bleu(["ba do gi ku", "ba do gi ku"], ["ba do gi ku", "ba do gi ku la mo"])
    assert score == pytest.approx(math.exp(1 - 10 / 8))


def test_bleu_gives_no_advice(caplog, capfd):
    """A hundred texts that end like "ku ." would move sacrebleu to warn of tokenised text."""
    texts = ["ba do gi ku ."] * 101
    assert bleu(texts, texts)[0] == pytest.approx(1.0)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_longest_text_is_that_of_the_training_targets_that_count(scene, table_head):
    targets = tensor([[1, 4, 5, 2, 0, 0], [1, 6, 2, 0, 0, 0], [1, 7, 8, 9, 10, 2]])
    for present, longest in (([True, True, True], 4), ([True, True, False], 2), ([False, True, False], 1)):
        assert table_head(FLAT, scene("generation", targets, tensor(present))).max_length == longest
    assert table_head(FLAT, scene("generation", targets), max_length=7).max_length == 7


def test_refuses_a_beam_of_nothing(table_head):
    with pytest.raises(ValueError, match=r"`beams` must be a whole number at least 1.* Found 0\."):
        table_head(FLAT, beams=0)
