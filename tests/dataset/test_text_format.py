from __future__ import annotations

import pytest

from iamm.dataset.text_format import TextFormat, treebank
from iamm.dataset.vocabulary import UNKNOWN, WordVocabulary


def test_words_as_a_treebank_has_them():
    assert treebank("It's \"fine\", I don't...") == "it 's `` fine '' , i do n't ..."
    assert treebank("A long-term buy: $9.99!") == "a long-term buy : $ 9 . 99 !"


@pytest.mark.parametrize(
    ("text_format", "tidied"),
    [
        (TextFormat(), "It's a Cafe\u0301_, no?".replace("e\u0301", "\u00e9")),
        (TextFormat(lowercase=True), "it's a caf\u00e9_, no?"),
        (TextFormat(words="apart"), "It ' s a Caf\u00e9_ , no ?"),
        (TextFormat(lowercase=True, words="treebank"), "it 's a caf\u00e9_ , no ?"),
    ],
)
def test_letters_and_words(text_format, tidied):
    assert text_format.tidied(" It's  a Cafe\u0301▁,\tno? ") == tidied
    assert text_format.tidied(tidied) == tidied


def test_ids_are_cut_behind_the_longest():
    vocabulary = WordVocabulary(["a", "b"])
    assert TextFormat(max_length=3).ids("a c b a", vocabulary) == [4, UNKNOWN, 5]
    assert TextFormat().ids("a c b a", vocabulary) == [4, UNKNOWN, 5, 4]


def test_refuses_words_that_it_does_not_know():
    with pytest.raises(ValueError, match=r"`words` must be one of spaces, apart, treebank\. Found stems\."):
        TextFormat(words="stems")
