from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from iamm.dataset.vocabulary import (
    BOS,
    EOS,
    PAD,
    UNKNOWN,
    SubwordVocabulary,
    WordVocabulary,
    framed,
    normalised,
    padded,
    words_apart,
)

TEXTS = ("b a c", "a b", "a d", "b e")
LETTERS = "etaoin shrdlué."
SUBWORDS = SubwordVocabulary.learn(["the lion sat in the sun.", "it is near", "a dune é", "resolute hour"], size=40)


def test_words_are_sorted_by_frequency_then_alphabet():
    vocabulary = WordVocabulary.learn(TEXTS)
    assert [vocabulary.piece(i) for i in range(len(vocabulary))] == ["<pad>", "<s>", "</s>", "<unk>", *"abcde"]
    assert vocabulary.encode("e a  b") == [8, 4, 5]


def test_rare_and_new_words_are_unknown():
    vocabulary = WordVocabulary.learn(TEXTS, min_count=2)
    assert len(vocabulary) == 6
    assert vocabulary.encode("a c z b") == [4, UNKNOWN, UNKNOWN, 5]
    assert vocabulary.decode([BOS, 4, UNKNOWN, 5, EOS, PAD]) == "a ⁇ b"


def test_a_word_spelled_like_a_special_one_is_a_word():
    vocabulary = WordVocabulary.learn(["<pad> </s> x"])
    assert min(vocabulary.encode("<pad> </s> x")) == 4
    assert vocabulary.encode("<s>") == [UNKNOWN]
    assert vocabulary.decode(vocabulary.encode("<pad> </s> x")) == "<pad> </s> x"


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1))
def test_words_survive_the_round_trip(texts):
    vocabulary = WordVocabulary.learn(texts)
    for text in texts:
        assert vocabulary.decode(vocabulary.encode(text)) == " ".join(text.split())
    assert vocabulary.encode_all(texts) == [vocabulary.encode(text) for text in texts]


@settings(deadline=None)
@given(st.text(LETTERS))
def test_subwords_survive_the_round_trip(text):
    text = normalised(text, lowercase=True)
    ids = SUBWORDS.encode(text)
    assert UNKNOWN not in ids
    assert SUBWORDS.decode([BOS, *ids, EOS, PAD]) == text


def test_subwords_have_our_special_ids_and_join_what_is_frequent():
    # a and b stand together three times: they are joined first, then with the space before them.
    vocabulary = SubwordVocabulary.learn(["ab ab ab c"], size=10)
    assert [vocabulary.piece(i) for i in range(6)] == ["<pad>", "<s>", "</s>", "<unk>", "ab", "▁ab"]
    assert sorted(vocabulary.piece(i) for i in range(6, 10)) == ["a", "b", "c", "▁"]


def test_subwords_mark_what_train_lacks():
    ids = SUBWORDS.encode("sun€")
    assert ids.count(UNKNOWN) == 1
    assert SUBWORDS.decode(ids) == "sun⁇"


def test_subword_batches_equal_single_texts_and_learning_repeats():
    texts = ["the sun", "a lion.", ""]
    assert SUBWORDS.encode_all(texts) == [SUBWORDS.encode(text) for text in texts]
    again = SubwordVocabulary.learn(["the lion sat in the sun.", "it is near", "a dune é", "resolute hour"], size=40)
    assert [again.piece(i) for i in range(len(again))] == [SUBWORDS.piece(i) for i in range(len(SUBWORDS))]


def test_subwords_need_room_for_each_character():
    assert len(SubwordVocabulary.learn(["ab ab"], size=7)) == 7  # 4 special ones, a, b and the space
    with pytest.raises(ValueError, match=r"`subwords` must hold every character: 7 pieces at least. Found 6."):
        SubwordVocabulary.learn(["ab ab"], size=6)


def test_more_subwords_than_there_are_is_no_error():
    assert 7 <= len(SubwordVocabulary.learn(["ab ab"], size=6000)) < 20


def test_normalised():
    assert normalised(" Ein\u00a0 GROSSER\tHund ", lowercase=True) == "ein grosser hund"
    assert normalised("E\u0301a ▁", lowercase=False) == "\u00c9a _"
    assert words_apart("l'homme, 2 fois.") == "l ' homme , 2 fois ."


@settings(deadline=None)
@given(st.text(), st.booleans())
def test_normalising_twice_is_normalising_once(text, lowercase):
    once = normalised(text, lowercase=lowercase)
    assert normalised(once, lowercase=lowercase) == once


def test_padding_and_frame():
    torch.testing.assert_close(padded([[7, 8, 9], [], [5]]), torch.tensor([[7, 8, 9], [0, 0, 0], [5, 0, 0]]))
    torch.testing.assert_close(framed([[7, 8], []]), torch.tensor([[1, 7, 8, 2], [1, 2, 0, 0]]))
    assert padded([]).shape == (0, 0)
