"""Test-time augmentation by hand: versions of small pictures, and the mean answer to them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from iamm.dataset.base import Dataset, Scene
from iamm.dataset.fields import CLASS, PIXELS, TOKENS
from iamm.dataset.split import Split
from iamm.encoder.base import Features
from iamm.engine.technique.augmentation import augmented_measures, pictured, versions
from iamm.errors import ConfigError
from iamm.head.classifier import ClassifierHead
from iamm.head.generator import GeneratorHead

PICTURE = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).view(1, 1, 2, 3)


def test_versions_by_hand():
    """Shifted down and right, the row above is the second and the column to the left too: pixels are reflected."""
    mirror = [[3.0, 2.0, 1.0], [6.0, 5.0, 4.0]]
    down, up = [[5.0, 4.0, 5.0], [2.0, 1.0, 2.0]], [[5.0, 6.0, 5.0], [2.0, 3.0, 2.0]]
    plain = PICTURE[0, 0].tolist()
    assert shown("mirror") == [(0.5, plain), (0.5, mirror)]
    mirrored = [[row[::-1] for row in picture] for picture in (down, up)]
    assert shown("mirror_shift") == [
        *((0.25, plain), (0.25, mirror), (0.125, down), (0.125, mirrored[0]), (0.125, up), (0.125, mirrored[1]))
    ]


def shown(choice):
    return [(weight, pictures[0, 0].tolist()) for weight, pictures in versions(PICTURE, choice)]


class FirstPixel(nn.Module):
    """The logits are the pixel at the top left, times ln 9, and 0."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self.classifier = ClassifierHead(scene, 2, norm=False, dropout=0.0)
        with torch.no_grad():
            self.classifier.output.weight.copy_(torch.tensor([[math.log(9), 0.0], [0.0, 0.0]]))
            self.classifier.output.bias.zero_()

    def head(self, name):
        return self.classifier

    def observe(self, batch, only):
        part = batch[only]
        pixel = part.inputs["image"][:, 0, 0, 0]  # (B,)
        features = Features(torch.stack((pixel, torch.zeros_like(pixel)), dim=1)[:, None], part.present[:, None])
        return {only: self.classifier.observe(features, part)}, {}

    def measure(self, outputs):
        return {name: self.classifier.measure(parts) for name, parts in outputs.items()}, {}


def scene(inputs, targets, field=PIXELS, kind="image"):
    split = Split({kind: inputs}, torch.tensor(targets), torch.ones(len(targets), dtype=torch.bool))
    splits = dict.fromkeys(("train", "validation", "test"), split)
    return Scene("photos", kind, "classification", splits, {kind: field}, CLASS, classes=("a", "b"))


@pytest.mark.parametrize(("choice", "logits"), [("mirror", (0.5, 0.0)), ("mirror_shift", (0.5, 0.25))])
def test_the_mean_answer_by_hand(choice, logits):
    """In ln 9: of white left, black right, ½; of one white pixel at the bottom right none; shifted it is at the top.

    The second is read by two of the four versions that are shifted (both shifts of a 2×2 picture are one), so ¼.
    """
    pictures = torch.tensor([[[255, 0], [255, 0]], [[0, 0], [0, 255]]], dtype=torch.uint8)[:, None]
    dataset = Dataset("photos", (scene(pictures, [0, 1]),))
    found = augmented_measures(FirstPixel(dataset.scenes[0]), [dataset], torch.device("cpu"), choice)["photos"]
    first, second = (9**logit for logit in logits)
    assert found["loss_augmented"] == pytest.approx(-(math.log(first / (first + 1)) + math.log(1 / (second + 1))) / 2)
    assert found["accuracy_augmented"] == 0.5


def test_scenes_without_pictures_and_heads_without_a_mean():
    words = Dataset("texts", (scene(torch.tensor([[5, 6], [7, 0]]), [0, 1], TOKENS, "text"),))
    with pytest.raises(ConfigError, match=r"^`log.augmented` needs scenes of pictures .* Found none: leave it out"):
        pictured(FirstPixel(words.scenes[0]), [words])
    photos = Dataset("photos", (scene(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), [0, 1]),))
    model = FirstPixel(photos.scenes[0])
    assert pictured(model, [words, photos]) == [(photos, ["photos"])]
    model.head = lambda name: GeneratorHead.__new__(GeneratorHead)
    with pytest.raises(ConfigError, match="Found none"):
        pictured(model, [photos])
