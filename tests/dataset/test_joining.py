"""Scenes that share have one vocabulary and one list of labels, and say the same as before."""

from __future__ import annotations

import json

import pytest

from iamm.dataset.image_folder import ImageFolderDataset
from iamm.dataset.joining import joined
from iamm.dataset.outline import outline, scenes_of
from iamm.dataset.text_file import TextFileDataset
from iamm.dataset.vocabulary import UNKNOWN
from iamm.model.sharing import input_format, target_format

LABELS = {"a": ("1", "2"), "b": ("2", "10"), "c": ("1", "2")}


@pytest.fixture
def datasets(tmp_path):
    """Three files; each has words of its own, and words of all."""
    found = []
    for name, labels in LABELS.items():
        path = tmp_path / f"{name}.txt"
        path.write_text("".join(f"{labels[n % 2]}\tboth {name}{n % 3} number {n}\n" for n in range(30)))
        found += TextFileDataset(name=name, path=str(path), seed=0, min_count=2)
    return found


def contents(dataset):
    """Text and label of each example."""
    (scene,) = dataset.scenes
    return {
        name: [
            (scene.source.decode(row), scene.classes[label])
            for row, label in zip(split.inputs["text"].tolist(), split.targets.tolist(), strict=True)
        ]
        for name, split in scene.splits.items()
    }


def test_a_word_that_a_scene_lacks_is_unknown_in_a_new_text_too(datasets):
    """As it was in training: `a1` stands in the first file alone."""
    found = joined(datasets, {"encoder": "kind", "head": "none"})
    (first,), (second,) = (dataset.scenes for dataset in found[:2])
    assert first.source.encode("both a1") == [second.source.encode("both")[0], first.source.index["a1"]]
    assert second.source.encode("a1") == [UNKNOWN]
    groups = scenes_of(json.loads(json.dumps(outline([dataset.scenes for dataset in found]))))
    assert groups[1][0].source.encode("both a1") == second.source.encode("both a1")
    assert groups[1][0].source.pieces == first.source.pieces


def test_numbers_have_no_list_of_labels(datasets, tmp_path):
    """They keep their targets beside those of classes, which share one list."""
    (numbers,) = TextFileDataset(name="n", path=str(tmp_path / "a.txt"), seed=0, number="label")
    *_, found = joined([*datasets, numbers], {"encoder": "kind", "head": "kind"})
    (scene,) = found.scenes
    assert (scene.task, scene.classes) == ("regression", ())
    assert scene.splits["train"].targets.tolist() == numbers.scenes[0].splits["train"].targets.tolist()
    assert (
        scene.source.pieces
        == joined([*datasets, numbers], {"encoder": "kind", "head": "none"})[0].scenes[0].source.pieces
    )


def formats(datasets, of):
    return len({of(scene) for dataset in datasets for scene in dataset.scenes})


def test_nothing_is_shared(datasets):
    assert joined(datasets, {"encoder": "none", "head": "none"})[0].checksum() == datasets[0].checksum()
    assert formats(datasets, input_format) == 3


def test_all_of_a_kind(datasets):
    found = joined(datasets, {"encoder": "kind", "head": "kind"})
    assert [dataset.name for dataset in found] == ["a", "b", "c"]
    assert [contents(dataset) for dataset in found] == [contents(dataset) for dataset in datasets]
    assert formats(found, input_format) == formats(found, target_format) == 1
    assert found[1].scenes[0].classes == ("1", "2", "10")
    words = [{*dataset.scenes[0].source.pieces} for dataset in datasets]
    assert {*found[0].scenes[0].source.pieces} == set.union(*words)


def test_groups_by_name(datasets):
    found = joined(datasets, {"encoder": [["a", "c"]], "head": [["b", "c", "another_data_set"]]})
    assert input_format(found[0].scenes[0]) == input_format(found[2].scenes[0])
    assert found[1].scenes[0].source is datasets[1].scenes[0].source
    assert [dataset.scenes[0].classes for dataset in found] == [("1", "2"), ("1", "2", "10"), ("1", "2", "10")]
    assert [contents(dataset) for dataset in found] == [contents(dataset) for dataset in datasets]


def test_texts_of_pieces_stay_as_they_are(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{n % 2}\ttext {n}\n" for n in range(30)))
    found = [*TextFileDataset(name="a", path=str(path), seed=0, subwords=40)]
    assert joined(found, {"encoder": "kind", "head": "none"})[0].checksum() == found[0].checksum()


def test_pictures(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setenv("IAMM_CACHE_DIR", str(tmp_path / "cache"))
    found = []
    for name, labels in (("x", "ab"), ("y", "bc")):
        for n in range(20):
            file = tmp_path / name / labels[n % 2] / f"{n}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (2, 2), n).save(file)
        found.append(ImageFolderDataset(name=name, path=str(tmp_path / name), seed=0, side=2))
    both = joined(found, {"encoder": "kind", "head": "kind"})
    assert [dataset.scenes[0].classes for dataset in both] == [("a", "b", "c")] * 2
    assert set(both[1].scenes[0].splits["train"].targets.tolist()) == {1, 2}
