"""The pairs of `shapes` on grounds of four hues: related scenes of two views each, of which one can be left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np

from iamm.constrained import Constrained
from iamm.constraints import Count, ListOf, OneOf, Seed, Share
from iamm.dataset.base import Dataset, random_generator
from iamm.dataset.shapes import TextPairs, Vocabularies, asked_objects, image_scene, image_split, text_pairs, text_scene
from iamm.dataset.shapes_picture import pictures
from iamm.dataset.shapes_world import worlds, worlds_of_splits
from iamm.dataset.split import Split

GROUNDS = {  # dark and light, RGB
    "grey": ((30, 30, 30), (200, 200, 200)),
    "sand": ((75, 50, 15), (235, 205, 150)),
    "rose": ((85, 15, 45), (245, 175, 195)),
    "moss": ((10, 60, 25), (165, 225, 165)),
}
HIDDEN = 16  # pixels, the side of a grey square
SCENES = ("grey", "sand", "rose", "moss")
Scenes = Annotated[Sequence[str], ListOf(OneOf(SCENES), different=True)]


class ShapeDomainsDataset(list[Dataset], Constrained):
    """Pictures to classify and sentences to translate, as in `shapes`, in four domains: each is a separate data set.

    A domain is a hue of the grounds: a picture on its dark ground asks for the class of the large object, one on its
    light ground for that of the small one, and its sentence names both. So what is worth reading in the sentence hangs
    on the example, and a model that is carried over to a domain that it never met must tell the two grounds apart there
    too. Domains share the language, and no world; no world of one split occurs in another.

    Args:
        seed: seed of all random numbers.
        batch_size: instances a step, of each domain.
        scenes: any of grey, sand, rose and moss, in the order of the run; a domain does not depend on the others.
        train, validation, test: numbers of instances of each domain.
        small: probability that a picture asks for the small object.
        pixel_noise, occlusion, word_drop, word_ambiguity: as in `shapes`.
        known: domains whose sentences the vocabularies are learnt from; None = all. A run with a `target` sets it.

    Raises:
        ValueError: an unknown domain; a number outside of its range.
    """

    provides = (
        {"name": "shape_domains_{scene}_image", "kind": "image", "task": "classification", "side": 32},
        {"name": "shape_domains_{scene}_text", "kind": "text", "task": "generation"},
    )

    def __init__(
        self,
        *,
        seed: Seed,
        batch_size: Count = 32,
        scenes: Scenes = SCENES,
        train: Count = 1300,
        validation: Count = 200,
        test: Count = 500,
        small: Share = 0.5,
        pixel_noise: Share = 0.1,
        occlusion: Share = 0.25,
        word_drop: Share = 0.15,
        word_ambiguity: Share = 0.1,
        known: Scenes | None = None,
    ) -> None:
        counts = {"train": train, "validation": validation, "test": test}
        blur = (pixel_noise, occlusion, word_drop, word_ambiguity)
        made = {name: domain(seed, name, counts, small, *blur) for name in scenes}
        learnt_from = [texts["train"] for name, (_, texts) in made.items() if known is None or name in known]
        vocabularies = Vocabularies.learn(*learnt_from)
        super().__init__(
            Dataset(name, (image_scene(name, images), text_scene(name, texts, vocabularies)), batch_size)
            for name, (images, texts) in ((f"shape_domains_{each}", views) for each, views in made.items())
        )


def domain(
    seed: int,
    name: str,
    counts: Mapping[str, int],
    small: float,
    pixel_noise: float,
    occlusion: float,
    word_drop: float,
    word_ambiguity: float,
) -> tuple[dict[str, Split], dict[str, TextPairs]]:
    """Make both views of a domain, by split."""
    own = int(random_generator(seed, "shape_domains", name).integers(2**32))
    images, texts = {}, {}
    for split, count in counts.items():
        shown, here = worlds(own_worlds(seed, name, split, count)), np.ones(count, dtype=bool)
        asked = asked_objects(own, split, count, small)
        pixels = pictures(shown, asked, own, split, pixel_noise, occlusion, HIDDEN, GROUNDS[name])
        images[split] = image_split(shown, asked, pixels, here)
        texts[split] = text_pairs(shown, here, word_drop, word_ambiguity, random_generator(own, split, "words"))
    return images, texts


def own_worlds(seed: int, name: str, split: str, count: int) -> np.ndarray:
    """Numbers of the worlds of a domain's split: every fourth of those of the split, repeated if there are too few."""
    numbers = worlds_of_splits(seed)[split][SCENES.index(name) :: len(SCENES)]
    return numbers[np.arange(count) % len(numbers)]
