"""The products of `reviews` as scenes."""

from __future__ import annotations

import pytest
import torch

from iamm.dataset.base import SPLITS
from iamm.dataset.review_domains import SCENES, ReviewDomainsDataset
from iamm.dataset.reviews_language import PRODUCTS, SENSE

COUNTS = {"train": 31, "validation": 7, "test": 11}


def texts(dataset, split="train"):
    (scene,) = dataset.scenes
    return [scene.source.decode(row) for row in scene.splits[split].inputs["text"].tolist()]


def test_each_scene_is_of_one_product():
    assert SCENES == PRODUCTS
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


def test_what_is_refused():
    with pytest.raises(ValueError, match="`scenes`"):
        ReviewDomainsDataset(seed=3, scenes=["sofa"], **COUNTS)
