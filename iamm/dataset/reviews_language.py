"""The language of `reviews`: clauses with a comma between them, in any order.

    we cooked dinner on monday , it is not small , my sister found it great , i chose this hotel on 3 may

The second clause is an opinion, the third an aside, which does not count; the first is filler, the last names the
product. Without it `small` has no meaning: it is good for a phone or a book, bad for a kettle or a hotel.
A product and its kin have the same parts, and words mean the same of both: what is good for a phone is for a tablet.
`reviews` draws the random numbers, in [0, 1).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product as pairings

import numpy as np

PRODUCTS = ("phone", "book", "kettle", "hotel")
KIN = ("tablet", "comic", "teapot", "hostel")
NAMES = PRODUCTS + KIN
PARTS = (
    ("screen", "battery", "camera", "charger"),
    ("cover", "chapter", "plot", "author"),
    ("lid", "handle", "spout", "switch"),
    ("room", "lobby", "pool", "balcony"),
)
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november")
DAYS = np.array([f"{day} {month}" for month in (*MONTHS, "december") for day in range(1, 29)], dtype=object)  # 336

BAD = ("awful", "poor", "terrible")
GOOD = ("great", "lovely", "excellent")
SENSE = {  # good or bad for a phone, a book, a kettle, a hotel
    "small": "++--",
    "large": "--++",
    "simple": "+-+-",
    "slow": "-+-+",
    "light": "+--+",
    "hot": "-++-",
}
FIXED = [(BAD, GOOD) for _ in PRODUCTS]
VARYING = [[[word for word in SENSE if SENSE[word][p] == sign] for sign in "-+"] for p in range(len(PRODUCTS))]
WORDS = np.array([FIXED, VARYING], dtype=object)  # (2, 4, 2, 3): fixed or varying, product, bad or good, word

INTRODUCTIONS = ("i chose this {} on", "i tried this {} on", "we found this {} on")
OPINIONS = ("it is", "i found it", "this {} is", "the {} was")
ASIDES = ("my sister found it", "the courier was", "the shop was", "my {} is")

WHO = ("we", "my sister", "my neighbour", "a friend", "the children")
DID = ("cooked dinner", "went home", "took the train", "waited outside", "played cards", "watched the rain")
WHEN = ("on monday", "last week", "in the evening", "after work", "before lunch")
SPOKE = ("looked at", "asked about", "talked about")
EVERYDAY = [" ".join(parts) for parts in pairings(WHO, DID, WHEN)]  # 150 clauses
FILLER = np.array(
    [EVERYDAY + [f"{who} {spoke} the {part}" for who, spoke, part in pairings(WHO, SPOKE, parts)] for parts in PARTS],
    dtype=object,
)  # (4, 210)

SHORTEST, LONGEST = 10, 30  # words of a review, without commas
MOST_OPINIONS, MOST_ASIDES, MOST_FILLER = 2, 2, 4  # clauses; the shortest filler has 5 words

Draw = Callable[..., np.ndarray]
"""draw(purpose, *shape): numbers from [0, 1) for each of N reviews, (N, *shape)."""


def introduction(product: np.ndarray, days: np.ndarray, draw: Draw) -> np.ndarray:
    """`i chose this hotel on 3 may`, on one of the days. product: (N,).  # (N, 1) object"""
    chance = draw("introduction", 2)
    opening = about(INTRODUCTIONS)[product, picked(chance[:, 0], len(INTRODUCTIONS))]
    return (opening + " " + days[picked(chance[:, 1], len(days))])[:, None]


def opinions(product: np.ndarray, good: np.ndarray, ambiguity: float, negation: float, draw: Draw) -> np.ndarray:
    """One or two clauses, as good or bad as the review. product, good: (N,).  # (N, 2) object"""
    number = 1 + picked(draw("number of opinions", 1), MOST_OPINIONS)
    opening = about(OPINIONS)[product[:, None], picked(draw("opinions", MOST_OPINIONS), len(OPINIONS))]
    verdict = judged(product, good[:, None], ambiguity, negation, draw("verdicts", MOST_OPINIONS, 3))
    return np.where(np.arange(MOST_OPINIONS) < number, opening + " " + verdict, "")


def asides(product: np.ndarray, ambiguity: float, negation: float, draw: Draw) -> np.ndarray:
    """None to two clauses that judge something of another kind, as often well as badly. product: (N,).  # (N, 2)"""
    number = picked(draw("number of asides", 1), MOST_ASIDES + 1)
    chance = draw("asides", MOST_ASIDES, 3)
    other = (product[:, None] + 1 + picked(chance[..., 0], len(PRODUCTS) - 1)) % len(PRODUCTS)
    opening = about(ASIDES)[other, picked(chance[..., 1], len(ASIDES))]
    verdict = judged(product, chance[..., 2] < 0.5, ambiguity, negation, draw("verdicts of asides", MOST_ASIDES, 3))
    return np.where(np.arange(MOST_ASIDES) < number, opening + " " + verdict, "")


def judged(product: np.ndarray, good: np.ndarray, ambiguity: float, negation: float, chance: np.ndarray) -> np.ndarray:
    """`great`, or `not awful`, where it is good; `awful`, or `not great`, where it is bad; or so with words of SENSE.
    product: (N,), good: (N, M) or (N, 1), chance: (N, M, 3).  # (N, M) object"""
    varying, negated = chance[..., 0] < ambiguity, chance[..., 1] < negation
    word = picked(chance[..., 2], WORDS.shape[-1])
    adjective = WORDS[varying.astype(int), kind(product)[:, None], (good ^ negated).astype(int), word]
    return np.where(negated, "not " + adjective, adjective)


def filler(product: np.ndarray, words: np.ndarray, draw: Draw) -> np.ndarray:
    """Clauses that judge nothing, up to a drawn length of the review. product, words so far: (N,).  # (N, 4) object"""
    length = SHORTEST + picked(draw("length", 1), LONGEST + 1 - SHORTEST)
    clauses = FILLER[kind(product)[:, None], picked(draw("filler", MOST_FILLER), FILLER.shape[1])]
    return np.where(words[:, None] + word_counts(clauses).cumsum(axis=1) <= length, clauses, "")


def about(openings: tuple[str, ...]) -> np.ndarray:
    """Each opening for each product.  # (8, openings) object"""
    return np.array([[opening.format(name) for opening in openings] for name in NAMES], dtype=object)


def kind(product: np.ndarray) -> np.ndarray:
    """The first product of the same kind."""
    return product % len(PRODUCTS)


def picked(chance: np.ndarray, count: int) -> np.ndarray:
    """Map numbers in [0, 1) to equally likely integers below `count`."""
    return (chance * count).astype(int)


def word_counts(clauses: np.ndarray) -> np.ndarray:
    return np.vectorize(lambda clause: len(clause.split()), otypes=[int])(clauses)


def joined(clauses: np.ndarray, draw: Draw) -> list[str]:
    """Join the clauses (N, M) of each review that are not empty, in a drawn order."""
    order = draw("order", clauses.shape[1]).argsort(axis=1)
    return [" , ".join(filter(None, row)) for row in np.take_along_axis(clauses, order, axis=1).tolist()]
