"""One's own translations: two files or one, what is left out, what has no partner."""

from __future__ import annotations

import pytest

from iamm.dataset.parallel_text import ParallelTextDataset
from iamm.errors import BadDataError

COUNT = 40


def write(path, lines, end="\n") -> str:
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())
    return str(path)


@pytest.fixture
def files(tmp_path):
    """Each of 20 sentences has two translations."""
    sources = write(tmp_path / "a.en", [f"Number {n // 2} is here." for n in range(COUNT)], "\r\n")
    targets = write(tmp_path / "a.fr", [f"Le numéro {n // 2} est {('ici', 'là')[n % 2]}." for n in range(COUNT)])
    return {"source_path": sources, "target_path": targets}


def made(files, **more) -> ParallelTextDataset:
    given = {"name": "mine", "seed": 3, "subwords": None, "min_count": 1}
    return ParallelTextDataset(**{**given, **files, **more})


def texts(dataset, split) -> list[tuple[str, str]]:
    (scene,) = dataset.scenes
    part = scene.splits[split]
    sides = (scene.source, part.inputs["text"]), (scene.target, part.targets)
    return list(zip(*([words.decode(row) for row in rows.tolist()] for words, rows in sides), strict=True))


def sizes(dataset) -> list[int]:
    return [dataset.size(split) for split in ("train", "validation", "test")]


def test_two_files(files):
    dataset = made(files)
    (scene,) = dataset.scenes
    assert (dataset.name, scene.name, scene.kind, scene.task) == ("mine", "mine", "text", "generation")
    assert sizes(dataset) == [32, 4, 4]
    for source, target in texts(dataset, "train"):
        number = source.split()[1]
        assert source == f"number {number} is here ."
        assert target in (f"le numéro {number} est ici .", f"le numéro {number} est là .")


def test_no_source_sentence_stands_in_two_splits(files):
    for seed in range(4):
        dataset = made(files, seed=seed)
        sources = [source for source, _ in texts(dataset, "train")]
        assert len(sources) == 2 * len(set(sources)) == 32
        assert not any("sources also stand in train" in notice for notice in dataset.notices)


def test_one_file_with_tabs(files, tmp_path):
    lines = [f"Number {n // 2} is here.\tLe numéro {n // 2} est {('ici', 'là')[n % 2]}.\tlicence" for n in range(COUNT)]
    dataset = made({"source_path": write(tmp_path / "a.tsv", lines)})
    assert dataset.checksum() == made(files).checksum()
    lines[6] = "no tab here"
    with pytest.raises(BadDataError, match=r"a tab between a text and .*\. Found 'no tab here.*' in line 7"):
        made({"source_path": write(tmp_path / "b.tsv", lines)})


@pytest.mark.parametrize(("more", "fewer", "counts"), [("en", "fr", "42 and 40"), ("fr", "en", "40 and 42")])
def test_lines_without_a_partner(files, tmp_path, more, fewer, counts):
    with (tmp_path / f"a.{more}").open("a") as file:
        file.write("one more\nand more\n")
    said = rf"a\.en and .*a\.fr must have as many lines\. Found {counts}: line 41 has no partner\."
    with pytest.raises(BadDataError, match=said):
        made(files)


def test_empty_sides_and_doubles_are_left_out(tmp_path):
    lines = [*(f"text {n}\ttexte {n}" for n in range(20)), "\tseul", "alone\t ", "", "text 3\ttexte 3", "text 3\tautre"]
    dataset = made({"source_path": write(tmp_path / "a.tsv", lines)})
    assert dataset.notices[:2] == (
        "mine: 3 of 25 pairs have an empty side and are left out.",
        "mine: 1 of 25 pairs stand there a second time and are left out.",
    )
    assert sum(sizes(dataset)) == 21
    with pytest.raises(BadDataError, match="mine must have pairs of texts"):
        made({"source_path": write(tmp_path / "b.tsv", ["", "\t"])})


def test_files_of_other_splits(files, tmp_path):
    test = {"test_source_path": write(tmp_path / "t.tsv", ["Number 3 is HERE\tLe numéro 3", "Other 1\tAutre 1"])}
    dataset = made(files, **test)
    assert sizes(dataset) == [36, 4, 2]
    (said,) = (notice for notice in dataset.notices if "later split" in notice)
    assert said.startswith("mine: 2 of 42 examples also stand in a later split")
    dataset = made(files, **test, clean=True)
    assert sum(sizes(dataset)) == 40
    assert "number 3 is here ." not in {source for source, _ in texts(dataset, "train")}


def test_one_vocabulary_of_pieces_and_a_limit(files):
    dataset = made(files, subwords=60, limit=20)
    assert dataset.scenes[0].source is dataset.scenes[0].target
    assert sum(sizes(dataset)) == 20


def test_more_than_memory_holds(files, monkeypatch):
    monkeypatch.setattr("iamm.memory.available_memory", lambda: 10_000)
    with pytest.raises(BadDataError, match=r"Found .*a\.en and .*a\.fr, which takes 0 MiB of 0 MiB: take some rows"):
        made(files)


def test_too_few_pairs_and_translations_alone(files, tmp_path):
    few = write(tmp_path / "few.tsv", ["one\tun", "two\tdeux"])
    with pytest.raises(
        BadDataError, match=r"Each split needs an example\. Found none in mine/validation: give it more data"
    ):
        made({"source_path": few})
    with pytest.raises(ValueError, match=r"`test_target_path` goes with `test_source_path`\. Found .*few\.tsv alone"):
        made(files, test_target_path=few)
