from __future__ import annotations

import numpy as np
import pytest
import torch

from iamm.dataset.base import SPLITS
from iamm.dataset.shape_domains import GROUNDS, SCENES, ShapeDomainsDataset
from iamm.dataset.shapes import CLASSES
from iamm.dataset.shapes_language import COLOUR, NOUN
from iamm.dataset.shapes_world import COLOURS, SHAPES

COUNTS = {"train": 61, "validation": 20, "test": 60}
CLEAR = {"pixel_noise": 0.0, "occlusion": 0.0}


def sentences(dataset, split):
    text = dataset.scenes[1]
    return [text.target.decode(row) for row in text.splits[split].targets.tolist()]


def described(sentence):
    """The classes of the large and of the small object of a target sentence."""
    halves = [half.split() for half in sentence.split(" nu ")]
    return [f"{COLOURS[COLOUR.index(half[-2][:-1])]} {SHAPES[NOUN.index(half[-3])]}" for half in halves]


def test_a_ground_asks_for_its_object():
    """The class is that of the sentence's large object on the domain's dark ground, of the small one on its light."""
    for dataset, name in zip(ShapeDomainsDataset(seed=3, **COUNTS, **CLEAR), SCENES, strict=True):
        image = dataset.scenes[0].splits["test"]
        corners = [tuple(picture[:, 0, 0].tolist()) for picture in image.inputs["image"]]
        assert set(corners) == set(GROUNDS[name])
        for corner, label, sentence in zip(corners, image.targets.tolist(), sentences(dataset, "test"), strict=True):
            assert CLASSES[label] == described(sentence)[GROUNDS[name].index(corner)]


def test_no_world_stands_in_two_domains_or_splits():
    made = ShapeDomainsDataset(seed=3, **COUNTS)
    worlds = [sentence for dataset in made for split in SPLITS for sentence in sentences(dataset, split)]
    assert len(set(worlds)) == len(worlds) == 4 * sum(COUNTS.values())


def test_a_domain_does_not_depend_on_the_others():
    (alone,) = ShapeDomainsDataset(seed=3, scenes=["rose"], **COUNTS)
    among = ShapeDomainsDataset(seed=3, **COUNTS)[2]
    assert alone.name == among.name == "shape_domains_rose"
    for split in SPLITS:
        one, other = (each.scenes[0].splits[split] for each in (alone, among))
        assert torch.equal(one.inputs["image"], other.inputs["image"])
        assert sentences(alone, split) == sentences(among, split)


def test_the_vocabularies_are_those_of_the_known_domains():
    known = ShapeDomainsDataset(seed=3, scenes=["grey", "moss"], known=["grey"], **{**COUNTS, "train": 2})
    (alone,) = ShapeDomainsDataset(seed=3, scenes=["grey"], **{**COUNTS, "train": 2})
    for one in known:
        assert one.scenes[1].source.as_json() == alone.scenes[1].source.as_json()
        assert one.scenes[1].target.as_json() == alone.scenes[1].target.as_json()


def test_half_of_the_pictures_ask_for_the_small_object():
    (dataset,) = ShapeDomainsDataset(seed=3, scenes=["sand"], **{**COUNTS, "train": 4000}, **CLEAR)
    corners = dataset.scenes[0].splits["train"].inputs["image"][:, :, 0, 0].numpy()
    light = (corners == np.array(GROUNDS["sand"][1])).all(axis=1).mean()
    assert abs(light - 0.5) < 4 * (0.25 / 4000) ** 0.5


def test_what_is_refused():
    with pytest.raises(ValueError, match="`scenes`"):
        ShapeDomainsDataset(seed=3, scenes=["blue"], **COUNTS)
