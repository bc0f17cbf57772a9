"""Synthetic paired scenes, in which each view can supply information that the other one lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
import torch

from iamm.constraints import Count, ListOf, Number, OneOf, Seed, Share
from iamm.dataset.base import Dataset, Scene, Split, random_generator
from iamm.dataset.fields import CLASS, PIXELS, TOKENS
from iamm.dataset.shapes_language import blurred, sentences, source_words, target_words
from iamm.dataset.shapes_picture import SIDE, pictures
from iamm.dataset.shapes_world import COLOURS, LARGE, SHAPES, SMALL, Worlds, paired_worlds, worlds, worlds_of_splits
from iamm.dataset.text_format import TextFormat
from iamm.dataset.vocabulary import WordVocabulary, framed, padded

VIEWS = ("image", "text")
Views = Annotated[Sequence[str], ListOf(OneOf(VIEWS), different=True)]
CLASSES = tuple(f"{colour} {shape}" for shape in SHAPES for colour in COLOURS)


class ShapesDataset(Dataset):
    """Small worlds of two objects with two views: a picture to classify and a sentence to translate.

    `shapes_image`: 3×32×32 pixels → colour and shape of the large object, on light ground of the small one, 24 classes.
    `shapes_text`: a sentence of up to 13 words → the whole world in 13 words of a language with another word order
    and with gender. No world of one split occurs in another.

    Args:
        seed: seed of all random numbers; each purpose has a separate generator, so that an option changes no other
            draws.
        batch_size: instances per step.
        train, validation, test: numbers of instances.
        relatedness: probability that both views show one world; else the text describes another one of the same split.
        pixel_noise: standard deviation of gaussian noise, in units of the full range of a pixel.
        occlusion: probability that a grey square hides part of the picture.
        occlusion_size: the square's side, in pixels.
        word_drop: probability that a size, colour, shape or place is left out of the source sentence.
        word_ambiguity: probability that it becomes `sized`, `coloured`, `thing` or `somewhere`.
        small: probability that a picture asks for the small object: then the pictures differ in what they want of their
            sentence.
        missing: share of the instances that lack one of their views, each with equal probability.
        views: the views that are made; the content of one does not depend on the other.

    Raises:
        ValueError: a number outside of its range; no view, or an unknown one.
    """

    provides = (
        {"name": "shapes_image", "kind": "image", "task": "classification", "side": 32},
        {"name": "shapes_text", "kind": "text", "task": "generation"},
    )
    at_most: ClassVar = {("word_drop", "word_ambiguity"): 1}

    def __init__(
        self,
        *,
        seed: Seed,
        batch_size: Count = 64,
        train: Count = 4000,
        validation: Count = 500,
        test: Count = 1000,
        relatedness: Share = 1.0,
        pixel_noise: Share = 0.3,
        occlusion: Share = 0.5,
        occlusion_size: Annotated[int, Number(1, SIDE, whole=True)] = 16,
        word_drop: Share = 0.15,
        word_ambiguity: Share = 0.1,
        small: Share = 0.0,
        missing: Share = 0.0,
        views: Views = VIEWS,
    ) -> None:
        counts = {"train": train, "validation": validation, "test": test}
        images, texts = {}, {}
        for split, numbers in worlds_of_splits(seed).items():
            pictured, described = map(worlds, paired_worlds(numbers, seed, split, counts[split], relatedness))
            has_picture, has_text = present_views(seed, split, counts[split], missing)
            asked = asked_objects(seed, split, counts[split], small)
            pixels = pictures(pictured, asked, seed, split, pixel_noise, occlusion, occlusion_size)
            images[split] = image_split(pictured, asked, pixels, has_picture)
            texts[split] = text_pairs(
                described, has_text, word_drop, word_ambiguity, random_generator(seed, "shapes", split, "words")
            )
        vocabularies = Vocabularies.learn(texts["train"])
        scenes = {"image": image_scene("shapes", images), "text": text_scene("shapes", texts, vocabularies)}
        super().__init__("shapes", tuple(scenes[view] for view in VIEWS if view in views), batch_size)


def present_views(seed: int, split: str, count: int, missing: float) -> np.ndarray:
    """Mark the views that are present; round(missing · count) instances lack one of two.  # (2, N) bool"""
    generator = random_generator(seed, "shapes", split, "missing")
    rows = generator.permutation(count)[: round(missing * count)]
    present = np.ones((2, count), dtype=bool)
    present[generator.integers(0, 2, count)[rows], rows] = False
    return present


def asked_objects(seed: int, split: str, count: int, small: float) -> np.ndarray:
    """Which object each picture's class names: the small one with probability `small`.  # (N,)"""
    draw = random_generator(seed, "shapes", split, "asked").random(count)
    return np.where(draw < small, SMALL, LARGE)


def image_split(pictured: Worlds, asked: np.ndarray, pixels: np.ndarray, present: np.ndarray) -> Split:
    """Make the split of pixels (N, 3, 32, 32), black where `present` (N,) is False; the class is the asked object's."""
    row = np.arange(len(asked))
    classes = pictured.shape[row, asked] * len(COLOURS) + pictured.colour[row, asked]
    pixels *= present[:, None, None, None]
    return Split({"image": torch.from_numpy(pixels)}, torch.from_numpy(classes), torch.from_numpy(present))


def image_scene(name: str, splits: Mapping[str, Split]) -> Scene:
    return Scene(f"{name}_image", "image", "classification", splits, {"image": PIXELS}, CLASS, CLASSES)


class TextPairs(NamedTuple):
    """N source sentences, empty where they are not present; the target sentences; present: (N,) bool."""

    source: list[str]
    target: list[str]
    present: np.ndarray


def text_pairs(
    described: Worlds, present: np.ndarray, drop: float, ambiguity: float, generator: np.random.Generator
) -> TextPairs:
    source = blurred(source_words(described), drop, ambiguity, generator)
    source[~present] = ""
    return TextPairs(sentences(source), sentences(target_words(described)), present)


class Vocabularies(NamedTuple):
    """The vocabularies of the source and of the target sentences."""

    source: WordVocabulary
    target: WordVocabulary

    @classmethod
    def learn(cls, *train: TextPairs) -> Vocabularies:
        """Learn them from the present pairs."""
        source = [text for pairs in train for text in pairs.source]
        target = [text for pairs in train for text in compress(pairs.target, pairs.present)]
        return cls(WordVocabulary.learn(source), WordVocabulary.learn(target))


def text_scene(name: str, pairs: Mapping[str, TextPairs], vocabularies: Vocabularies) -> Scene:
    source, target = vocabularies
    splits = {
        split: Split(
            {"text": padded(source.encode_all(pair.source))},
            framed(target.encode_all(pair.target)),
            torch.from_numpy(pair.present),
        )
        for split, pair in pairs.items()
    }
    made = (f"{name}_text", "text", "generation", splits, {"text": TOKENS}, TOKENS, (), source, target)
    return Scene(*made, TextFormat(lowercase=True))
