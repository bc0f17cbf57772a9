from __future__ import annotations

import numpy as np
import pytest

from iamm.dataset.shapes_language import blurred, sentences, source_words, target_words
from iamm.dataset.shapes_world import COLOURS, PLACES, SHAPES, WORLDS, Worlds, worlds


def world(large: str, small: str) -> Worlds:
    """From "red circle top-left" and the like."""
    (colour, shape, place), (small_colour, small_shape, small_place) = large.split(), small.split()
    pairs = ((SHAPES, shape, small_shape), (COLOURS, colour, small_colour), (PLACES, place, small_place))
    return Worlds(*(np.array([[names.index(one), names.index(other)]]) for names, one, other in pairs))


@pytest.mark.parametrize(
    ("large", "small", "source", "target"),
    [
        (
            "red circle top-left",
            "blue cross centre",
            "a large red circle at top-left and a small blue cross at centre",
            "han sil du lumo kalo buro nu mol rem di zesa tova tika",
        ),
        (  # the small object is read first, and told last
            "cyan square bottom-right",
            "yellow triangle left",
            "a small yellow triangle at left and a large cyan square at bottom-right",
            "dej tor di keta nepa bura nu mol sil du piro suno tiko",
        ),
        (
            "purple triangle top",
            "green square bottom",
            "a large purple triangle at top and a small green square at bottom",
            "han rem du piro velo buro nu dej rem di keta mira tika",
        ),
    ],
)
def test_worked_sentences(large, small, source, target):
    one = world(large, small)
    assert sentences(source_words(one)) == [source]
    assert sentences(target_words(one)) == [target]


def test_each_world_has_sentences_of_its_own():
    every = worlds(np.arange(WORLDS))
    assert len(set(sentences(source_words(every)))) == WORLDS
    assert len(set(sentences(target_words(every)))) == WORLDS


def test_sentences_equal_a_naive_grammar():
    numbers = np.random.default_rng(3).integers(0, WORLDS, 101)
    some = worlds(numbers)
    found = zip(sentences(source_words(some)), sentences(target_words(some)), strict=True)
    for n, (source, target) in enumerate(found):
        told = []
        for thing, size in enumerate(("large", "small")):
            shape, colour, place = (int(part[n, thing]) for part in some)
            told.append((place, f"a {size} {COLOURS[colour]} {SHAPES[shape]} at {PLACES[place]}"))
        assert source == " and ".join(text for _, text in sorted(told))
        assert target == " nu ".join(naive_target(*(int(part[n, thing]) for part in some), thing) for thing in (0, 1))


def naive_target(shape: int, colour: int, place: int, thing: int) -> str:
    article, end = ("di", "a") if SHAPES[shape] in ("square", "cross") else ("du", "o")
    noun = {"circle": "lumo", "square": "keta", "triangle": "piro", "cross": "zesa"}[SHAPES[shape]]
    hue = {"red": "kal", "green": "mir", "blue": "tov", "yellow": "sun", "purple": "vel", "cyan": "nep"}[
        COLOURS[colour]
    ]
    where = f"{('han', 'mol', 'dej')[place // 3]} {('sil', 'rem', 'tor')[place % 3]}"
    return f"{where} {article} {noun} {hue}{end} {('bur', 'tik')[thing]}{end}"


def test_blurring_all():
    words = source_words(world("red circle top-left", "blue cross centre"))
    draw = np.random.default_rng
    assert sentences(blurred(words, 1.0, 0.0, draw(0))) == ["a at and a at"]
    vague = "a sized coloured thing at somewhere and a sized coloured thing at somewhere"
    assert sentences(blurred(words, 0.0, 1.0, draw(0))) == [vague]
    assert sentences(blurred(words, 0.0, 0.0, draw(0))) == sentences(words)


def test_blurring_has_its_shares_and_leaves_the_rest():
    clean = source_words(worlds(np.arange(0, WORLDS, 13)))
    noisy = blurred(clean, 0.15, 0.1, np.random.default_rng(0))
    attributes = [1, 2, 3, 5, 8, 9, 10, 12]
    fixed = [0, 4, 6, 7, 11]
    assert (noisy[:, fixed] == clean[:, fixed]).all()
    told, kept = noisy[:, attributes], clean[:, attributes]
    vague = np.isin(told.astype(str), ("sized", "coloured", "thing", "somewhere"))
    assert abs((told == "").mean() - 0.15) < 0.01
    assert abs(vague.mean() - 0.1) < 0.01
    assert ((told == kept) | (told == "") | vague).all()


def test_more_blur_adds_to_less():
    clean = source_words(worlds(np.arange(0, WORLDS, 101)))
    less, more = (blurred(clean, drop, 0.1, np.random.default_rng(0)) for drop in (0.1, 0.3))
    assert (more[less == ""] == "").all()
    assert (more[(more != less)] == "").all()
