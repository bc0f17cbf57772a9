from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from iamm.engine.evaluate import evaluate
from iamm.errors import BadDataError

CPU = torch.device("cpu")


@pytest.fixture
def datasets(pictures, texts):
    return [pictures(missing=3), texts()]


@pytest.fixture
def model(network):
    return network(("pictures", "texts"), dropout=0.9)


def test_measures_by_hand(model, datasets):
    found = evaluate(model, datasets, "test", CPU)
    part = datasets[0].scenes[0].splits["test"]
    logits = model.parts["pictures"].layer(part.inputs["image"].flatten(1) / 255.0)[3:]  # the first three are missing
    assert found.measures["pictures"]["accuracy"] == (logits.argmax(1) == part.targets[3:]).double().mean()
    expected = functional.cross_entropy(logits.double(), part.targets[3:]).item()
    assert found.measures["pictures"]["loss"] == pytest.approx(expected, rel=1e-6)
    accuracies = [measures["accuracy"] for measures in found.measures.values()]
    assert found.quality == sum(accuracies) / 2
    assert {name: sum(len(part["right"]) for part in parts) for name, parts in found.outputs.items()} == {
        "pictures": 8,
        "texts": 11,
    }
    brightness = (part.inputs["image"][3:].double() / 255).mean().item()
    assert found.scene_weights["pictures"] == pytest.approx({"pictures": brightness, "texts": 2 * brightness}, rel=1e-6)


@pytest.mark.parametrize("rows", [1, 4, 7])
def test_batches_change_nothing(rows, model, datasets, monkeypatch):
    whole = evaluate(model, datasets, "validation", CPU)
    monkeypatch.setattr("iamm.engine.sampler.EVALUATION_ROWS", rows)
    cut = evaluate(model, datasets, "validation", CPU)
    for name, measures in whole.measures.items():
        assert cut.measures[name] == pytest.approx(measures, rel=1e-6)
    assert cut.scene_weights["pictures"] == pytest.approx(whole.scene_weights["pictures"], rel=1e-6)
    assert cut.quality == whole.quality


def test_twice_the_same(model, datasets):
    assert evaluate(model, datasets, "test", CPU) == evaluate(model, datasets, "test", CPU)


@pytest.mark.parametrize("training", [True, False])
def test_leaves_no_trace(training, model, datasets):
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(5)
    stream = torch.get_rng_state()
    evaluate(model, datasets, "validation", CPU)
    assert model.training is training
    assert model.parts["texts"].dropout.training is training
    torch.testing.assert_close(torch.get_rng_state(), stream, rtol=0, atol=0)
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_only_the_split_that_is_read_needs_examples(model, datasets):
    """The others may be empty or left out; what is read is refused before any work."""
    for dataset in datasets:
        dataset.scenes = tuple(replace(scene, splits={"test": scene.splits["test"]}) for scene in dataset.scenes)
    assert set(evaluate(model, datasets, "test", CPU).measures) == {"pictures", "texts"}
    with pytest.raises(BadDataError, match=r"Found none in pictures/validation: give it more data."):
        evaluate(model, datasets, "validation", CPU)
