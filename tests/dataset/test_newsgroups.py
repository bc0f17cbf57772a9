from __future__ import annotations

import json
import lzma
import os
from pathlib import Path

import pytest

from iamm.dataset.base import Dataset
from iamm.dataset.newsgroups import GROUPS, NewsgroupsDataset, PostParts, read_posts, without_signature, words_of
from iamm.errors import BadDataError, MissingDataError

POST = """From: ann@a.org
Subject: Re: wheels

In article <1@a>, bob@b.org (Bob)
writes:
> Are wheels round?
|> Some are.
AB> None is.
: Perhaps.
Yes: all wheels  are.
--
Ann, a.org
"""
NOTHING = PostParts(headers=False, quotes=False, footers=False)


def write(folder: Path, split: str, lines: list[str]) -> None:
    path = folder / f"20news-bydate/20news-bydate-{split}.jsonl.xz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(lzma.compress("\n".join(lines).encode()))


def rows(split: str, count: int) -> list[str]:
    return [
        json.dumps({"group": group, "id": n, "text": f"From: x\n\nthe {group.split('.')[-1]} {split}"})
        for group in GROUPS
        for n in range(count)
    ]


@pytest.fixture
def folder(tmp_path) -> Path:
    write(tmp_path, "train", rows("train", 5))
    write(tmp_path, "test", rows("test", 2))
    return tmp_path


def made(folder: Path, **changes) -> list[Dataset]:
    given = {"data_dir": str(folder), "seed": 3, "scenes": ("comp", "talk"), "validation": 3, "min_count": 1}
    return NewsgroupsDataset(**{**given, **changes})


def test_parts_of_a_post():
    assert words_of(POST, NOTHING) == "yes : all wheels are ."
    assert words_of(POST, NOTHING._replace(footers=True)).endswith("wheels are . - - ann , a . org")
    assert words_of(POST, NOTHING._replace(headers=True)).startswith("from : ann @ a . org subject : re : wheels yes")
    assert "> are wheels round ?" in words_of(POST, NOTHING._replace(quotes=True))
    assert words_of("From: x\n\n> only a quote\n", NOTHING) == "⁇"
    assert words_of("From: x\n\nA\n\nB\x1b\x08C\ufeff", NOTHING) == "a b c"


def test_a_signature_is_short():
    assert without_signature("a\n---\nb") == "a\n"
    long = "a\n---\n" + "b\n" * 20 + "c"
    assert without_signature(long) == long
    assert without_signature("a\n==\nb\n--\n") == "a\n"
    assert without_signature("a - b") == "a - b"


def test_scenes_are_prefixes(folder):
    comp, talk = made(folder)
    assert [comp.name, talk.name] == ["newsgroups_comp", "newsgroups_talk"]
    scene = comp.scenes[0]
    assert (scene.kind, scene.task) == ("text", "classification")
    assert scene.classes == tuple(group for group in GROUPS if group.startswith("comp."))
    assert scene.source is talk.scenes[0].source
    assert [comp.size(split) for split in ("train", "validation", "test")] == [22, 3, 10]
    assert scene.splits["test"].targets.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    texts = [scene.source.decode(row) for row in scene.splits["test"].inputs["text"].tolist()]
    assert texts[::2] == [f"the {word} ⁇" for word in ("graphics", "misc", "hardware", "hardware", "x")]


def test_all_groups_in_one_scene(folder):
    (one,) = made(folder, scenes=("all",))
    assert one.scenes[0].classes == GROUPS
    assert [one.size(split) for split in ("train", "validation", "test")] == [97, 3, 40]
    with pytest.raises(ValueError, match=r"must be all, or some without it\. Found all, rec"):
        made(folder, scenes=("all", "rec"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenes": ("alt",)}, "must be a list without repeats, each of them one of"),
        ({"scenes": ("rec", "rec")}, "must be a list without repeats, each of them one of"),
        ({"max_length": 0}, "`max_length` must be"),
        ({"validation": 25}, "must not exceed 25 in sum"),
    ],
)
def test_what_cannot_be(folder, changes, message):
    with pytest.raises(ValueError, match=message):
        made(folder, **changes)


def test_numbers(folder):
    comp = made(folder, max_length=2, train=4)[0]
    assert comp.size("train") == 4
    assert comp.scenes[0].splits["test"].inputs["text"].shape == (10, 2)
    assert comp.notices[0] == "newsgroups: 32 of 32 texts are cut to their first 2 words."
    assert made(folder, seed=4)[0].checksum() != made(folder)[0].checksum() == made(folder)[0].checksum()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"have a JSON object with `group` and `text` in each line. Found '\{' in line 3, column 1"),
        ("[1]", "Found '.1.' in line 3"),
        ('{"group": "alt.atheism"}', "Found '..group.: .alt.athei. in line 3"),
        ('{"group": "alt.atheism", "text": 7}', "`text` in each line"),
        ('{"group": "alt.atheism", "text": "\\ud800"}', "`text` in each line"),
        ("[" * 100_000, "`text` in each line"),
        ('{"group": "alt.sources", "text": "a"}', "name one of the 20 groups in each line. Found 'alt.sources'"),
        ('{"group": ["x"], "text": "a"}', "name one of the 20 groups"),
    ],
)
def test_lines_that_are_none(folder, line, message):
    write(folder, "train", [*rows("train", 1)[:2], line])
    with pytest.raises(BadDataError, match=message):
        made(folder)


def test_an_absent_file_is_named(folder):
    (folder / "20news-bydate/20news-bydate-test.jsonl.xz").unlink()
    with pytest.raises(MissingDataError, match=r"needs 20news-bydate/20news-bydate-test\.jsonl\.xz"):
        made(folder)


def test_of_the_published_files():
    try:
        posts = {split: read_posts(os.environ.get("IAMM_DATA_DIR"), split) for split in ("train", "test")}
    except MissingDataError as error:
        pytest.skip(str(error))
    assert {split: len(found) for split, found in posts.items()} == {"train": 11_314, "test": 7_532}
    assert {post.group for post in posts["train"]} == set(GROUPS)
    texts = [words_of(text, NOTHING) for _, text in posts["test"][::7]]
    assert 0 < sum(text == "⁇" for text in texts) < 0.06 * len(texts)
