"""A trained model answers as it was evaluated, and needs none of the data that it learnt from."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import iamm
from iamm.dataset.digits import DigitsDataset
from iamm.engine.collate import collate
from iamm.engine.evaluate import evaluate
from iamm.engine.sampler import evaluation_batches
from iamm.errors import BadDataError, ConfigError, MissingDataError
from iamm.record.checksummed import checked, write_checksummed
from iamm.record.run_folder import read_result
from iamm.run.build import build_datasets

CPU = torch.device("cpu")


def evaluated(cell):
    """The scene's test split, and what its head noted of each example, in the order of the split."""
    (dataset,) = build_datasets(cell.values)
    (scene,) = dataset.scenes
    noted = evaluate(iamm.load(cell.folder.path).network, [dataset], "test", CPU).outputs[scene.name]
    order = torch.cat(list(evaluation_batches(dataset, "test"))).argsort()
    return scene, noted, order


def test_pictures_as_in_evaluation(digits):
    scene, noted, order = evaluated(digits)
    split = scene.splits["test"]
    answers = list(iamm.load(digits.folder.path).predict(split.inputs["image"].numpy(), at_once=101))
    found = torch.tensor([list(answer["probabilities"].values()) for answer in answers], dtype=torch.float64)
    expected = torch.cat([part["log_probabilities"] for part in noted]).double().exp()[order]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    hits = [int(answer["class"]) == target for answer, target in zip(answers, split.targets.tolist(), strict=True)]
    assert sum(hits) / len(hits) == read_result(digits.folder.path)["test"]["digits"]["accuracy"]


def test_texts_as_in_evaluation(reviews):
    scene, noted, order = evaluated(reviews)
    split = scene.splits["test"]
    texts = [f" {scene.source.decode(row).capitalize()}\n" for row in split.inputs["text"].tolist()]
    answers = list(iamm.load(reviews.folder.path).predict(texts, "reviews", at_once=7))
    found = torch.tensor([list(answer["probabilities"].values()) for answer in answers], dtype=torch.float64)
    expected = torch.cat([part["log_probabilities"] for part in noted]).double().exp()[order]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_written_texts_as_in_evaluation(written):
    scene, noted, order = evaluated(written)
    texts = [scene.source.decode(row) for row in scene.splits["test"].inputs["text"].tolist()]
    answers = [answer["text"] for answer in iamm.load(written.folder.path).predict(texts, at_once=3)]
    said = [text for part in noted for text in part["written"]]
    assert answers == [said[place] for place in order.tolist()]


def test_needs_no_data(digits, monkeypatch):
    monkeypatch.setattr(DigitsDataset, "__init__", None)
    trained = iamm.load(str(digits.folder.path))
    (answer,) = trained.predict([np.zeros((1, 8, 8), np.uint8)])
    assert list(answer["probabilities"]) == list("0123456789")
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_its_own_state_of_random_numbers_is_left_alone(digits):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    iamm.load(digits.folder.path)
    torch.testing.assert_close(torch.rand(3), expected)


def test_attention(digits):
    (answer,) = iamm.load(digits.folder.path).predict([np.zeros((1, 8, 8), np.uint8)], attention=True)
    seen = answer["attention"]
    assert seen["queries"] == [answer["class"]]
    assert seen["keys"] == ["0,0", "0,1", "1,0", "1,1"]
    assert sum(seen["weights"][0]) == pytest.approx(1, abs=1e-5)


def test_a_scene_of_several_views_is_asked_alone(shapes):
    trained = iamm.load(shapes.folder.path)
    (seen,) = trained.predict([np.zeros((3, 32, 32), np.uint8)], "shapes_image")
    assert len(seen["probabilities"]) == 24
    (heard,) = trained.predict(["a red circle"], "shapes_text")
    assert isinstance(heard["text"], str)


def test_missing_views_are_as_in_training(shapes):
    """Row by row the same as the data set's own batch, in which the other view is absent."""
    trained = iamm.load(shapes.folder.path)
    (dataset,) = build_datasets(shapes.values)
    batch = collate(dataset, "test", torch.arange(5), CPU)
    text = batch["shapes_text"]
    inputs = {"text": torch.zeros_like(text.inputs["text"])}
    batch["shapes_text"] = text._replace(inputs=inputs, present=torch.zeros_like(text.present))
    expected = trained.network.answers(batch, "shapes_image")
    pictures = dataset.scenes[0].splits["test"].inputs["image"][:5].numpy()
    found = list(trained.predict(pictures, "shapes_image"))
    for one, other in zip(found, expected, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (np.zeros((3, 8, 8), np.uint8), r"bytes \(1, 8, 8\)\. Found uint8 \(3, 8, 8\) in input 2"),
        (np.zeros((1, 8, 8)), r"Found float64 \(1, 8, 8\) in input 2"),
        ("no/such.png", r"no/such\.png"),
    ],
)
def test_inputs_that_are_no_picture(digits, given, line):
    good = np.zeros((1, 8, 8), np.uint8)
    with pytest.raises((BadDataError, MissingDataError), match=line):
        list(iamm.load(digits.folder.path).predict([good, given]))


@pytest.mark.parametrize(("given", "line"), [(" \t", "Found none in input 1"), (7, "Found int in input 1")])
def test_inputs_that_are_no_text(reviews, given, line):
    with pytest.raises(BadDataError, match=line):
        list(iamm.load(reviews.folder.path).predict([given]))


def test_a_scene_that_the_run_lacks(shapes):
    trained = iamm.load(shapes.folder.path)
    with pytest.raises(ConfigError, match=r"Found shapes\. .*Choices: shapes_image, shapes_text"):
        trained.scene("shapes")
    with pytest.raises(ConfigError, match=r"Found none: give scene=…\."):
        trained.scene()


def test_interest_is_that_of_the_network(trained):
    """p and w of each scene, α of each place that the text has; the other view is absent, and counts nothing."""
    sizes = (f"dataset.shapes.{name}" for name in ("train=64", "validation=16", "test=16"))
    small = ("encoder.image.channels=[8,8]", "head.generation.max_length=3")
    run = trained("dataset=[shapes]", "model=iamm", *sizes, *small)
    model = iamm.load(run.folder.path)
    text = " ".join(model.scenes["shapes_text"].source.piece(number) for number in (5, 6, 7))
    (answer,) = model.predict([text], scene="shapes_text", attention=True, tokenised=True)
    found = answer["interest"]
    assert set(found["resembles"]) == set(found["scenes"]) == {"shapes_image", "shapes_text"}
    assert sum(found["resembles"].values()) == pytest.approx(1, abs=1e-5)
    assert found["scenes"]["shapes_image"] == 0
    batch = model.batch(model.scenes["shapes_text"], [{"text": torch.tensor([5, 6, 7])}])
    places = model.network.interest(batch)["shapes_text"].places[0, 0, : len(found["keys"])]
    assert found["weights"][0] == pytest.approx(places.tolist(), abs=1e-6)
    assert found["keys"][:3] == text.split()
    assert sum(found["weights"][0]) == pytest.approx(1, abs=1e-5)


def test_attention_that_is_not_there(trained):
    plain = trained("dataset=[digits]", "model=cnn", "encoder.image.channels=[8,8]")
    with pytest.raises(ConfigError, match=r"needs a head with one, or interest\. Found digits without"):
        list(iamm.load(plain.folder.path).predict([np.zeros((1, 8, 8), np.uint8)], attention=True))


def test_scenes_that_are_not_as_they_were_written(digits):
    whole = digits.folder.scenes.read_bytes()
    try:
        digits.folder.scenes.write_bytes(whole.replace(b'"digits"', b'"digitz"'))
        with pytest.raises(BadDataError, match=r"scenes\.json: its SHA-256 is not right"):
            iamm.load(digits.folder.path)
        write_checksummed(digits.folder.scenes, {**checked(whole), "groups": [[{}]]})
        with pytest.raises(BadDataError, match=r"scenes\.json: 'fields'"):
            iamm.load(digits.folder.path)
        digits.folder.scenes.unlink()
        with pytest.raises(MissingDataError, match=r"Found no .*scenes\.json"):
            iamm.load(digits.folder.path)
    finally:
        digits.folder.scenes.write_bytes(whole)
    assert json.loads(whole)["groups"][0][0]["fields"]["image"]["shape"] == [1, 8, 8]


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(MissingDataError, match="must name the folder of a finished run"):
        iamm.load(tmp_path)
