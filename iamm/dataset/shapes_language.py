"""The two languages of `shapes`.

Source, the objects as one reads a page (row by row of the grid):
    a large red circle at top-left and a small blue cross at centre
Target, the large object first; place, article, noun, colour, size; the last three agree with the noun's gender:
    han sil du lumo kalo buro nu mol rem di zesa tova tika
"""

from __future__ import annotations

import numpy as np

from iamm.dataset.shapes_world import COLOURS, LARGE, PLACES, SHAPES, SMALL, Worlds

SIZES = ("large", "small")
VAGUE = ("sized", "coloured", "thing", "somewhere")  # for size, colour, shape and place
ATTRIBUTES = np.array((1, 2, 3, 5, 8, 9, 10, 12))  # where those four stand in a source sentence, twice

NOUN = ("lumo", "keta", "piro", "zesa")  # circle, square, triangle, cross
GENDER = np.array((0, 1, 0, 1))  # of these nouns: masculine, feminine
ARTICLE, ENDING = ("du", "di"), ("o", "a")
COLOUR = ("kal", "mir", "tov", "sun", "vel", "nep")  # red, green, blue, yellow, purple, cyan
SIZE = ("bur", "tik")  # large, small
ROW, COLUMN = ("han", "mol", "dej"), ("sil", "rem", "tor")  # top, middle, bottom; left, centre, right


def source_words(worlds: Worlds) -> np.ndarray:
    """One word a column.  # (N, 13) object"""
    order = np.where(worlds.place[:, LARGE] < worlds.place[:, SMALL], LARGE, SMALL)  # (N,) the object described first
    first, second = (described(worlds, thing) for thing in (order, 1 - order))
    return np.stack([*first, column("and", order), *second], axis=1)


def described(worlds: Worlds, thing: np.ndarray) -> list[np.ndarray]:
    """`a large red circle at top-left`, for one object of each world. thing: (N,), LARGE or SMALL.  # 6 of (N,)"""
    row = np.arange(len(thing))
    names = zip((COLOURS, SHAPES, PLACES), (worlds.colour, worlds.shape, worlds.place), strict=True)
    colour, shape, place = (words(choices)[index[row, thing]] for choices, index in names)
    return [column("a", thing), words(SIZES)[thing], colour, shape, column("at", thing), place]


def target_words(worlds: Worlds) -> np.ndarray:
    """One word a column.  # (N, 13) object"""
    large, small = (named(worlds, thing) for thing in (LARGE, SMALL))
    return np.stack([*large, column("nu", large[0]), *small], axis=1)


def named(worlds: Worlds, thing: int) -> list[np.ndarray]:
    """`han sil du lumo kalo buro`, for the large or the small object of each world.  # 6 of (N,)"""
    shape, colour = worlds.shape[:, thing], worlds.colour[:, thing]
    row, col = np.divmod(worlds.place[:, thing], 3)
    gender = GENDER[shape]
    noun = [words(ARTICLE)[gender], words(NOUN)[shape]]
    adjectives = [words(COLOUR)[colour] + words(ENDING)[gender], SIZE[thing] + words(ENDING)[gender]]
    return [words(ROW)[row], words(COLUMN)[col], *noun, *adjectives]


def blurred(sentences: np.ndarray, drop: float, vague: float, generator: np.random.Generator) -> np.ndarray:
    """Source words (N, 13), of whose attributes a share `drop` is emptied and a share `vague` says little."""
    chance = generator.random((len(sentences), len(ATTRIBUTES)))  # (N, 8)
    blurry = np.where(chance >= 1 - vague, words(VAGUE * 2), sentences[:, ATTRIBUTES])
    result = sentences.copy()
    result[:, ATTRIBUTES] = np.where(chance < drop, "", blurry)
    return result


def sentences(rows: np.ndarray) -> list[str]:
    return [" ".join(filter(None, row)) for row in rows.tolist()]


def words(choices: tuple[str, ...]) -> np.ndarray:
    return np.array(choices, dtype=object)


def column(word: str, like: np.ndarray) -> np.ndarray:
    """The same word in every sentence.  # (N,)"""
    return np.full(len(like), word, dtype=object)
