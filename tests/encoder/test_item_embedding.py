from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import tensor

from iamm.dataset.fields import AGES, VALUES
from iamm.encoder.item_embedding import ItemEmbeddingEncoder

HISTORY = tensor([[4, 6, 0], [3, 0, 0], [5, 4, 6]])
CANDIDATE = tensor([5, 4, 4])


def made(text_scene, **keys) -> ItemEmbeddingEncoder:
    torch.manual_seed(0)
    return ItemEmbeddingEncoder(text_scene(3), 5, **keys)


def test_the_candidate_stands_before_its_history(text_scene):
    encoder = made(text_scene, dropout=0.0)
    values, allow = encoder({"history": HISTORY, "candidate": CANDIDATE}, tensor([True, True, False]))
    table = encoder.embedding.weight
    assert table.shape == (7, 5)
    assert allow.tolist() == [[True, True, True, False], [True, True, False, False], [False] * 4]
    torch.testing.assert_close(values[0], torch.stack([table[5], table[4], table[6], torch.zeros(5)]))
    torch.testing.assert_close(values[1, :2], table[[4, 3]])
    assert (values[2] == 0).all()


def test_dropout_is_of_training_alone(text_scene):
    encoder, inputs = made(text_scene, dropout=0.9), {"history": HISTORY, "candidate": CANDIDATE}
    here = torch.ones(3, dtype=torch.bool)
    dropped = (encoder(inputs, here).values == 0).double().mean()
    assert dropped > 0.5
    assert (encoder.eval()(inputs, here).values[0, :3] != 0).all()


def test_ages_are_added_to_the_history_by_their_doublings(text_scene):
    """1 + age of 1, 2 and 1,000 seconds: 2^0, 2^1, 2^9 and a half."""
    torch.manual_seed(0)
    encoder = ItemEmbeddingEncoder(replace(text_scene(3), fields={"ages": AGES}), 5, ages=True, dropout=0.0)
    assert (encoder.ages.weight == 0).all()
    torch.nn.init.normal_(encoder.ages.weight)
    ages = tensor([[0, 1, -1], [999, -1, -1], [2**40, 1, 0]])
    values, allow = encoder({"history": HISTORY, "candidate": CANDIDATE, "ages": ages}, torch.ones(3, dtype=torch.bool))
    plain = encoder.embedding.weight[torch.cat((CANDIDATE[:, None], HISTORY), dim=1)]
    added = (values - plain)[allow]
    steps = encoder.ages.weight[[0, 1, 9, 31, 1, 0]]
    expected = torch.stack([added[0] * 0, *steps[:2], steps[0] * 0, steps[2], steps[0] * 0, *steps[3:]])
    torch.testing.assert_close(added, expected)


def test_values_are_added_to_the_history_by_their_halves(text_scene):
    torch.manual_seed(1)
    encoder = ItemEmbeddingEncoder(replace(text_scene(3), fields={"values": VALUES}), 5, values=True, dropout=0.0)
    assert (encoder.values.weight == 0).all()
    torch.nn.init.normal_(encoder.values.weight)
    values = tensor([[0.5, 5.0, -1.0], [4.5, -1.0, -1.0], [99.0, 1.0, 0.0]])
    found, allow = encoder({"history": HISTORY, "candidate": CANDIDATE, "values": values}, torch.ones(3).bool())
    real = allow[:, 1:]
    plain = encoder.embedding(HISTORY)[real]
    halves = tensor([[1, 10, 0], [9, 0, 0], [31, 2, 0]])[real]
    torch.testing.assert_close(found[:, 1:][real], plain + encoder.values.weight[halves])
    torch.testing.assert_close(found[:, 0], encoder.embedding(CANDIDATE))


def test_values_need_a_scene_that_has_them(text_scene):
    with pytest.raises(ValueError, match=r"^`values` needs the values of entries\. Found none in told: leave it out\."):
        made(text_scene, values=True)


def test_ages_need_the_times_of_clicks(text_scene):
    with pytest.raises(ValueError, match=r"^`ages` needs the times of clicks\. Found none in told: leave it out\."):
        made(text_scene, ages=True)
