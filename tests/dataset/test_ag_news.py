from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
import torch

from iamm.dataset.ag_news import (
    CLASSES,
    FILE,
    AgNewsDataset,
    Story,
    fields_of,
    read_stories,
    split_rows,
    text_of,
    words_of,
)
from iamm.dataset.base import SPLITS
from iamm.dataset.text_format import TextFormat
from iamm.dataset.vocabulary import UNKNOWN, SubwordVocabulary, WordVocabulary
from iamm.errors import BadDataError, MissingDataError

TOPICS = ("war", "goal", "stock", "robot")
COUNT = 1703  # 1,600 are held out


def write(folder: Path, content: bytes) -> None:
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content))


def csv_of(stories: list[Story]) -> bytes:
    rows = (f'"{label + 1}","{title}","{description}"\n' for label, title, description in stories)
    return "".join(rows).encode()


def invented() -> list[Story]:
    """A word of the topic, and a number of its own."""
    return [Story(n % 4, f"{TOPICS[n % 4]} news", f"A {TOPICS[n % 4]} of number {n}") for n in range(COUNT)]


@pytest.fixture
def folder(tmp_path) -> Path:
    write(tmp_path, csv_of(invented()))
    return tmp_path


def made(folder: Path, **changes) -> AgNewsDataset:
    return AgNewsDataset(**{"data_dir": str(folder), "subwords": 60, **changes})


def texts(dataset: AgNewsDataset, split: str) -> list[str]:
    scene = dataset.scenes[0]
    return [scene.source.decode(row) for row in scene.splits[split].inputs["text"].tolist()]


def test_rows_become_classes_and_texts(folder):
    stories = read_stories(str(folder))
    assert stories == invented()
    rows = split_rows(stories)
    scene = made(folder).scenes[0]
    assert (scene.name, scene.kind, scene.task, scene.classes) == ("ag_news", "text", "classification", CLASSES)
    for split in SPLITS:
        assert texts(made(folder), split) == [
            f"{TOPICS[r % 4]} news. a {TOPICS[r % 4]} of number {r}" for r in rows[split]
        ]
        assert scene.splits[split].targets.tolist() == [r % 4 for r in rows[split]]
    assert texts(made(folder, lowercase=False), "test")[0].endswith(
        f". A {TOPICS[rows['test'][0] % 4]} of number {rows['test'][0]}"
    )


def test_fields_with_quotes_and_without():
    assert fields_of('1,"say ""hi"", all",plain, \'', 7) == [(1, "1"), (3, 'say "hi", all'), (21, "plain"), (27, " '")]
    assert fields_of('"",', 7) == [(1, ""), (4, "")]


def test_each_row_stands_in_one_split_and_each_class_in_equal_parts():
    stories = invented()
    rows = split_rows(stories, held_out=101)
    assert sorted(row for chosen in rows.values() for row in chosen) == list(range(COUNT))
    for split in ("validation", "test"):
        assert [sum(row % 4 == label for row in rows[split]) for label in range(4)] == [101] * 4


def test_the_split_depends_on_the_texts_alone():
    """Not on the order of the file; and a story less or more moves hardly another."""
    stories = invented()
    expected = {split: {stories[row] for row in rows} for split, rows in split_rows(stories).items()}
    backwards = stories[::-1]
    assert {split: {backwards[row] for row in rows} for split, rows in split_rows(backwards).items()} == expected
    fewer = stories[1:]
    moved = {fewer[row] for row in split_rows(fewer)["test"]} ^ expected["test"]
    assert len(moved) <= 2


def test_stories_of_one_description_stay_together():
    """Whatever title, class and punctuation they have; here each description stands three times."""
    stories = [Story(n % 2, f"title {n}", f"{'the' if n % 3 else 'The,'} text {n // 3}!") for n in range(90)]
    rows = split_rows(stories, held_out=7)
    seen = [{words_of(stories[row].description) for row in rows[split]} for split in SPLITS]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 30
    assert [len(rows[split]) for split in ("validation", "test")] == [12, 12]  # two groups of each class, six of seven


@pytest.mark.parametrize(
    ("title", "description", "text"),
    [
        ("Fears  for pension", "Union #39;s view", "fears for pension. union's view"),
        ("A #36;10 deal", "an  #36;10 deal", "a$10 deal. an $10 deal"),
        ("B", "a race\\to the  quot;top quot; &lt;b&gt;now&lt;/b&gt; ...", 'b. a race to the "top" now ...'),
        ("AT amp;T &amp; co", "10 &lt; 11  #151; so #1; and #12345;", "at&t & co. 10 < 11 — so #1; and #12345;"),
        ("A result; a champ;", "lt;b gt;melt; AT&amp;T", "a result; a champ;. melt; at&t"),
        ("Caf\u0065\u0301", "x▁y", "café. x_y"),
    ],
)
def test_what_is_left_of_html_is_undone(title, description, text):
    assert TextFormat(lowercase=True).tidied(text_of(Story(0, title, description))) == text


def test_the_vocabulary_is_learnt_on_the_training_texts(folder):
    scene = made(folder).scenes[0]
    train = texts(made(folder), "train")
    expected = SubwordVocabulary.learn(train, size=60)
    assert [scene.source.piece(i) for i in range(len(scene.source))] == [
        expected.piece(i) for i in range(len(expected))
    ]


def test_words_apart_from_punctuation(folder):
    scene = made(folder, subwords=None, min_count=2).scenes[0]
    assert [scene.source.piece(i) for i in range(4, 8)] == [".", "a", "news", "number"]
    inputs = scene.splits["test"].inputs["text"]
    assert inputs.shape == (800, 8)  # war news . a war of number 17
    assert (inputs[:, 7] == UNKNOWN).all()  # each number stands once
    every = made(folder, subwords=None, min_count=1).scenes[0]
    assert len(every.source) == 4 + 5 + 4 + 103  # . a news of number, the topics, the numbers of the training texts


def test_train_takes_the_first_stories_for_the_vocabulary_too(folder):
    whole, part = made(folder, subwords=None, min_count=1), made(folder, subwords=None, min_count=1, train=5)
    assert part.size("train") == 5
    assert texts(part, "train") == texts(whole, "train")[:5]
    assert len(part.scenes[0].source) == len(WordVocabulary.learn(texts(part, "train")))
    assert part.size("test") == whole.size("test") == 800


def test_long_texts_are_cut_with_a_notice(folder):
    write(folder, csv_of([*invented(), Story(2, "stock news", "one two three four five six")]))
    whole = made(folder, subwords=None, min_count=1)
    cut = made(folder, subwords=None, min_count=1, max_length=8)
    assert [notice for notice in whole.notices if "cut" in notice] == []
    assert cut.notices[0] == "ag_news: 1 of 1,704 texts are cut to their first 8 tokens."
    for split in SPLITS:
        kept = whole.scenes[0].splits[split].inputs["text"][:, :8]
        assert torch.equal(cut.scenes[0].splits[split].inputs["text"], kept)


def test_texts_that_are_equal_when_cut_get_a_notice(folder):
    dataset = made(folder, subwords=None, max_length=5)
    assert dataset.notices[1] == "ag_news: 4 of 4 distinct validation examples also stand in train."


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b'"1","a","b"\n"2","c"\n', r"have a class from 1 to 4, .* Found 2 fields in line 2, column 8: "),
        (b'"1","a","b"\n"2","c","d","e"\n', r"have a class .* Found 4 fields in line 2, column 13: "),
        (b'"1","a","b"\n"0","c","d"\n', r"have a class from 1 to 4, .* Found class '0' in line 2, column 1: "),
        (b'"one","c","d"\n', r"have a class from 1 to 4, .* Found class 'one' in line 1, column 1: "),
        ('"1","a","b"\n"٣","c","d"\n'.encode(), r"have a class .* Found class '٣' in line 2, column 1: "),
        (b'"1","a","b"\n"3","  ","dog"\n', r"have a class .* Found an empty text in line 2, column 5: "),
        (b'"1","a","b"\n\n', r"have a text in each line\. Found none in line 2, column 1: "),
        (b'"1","a","b"\n"2","a" b,"c"\n', r"be comma-separated, .* Found '\"a\" b,\"c\"' in line 2, column 5: "),
        ('"1","ä","b"\n"2","ö","d\n'.encode(), r"be comma-separated, .*\. Found '\"d' in line 2, column 9: "),
        (b'"1","a","b"\n"2","c\n', r"be comma-separated, .* Found '\"c' in line 2, column 5: "),
        (b'"1","a","b"\n=cmd|\' /C calc\'!A0,"c","d"\n', r"have a class .* Found class .* in line 2, column 1: "),
        ('"1","a","b"\n"2","ö","d'.encode() + b'\xff"\n', r"be UTF-8\. .* byte in line 2, column 11: "),
        (b'"1","a","b"\n"2","c","d\0"\n', r"be text, .* Found U\+0000 in line 2, column 11: "),
        (b'"1","a","b"\n', r"have more than 1,600 stories\. Found 1: "),
        (b"", r"be a whole gzip file\. Found nothing in it in line 1, column 1: "),
    ],
)
def test_bad_rows_are_named(folder, content, found):
    write(folder, content)
    with pytest.raises(BadDataError, match=rf"^{FILE} must {found}"):
        made(folder)


def test_a_class_without_stories_is_named(folder):
    write(folder, csv_of([story for story in invented() if story.label != 2] * 2))
    with pytest.raises(BadDataError, match=r"must have stories of each class\. Found none of 3: get it again"):
        read_stories(str(folder))


def test_cut_and_missing_files_are_named(folder, tmp_path):
    path = folder / FILE
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(
        BadDataError, match=rf"^{FILE} must be a whole gzip file. Found an early end in line 1,704, column 1: "
    ):
        made(folder)
    with pytest.raises(MissingDataError, match=rf"needs {FILE}\. Looked in .*: set data_dir=… or IAMM_DATA_DIR"):
        made(tmp_path / "elsewhere")


@pytest.mark.parametrize(("name", "least"), [("train", 1), ("subwords", 5), ("max_length", 1), ("min_count", 1)])
def test_impossible_arguments_are_refused(folder, name, least):
    with pytest.raises(ValueError, match=rf"`{name}` must be a whole number at least {least}.* Found 0"):
        made(folder, **{name: 0})


@pytest.fixture(scope="module")
def real() -> AgNewsDataset:
    try:
        return AgNewsDataset(data_dir=os.environ.get("IAMM_DATA_DIR"))
    except MissingDataError as error:
        pytest.skip(str(error))


def test_real_sizes(real):
    assert [real.size(split) for split in SPLITS] == [6_000, 800, 800]
    for split, each in zip(SPLITS, (1_500, 200, 200), strict=True):
        assert real.scenes[0].splits[split].targets.bincount().tolist() == [each] * 4
    assert real.notices == ("ag_news: 615 of 7,600 texts are cut to their first 80 tokens.",)


def test_real_test_stories_are_always_the_same(real):
    scene = real.scenes[0]
    assert texts(real, "test")[0].startswith("jordan prince loses succession. jordan's prince hamzah says he is")
    classes = [scene.classes[index] for index in scene.splits["test"].targets[:4]]
    assert classes == ["World", "Sci/Tech", "Sci/Tech", "Sports"]
