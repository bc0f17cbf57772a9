from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from iamm.dataset.reviews_language import (
    BAD,
    DAYS,
    FILLER,
    GOOD,
    PRODUCTS,
    SENSE,
    asides,
    filler,
    introduction,
    joined,
    judged,
    opinions,
    word_counts,
)

PHONE, BOOK, KETTLE, HOTEL = range(4)


def drawing(**chances):
    """A draw that gives these numbers, whatever the shape that is asked for; 0 for other purposes."""

    def draw(purpose: str, *shape: int) -> np.ndarray:
        given = np.array(chances.get(purpose.replace(" ", "_"), 0.0))
        return np.broadcast_to(given, (1, *shape))

    return draw


def one(index: int) -> np.ndarray:
    return np.array([index])


def test_every_varying_word_is_good_for_two_products_and_every_product_has_as_many_good_as_bad():
    assert all(Counter(senses) == {"+": 2, "-": 2} for senses in SENSE.values())
    for product in range(len(PRODUCTS)):
        assert Counter(senses[product] for senses in SENSE.values()) == {"+": 3, "-": 3}
    assert len({*SENSE, *GOOD, *BAD}) == 12


def test_any_two_products_disagree_on_as_many_words():
    for a in range(4):
        for b in range(a):
            assert sum(senses[a] != senses[b] for senses in SENSE.values()) == 4


@pytest.mark.parametrize(
    ("product", "good", "chance", "expected"),
    [
        (PHONE, True, (0.5, 0.25, 0.0), "great"),  # neither varying nor negated: both are below their probability
        (HOTEL, False, (0.9, 0.9, 0.99), "terrible"),
        (HOTEL, True, (0.9, 0.1, 0.5), "not poor"),
        (HOTEL, False, (0.9, 0.1, 0.5), "not lovely"),
        (PHONE, True, (0.4, 0.9, 0.0), "small"),
        (BOOK, False, (0.4, 0.9, 0.4), "simple"),
        (KETTLE, True, (0.4, 0.1, 0.0), "not small"),
        (KETTLE, False, (0.4, 0.1, 0.99), "not hot"),
    ],
)
def test_worked_judgements(product, good, chance, expected):
    said = judged(one(product), np.array([[good]]), 0.5, 0.25, np.array([[chance]]))
    assert said.tolist() == [[expected]]


def test_worked_introductions():
    days = DAYS[[0, -1]]
    assert introduction(one(PHONE), days, drawing()).tolist() == [["i chose this phone on 1 january"]]
    late = drawing(introduction=[0.99, 0.5])
    assert introduction(one(HOTEL), days, late).tolist() == [["we found this hotel on 28 december"]]


def test_worked_opinions():
    good = np.array([True])
    first = opinions(one(BOOK), good, 0.0, 0.0, drawing())
    assert first.tolist() == [["it is great", ""]]
    two = drawing(number_of_opinions=0.5, opinions=[0.5, 0.99], verdicts=[[0.9, 0.9, 0.0], [0.0, 0.0, 0.9]])
    assert opinions(one(BOOK), good, 0.5, 0.5, two).tolist() == [["this book is great", "the book was not light"]]


def test_worked_asides():
    assert asides(one(BOOK), 0.0, 0.0, drawing()).tolist() == [["", ""]]
    chance = [[0.0, 0.99, 0.4], [0.99, 0.3, 0.6]]  # the next product and the one before; `my …`, the courier
    two = drawing(number_of_asides=0.7, asides=chance, verdicts_of_asides=0.9)
    assert asides(one(BOOK), 0.0, 0.0, two).tolist() == [["my kettle is excellent", "the courier was terrible"]]


@pytest.mark.parametrize("product", range(4))
def test_an_aside_never_names_the_product_of_the_review(product):
    names = {
        asides(one(product), 0.0, 0.0, drawing(number_of_asides=0.9, asides=[other, 0.9, 0.0]))[0, 0].split()[1]
        for other in (0.0, 0.5, 0.9)
    }
    assert names == set(PRODUCTS) - {PRODUCTS[product]}


@pytest.mark.parametrize(
    ("words", "length", "expected"),
    [
        (10, 0.0, 0),  # a review of 10 words has no room
        (10, 0.19, 0),  # nor one of 13
        (10, 0.24, 1),  # of 15, for a clause of 5
        (10, 0.48, 2),  # of 20
        (10, 0.99, 4),  # of 30
        (27, 0.99, 0),
    ],
)
def test_filler_fits_the_length(words, length, expected):
    clauses = filler(one(PHONE), one(words), drawing(length=length))
    assert clauses.tolist() == [["we cooked dinner on monday"] * expected + [""] * (4 - expected)]


def test_filler_judges_nothing_and_names_no_product():
    assert FILLER.shape == (4, 210)
    said = {word for clause in FILLER.ravel().tolist() for word in clause.split()}
    assert not said & {*GOOD, *BAD, *SENSE, *PRODUCTS, "not"}
    assert word_counts(FILLER).min() == 5
    assert (FILLER[:, :150] == FILLER[0, :150]).all()
    own = [{clause.split()[-1] for clause in clauses[150:]} for clauses in FILLER.tolist()]
    assert len(set.union(*own)) == sum(map(len, own)) == 16


def test_clauses_are_joined_in_the_drawn_order():
    clauses = np.array([["a b", "", "c", "d"]], dtype=object)
    assert joined(clauses, drawing(order=[0.3, 0.2, 0.9, 0.1])) == ["d , a b , c"]
