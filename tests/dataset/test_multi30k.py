from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
import torch

from iamm.dataset.multi30k import FOLDER, Multi30kDataset
from iamm.dataset.vocabulary import UNKNOWN, SubwordVocabulary, normalised
from iamm.engine.collate import collate
from iamm.errors import BadDataError, MissingDataError

GERMAN = ["Ein Hund läuft.", "Zwei Männer  sitzen.", "Eine Frau läuft.", "Ein Mann sitzt.", "Ein Hund sitzt."]
ENGLISH = ["A dog runs.", "Two men sit.", "A woman runs.", "A man sits.", "A dog sits."]


def write(folder: Path, stem: str, language: str, content: bytes | list[str]) -> None:
    text = content if isinstance(content, bytes) else "".join(f"{line}\n" for line in content).encode()
    path = folder / FOLDER / f"{stem}.{language}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text))


@pytest.fixture
def folder(tmp_path) -> Path:
    for language, lines in (("de", GERMAN), ("en", ENGLISH)):
        write(tmp_path, "train", language, lines)
    write(tmp_path, "val", "de", ["Zwei Hunde sitzen.", "Ein Hund läuft."])
    write(tmp_path, "val", "en", ["Two dogs sit.", "One dog runs."])
    write(tmp_path, "test_2016_flickr", "de", ["Eine Frau sitzt.", "Ein Mann läuft ∞."])
    write(tmp_path, "test_2016_flickr", "en", ["A woman sits.", "A man runs ∞."])
    return tmp_path


def made(folder: Path, **changes) -> Multi30kDataset:
    return Multi30kDataset(**{"source": "de", "target": "en", "data_dir": str(folder), "subwords": 60, **changes})


def texts(dataset: Multi30kDataset, split: str) -> list[tuple[str, str]]:
    scene = dataset.scenes[0]
    rows = zip(scene.splits[split].inputs["text"].tolist(), scene.splits[split].targets.tolist(), strict=True)
    return [(scene.source.decode(source), scene.target.decode(target)) for source, target in rows]


def test_lines_are_paired_and_lower_cased(folder):
    expected = [(" ".join(a.lower().split()), b.lower()) for a, b in zip(GERMAN, ENGLISH, strict=True)]
    dataset = made(folder)
    assert texts(dataset, "train") == expected
    assert texts(dataset, "validation") == [
        ("zwei hunde sitzen.", "two dogs sit."),
        ("ein hund läuft.", "one dog runs."),
    ]
    assert texts(made(folder, source="en", target="de"), "train") == [(b, a) for a, b in expected]
    assert texts(made(folder, lowercase=False), "train")[1] == ("Zwei Männer sitzen.", "Two men sit.")
    assert (dataset.name, dataset.scenes[0].name) == ("multi30k_de_en", "multi30k_de_en")


def test_subwords_are_shared_and_learnt_on_train_alone(folder):
    dataset = made(folder)
    scene = dataset.scenes[0]
    assert scene.source is scene.target
    lines = [normalised(line, lowercase=True) for line in (*GERMAN, *ENGLISH)]
    expected = SubwordVocabulary.learn(lines, size=60)
    assert [scene.source.piece(i) for i in range(len(scene.source))] == [
        expected.piece(i) for i in range(len(expected))
    ]
    assert (scene.splits["test"].targets == UNKNOWN).sum(dim=1).tolist() == [0, 1]
    assert texts(dataset, "test")[1] == ("ein mann läuft ⁇.", "a man runs ⁇.")
    assert "multi30k_de_en: 1 of 2 test targets have an unknown word or character." in dataset.notices


@pytest.mark.parametrize("subwords", [60, None])
def test_references_are_the_published_lines(folder, subwords):
    """With their capitals, blanks and signs, however the targets are cut into ids."""
    dataset = made(folder, subwords=subwords)
    published = {"validation": ["Two dogs sit.", "One dog runs."], "test": ["A woman sits.", "A man runs ∞."]}
    assert dataset.scenes[0].references == published
    batch = collate(dataset, "test", torch.tensor([1, 0]), torch.device("cpu"))["multi30k_de_en"]
    assert batch.references == ("A man runs ∞.", "A woman sits.")


def test_words_have_a_vocabulary_for_each_language(folder):
    scene = made(folder, subwords=None).scenes[0]
    assert [scene.target.piece(i) for i in range(4, len(scene.target))] == [".", "a", "dog", "runs", "sits"]
    assert [scene.source.piece(i) for i in range(4, len(scene.source))] == [".", "ein", "hund", "läuft", "sitzt"]
    assert scene.splits["train"].targets[1].tolist() == [1, 3, 3, 3, 4, 2]  # two men sit .
    every = made(folder, subwords=None, min_count=1)
    assert texts(every, "train")[1] == ("zwei männer sitzen .", "two men sit .")


def test_long_training_pairs_are_left_out_with_a_notice(folder):
    write(folder, "train", "en", [*ENGLISH[:4], "A dog sits and sits and sits."])
    dataset = made(folder, subwords=None, min_count=1, max_length=4)
    assert texts(dataset, "train") == texts(made(folder, subwords=None, min_count=1), "train")[:4]
    assert dataset.notices[0] == "multi30k_de_en: 1 of 5 train pairs are left out: longer than 4 tokens."
    assert dataset.scenes[0].splits["train"].targets.shape == (4, 6)
    assert dataset.size("test") == 2
    assert dataset.scenes[0].splits["test"].inputs["text"].shape == (2, 5)


def test_no_training_pair_is_short_enough(folder):
    with pytest.raises(ValueError, match=r"^`max_length` must leave a train pair: 4 at least. Found 3\.$"):
        made(folder, subwords=None, max_length=3)


def test_shared_sentences_are_told_by_side_and_by_pair(folder):
    assert [notice for notice in made(folder).notices if "stand" in notice] == [
        "multi30k_de_en: 1 of 2 distinct validation sources also stand in train.",
    ]
    write(folder, "val", "en", ["Two dogs sit.", "A dog runs."])
    assert [notice for notice in made(folder).notices if "stand" in notice] == [
        "multi30k_de_en: 1 of 2 distinct validation sources also stand in train.",
        "multi30k_de_en: 1 of 2 distinct validation targets also stand in train.",
        "multi30k_de_en: 1 of 2 distinct validation examples also stand in train.",
    ]


def test_train_takes_the_first_pairs_for_the_vocabulary_too(folder):
    scene = made(folder, train=2, subwords=None, min_count=1).scenes[0]
    assert len(scene.splits["train"]) == 2
    assert {scene.target.piece(i) for i in range(4, len(scene.target))} == {
        "a",
        "dog",
        "runs",
        "two",
        "men",
        "sit",
        ".",
    }


def test_batch_tokens_and_size_are_handed_on(folder):
    dataset = made(folder, batch_size=7, batch_tokens=311)
    assert (dataset.batch_size, dataset.batch_tokens) == (7, 311)


def test_unequal_files_name_the_first_line_without_partner(folder):
    write(folder, "val", "en", ["Two dogs sit.", "One dog runs.", "One more."])
    with pytest.raises(
        BadDataError, match=r"^\S+val\.de\.gz and \S+val\.en\.gz must .* Found 2 and 3: line 3 has no partner\.$"
    ):
        made(folder)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("one\ntwö\nthré".encode() + b"\xffe\n", r"must be UTF-8. Found invalid start byte in line 3, column 5: "),
        ("one\ntwö".encode("latin-1"), r"must be UTF-8. Found invalid start byte in line 2, column 3: "),
        ("one\n".encode("utf-16"), r"must be UTF-8. Found invalid start byte in line 1, column 1: "),
        (b"\xef\xbb\xbfone\n", r"must be text, without control .* Found U\+FEFF in line 1, column 1: "),
        (b"one\ntwo \x1b[31mred\n", r"must be text, without control .* Found U\+001B in line 2, column 5: "),
        (b"one\ntwo\rthree\n", r"must be text, without control .* Found U\+000D in line 2, column 4: "),
        (
            b"one\n" + b"x" * 2001,
            r"must have at most 2,000 characters in a line. Found 2,001 in line 2, column 2,001: ",
        ),
        (b"x\n" * 100_001, r"must have at most 100,000 lines. Found one more in line 100,001, column 1: "),
        (b"one\n\nthree\n", r"must have a text in each line. Found none in line 2, column 1: "),
        (b"one\ntwo\n\xc2\xa0\n", r"must have a text in each line. Found none in line 3, column 1: "),
        (b"\n", r"must have a text in each line. Found none in line 1, column 1: "),
        (b"", r"must be a whole gzip file. Found nothing in it in line 1, column 1: "),
    ],
)
def test_bad_lines_are_named(folder, content, found):
    write(folder, "train", "en", content)
    with pytest.raises(BadDataError, match=rf"^{FOLDER}/train\.en\.gz {found}"):
        made(folder)


def test_only_a_newline_ends_a_line(folder):
    write(folder, "val", "en", "Two\u2028dogs\u0085sit.\r\nOne dog runs.".encode())
    assert texts(made(folder), "validation")[0][1] == "two dogs sit."


def test_cut_and_missing_files_are_named(folder):
    path = folder / FOLDER / "test_2016_flickr.en.gz"
    path.write_bytes(path.read_bytes()[:-9])
    found = "Found an early end in line 3, column 1: "
    with pytest.raises(BadDataError, match=rf"^{FOLDER}/test_2016_flickr\.en\.gz must be a whole gzip file. {found}"):
        made(folder)
    with pytest.raises(MissingDataError, match=rf"needs {FOLDER}/test_2017_mscoco\.de\.gz"):
        made(folder, test="test_2017_mscoco")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "ge"}, r"`source` must be one of en, de, fr, cs. Found 'ge'"),
        ({"target": "de"}, r"`source` and `target` must differ. Found de for both"),
        ({"train": 0}, r"`train` must be a whole number at least 1 and at most 29000, or null. Found 0"),
        ({"subwords": -5}, r"`subwords` must be a whole number at least 5 and at most 1000000, or null. Found -5"),
        ({"subwords": 5}, r"`subwords` must hold every character: \d+ pieces at least. Found 5"),
        ({"max_length": 0}, r"`max_length` must be a whole number at least 1. Found 0"),
        ({"min_count": 0}, r"`min_count` must be a whole number at least 1. Found 0"),
        ({"batch_tokens": 0}, r"`batch_tokens` must be a whole number at least 1, or null. Found 0"),
    ],
)
def test_impossible_arguments_are_refused(folder, changes, message):
    with pytest.raises(ValueError, match=message):
        made(folder, **changes)


@pytest.fixture(scope="module")
def real() -> Multi30kDataset:
    try:
        return Multi30kDataset(source="de", target="en", data_dir=os.environ.get("IAMM_DATA_DIR"))
    except MissingDataError as error:
        pytest.skip(str(error))


def test_real_sizes(real):
    assert [real.size(split) for split in ("train", "validation", "test")] == [29_000, 1_014, 1_000]
    assert len(real.scenes[0].source) == 6_000


def test_real_texts_survive_the_round_trip(real):
    path = Path(os.environ["IAMM_DATA_DIR"]) / FOLDER / "test_2016_flickr.en.gz"
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")[:-1]
    assert [target for _, target in texts(real, "test")] == [normalised(line, lowercase=True) for line in lines]


def test_real_padding_is_one_block(real):
    for tensor in (real.scenes[0].splits["train"].inputs["text"], real.scenes[0].splits["train"].targets):
        lengths = (tensor > 0).sum(dim=1)
        assert torch.equal(tensor > 0, torch.arange(tensor.shape[1]) < lengths[:, None])
