from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from iamm.augment.synonyms import neighbours, read_synonyms, table_of
from iamm.augment.text import TextAugment, drawn
from iamm.dataset.text_format import TextFormat
from iamm.dataset.vocabulary import WordVocabulary
from iamm.errors import BadDataError, ConfigError, MissingDataError

NOTHING = {"replace": 0.0, "delete": 0.0, "mask": 0.0, "insert": 0.0}
WORDS = ("film", "movie", "good", "fine", "great")  # ids 4 to 8
SCENE = SimpleNamespace(name="texts", source=WordVocabulary(WORDS), text_format=TextFormat(lowercase=True))
LINES = "Film,movie\n\ngood,fine,unheard,great\nunheard,good\nmovie,unheard\n"


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> str:
        (tmp_path / "words.csv").write_text(text, encoding="utf-8")
        return str(tmp_path / "words.csv")

    return write


def test_a_table_by_hand(file) -> None:
    """Words are read as the scene's texts; those that it does not know are left out."""
    words = read_synonyms(file(LINES))
    assert words == {"Film": ["movie"], "good": ["fine", "unheard", "great"], "unheard": ["good"], "movie": ["unheard"]}
    expected = np.zeros((9, 2), np.int64)
    expected[4], expected[6] = (5, 0), (7, 8)
    np.testing.assert_array_equal(table_of(words, SCENE), expected)


def test_a_pair_of_words_is_no_synonym() -> None:
    with pytest.raises(ConfigError, match=r"^`augment.text.synonyms` needs words .* Found none with a synonym"):
        table_of({"film": ["good movie"], "bad": ["good"]}, SCENE)


@pytest.mark.parametrize(
    ("text", "found"), [("film\n", "'film' in .*, line 1"), ("good,fine\nfilm,,movie", "'film,,movie' in .*, line 2")]
)
def test_refuses_a_line_without_a_synonym(file, text, found) -> None:
    with pytest.raises(BadDataError, match=rf"^A line of synonyms must be word,synonym,…\. Found {found}: add one"):
        read_synonyms(file(text))


def test_refuses_what_is_no_file_of_words(tmp_path) -> None:
    with pytest.raises(MissingDataError, match=r"^`augment.text.synonyms` must be learnt or name a file\. Found no"):
        TextAugment(synonyms="here.csv")
    (tmp_path / "words.csv").write_bytes(b"film,\xff\n")
    with pytest.raises(BadDataError, match=r"^A file of synonyms must be a CSV in UTF-8\. Found in .*words.csv: "):
        read_synonyms(str(tmp_path / "words.csv"))


def test_neighbours_by_hand() -> None:
    """Of directions 0°, 10°, 30° and 180°, of any length; special ids have none and are none."""
    angles = torch.tensor([0.0, 10.0, 30.0, 180.0]).deg2rad()
    vectors = torch.stack((angles.cos(), angles.sin()), dim=1) * torch.tensor([1.0, 5.0, 0.1, 2.0])[:, None]
    embedding = torch.cat((torch.ones(4, 2), vectors))
    assert neighbours(embedding, 2).tolist() == [[0, 0]] * 4 + [[5, 6], [4, 6], [5, 4], [6, 5]]
    assert neighbours(embedding, 9).shape == (8, 3)
    assert neighbours(embedding[:5], 2).tolist() == [[0]] * 5


def test_neighbours_in_parts(monkeypatch) -> None:
    embedding = torch.randn(31, 5, generator=torch.Generator().manual_seed(0))
    whole = neighbours(embedding, 3)
    monkeypatch.setattr("iamm.augment.synonyms.CHUNK", 7)
    np.testing.assert_array_equal(neighbours(embedding, 3), whole)


def test_drawn_by_hand() -> None:
    choices = np.array([[7, 8, 0], [7, 8, 9], [0, 0, 0]])
    assert drawn(choices, np.array([0.5, 0.5, 0.9])).tolist() == [8, 8, 0]


def test_words_become_synonyms_or_are_followed_by_them(file) -> None:
    """All 400 places: film → movie; good → fine or great, each about half; movie, which has none, stays."""
    ids = torch.tensor([[1, 4, 6, 5, 3, 2]]).repeat(400, 1)
    for name, width in (("replace", 6), ("insert", 8)):
        augment = TextAugment(**NOTHING | {name: 1.0}, synonyms=file(LINES))
        augment.prepare(SCENE)
        found = augment(ids, torch.arange(400), seed=1, epoch=2, scene=SCENE)
        assert found.shape == (400, width)
        good = found[:, 2 if name == "replace" else 4]
        fixed = {"replace": [1, 5, None, 5, 3, 2], "insert": [1, 4, 5, 6, None, 5, 3, 2]}[name]
        for place, id in enumerate(fixed):
            assert id is None or found[:, place].eq(id).all()
        assert set(good.tolist()) == {7, 8}
        assert 150 < good.eq(7).sum() < 250


def test_learnt_ones_come_with_the_first_epoch() -> None:
    augment, ids = TextAugment(**NOTHING | {"replace": 1.0}, synonyms="learnt"), torch.tensor([[4, 5, 6]])
    augment.prepare(SCENE)
    assert augment.learns
    assert augment(ids, torch.arange(1), seed=1, epoch=0, scene=SCENE).equal(ids)
    augment.learn("texts", torch.cat((torch.ones(4, 2), torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))))
    augment.tables["texts"] = augment.tables["texts"][:, :1]
    assert augment(ids, torch.arange(1), seed=1, epoch=0, scene=SCENE).tolist() == [[5, 4, 5]]
