"""The products of `reviews` as scenes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from iamm.dataset.base import SPLITS, random_generator
from iamm.dataset.review_domains import SCENES, ReviewDomainsDataset
from iamm.dataset.reviews_language import KIN, NAMES, PRODUCTS, SENSE, asides, filler, opinions

COUNTS = {"train": 31, "validation": 7, "test": 11}


def texts(dataset, split="train"):
    (scene,) = dataset.scenes
    return [scene.source.decode(row) for row in scene.splits[split].inputs["text"].tolist()]


def test_each_scene_is_of_one_product():
    assert SCENES == NAMES
    made = ReviewDomainsDataset(seed=3, **COUNTS)
    assert [dataset.name for dataset in made] == [f"review_domains_{product}" for product in PRODUCTS]
    for dataset, product in zip(made, PRODUCTS, strict=True):
        assert all(f"this {product} on" in text for split in SPLITS for text in texts(dataset, split))
        assert [dataset.size(split) for split in SPLITS] == [31, 7, 11]
        assert dataset.scenes[0].splits["test"].targets.tolist() == [0, 1] * 5 + [0]
        assert dataset.notices == ()


def test_a_scene_is_the_same_beside_others():
    both = ReviewDomainsDataset(seed=3, scenes=["book", "hotel"], **COUNTS)
    alone = ReviewDomainsDataset(seed=3, scenes=["hotel"], **COUNTS)
    assert texts(both[1]) == texts(alone[0])
    assert both[0].scenes[0].source is both[1].scenes[0].source


def test_the_vocabulary_is_that_of_the_known_scenes():
    """What a word of the target alone means is unknown to a run that has not met it."""
    known = ReviewDomainsDataset(seed=3, scenes=["book", "hotel"], known=["hotel"], **COUNTS)
    alone = ReviewDomainsDataset(seed=3, scenes=["hotel"], **COUNTS)
    assert known[0].scenes[0].source.as_json() == alone[0].scenes[0].source.as_json()
    torch.testing.assert_close(known[1].scenes[0].splits["test"].inputs, alone[0].scenes[0].splits["test"].inputs)
    assert not any("plot" in text for text in texts(known[0]))


def test_what_the_docstring_says_of_words():
    """Any two products agree on a third of the words; of the three others, two contradict a product."""
    for one in range(4):
        for other in range(one):
            assert sum(sense[one] == sense[other] for sense in SENSE.values()) == len(SENSE) / 3
        for sense in SENSE.values():
            assert sum(sense[other] != sense[one] for other in range(4) if other != one) == 2


def test_kin_differ_in_name_alone():
    """With the same random numbers, a review of a tablet is that of a phone with the other name in it."""
    numbers = np.arange(1000)

    def draw(purpose, *shape):
        return random_generator(3, purpose).random((len(numbers), *shape))

    def clauses(product):
        of = np.full(len(numbers), NAMES.index(product))
        parts = (
            opinions(of, numbers % 2 == 1, 0.5, 0.25, draw),
            asides(of, 0.5, 0.25, draw),
            filler(of, 0 * numbers, draw),
        )
        return np.concatenate(parts, axis=1)

    for one, other in zip(PRODUCTS, KIN, strict=True):
        assert (np.vectorize(lambda text, a=one, b=other: text.replace(a, b))(clauses(one)) == clauses(other)).all()
    assert not (clauses("phone") == clauses("book")).all(axis=0).any()


def test_what_is_refused():
    with pytest.raises(ValueError, match="`scenes`"):
        ReviewDomainsDataset(seed=3, scenes=["sofa"], **COUNTS)
