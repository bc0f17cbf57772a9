from __future__ import annotations

import pytest
import torch

from iamm.dataset.base import SPLITS, Split
from iamm.dataset.shapes import CLASSES, ShapesDataset

COUNTS = {"train": 97, "validation": 31, "test": 37}
NOUN = {"lumo": "circle", "keta": "square", "piro": "triangle", "zesa": "cross"}
STEM = {"kal": "red", "mir": "green", "tov": "blue", "sun": "yellow", "vel": "purple", "nep": "cyan"}


def made(**knobs) -> ShapesDataset:
    return ShapesDataset(**{"seed": 11, **COUNTS, **knobs})


def parts(dataset: ShapesDataset, split: str = "train") -> tuple[Split, Split]:
    image, text = (scene.splits[split] for scene in dataset.scenes)
    return image, text


def told(dataset: ShapesDataset, split: str = "train") -> list[str]:
    """The target sentences."""
    return [dataset.scenes[1].target.decode(row) for row in parts(dataset, split)[1].targets.tolist()]


def told_class(sentence: str, thing: int = 0) -> str:
    """The large (0) or the small (1) object's colour and shape, from a target sentence."""
    noun, colour = sentence.split()[7 * thing :][3:5]
    return f"{STEM[colour[:-1]]} {NOUN[noun]}"


def test_two_views_with_their_tasks():
    dataset = made()
    image, text = dataset.scenes
    assert (image.name, image.kind, image.task) == ("shapes_image", "image", "classification")
    assert (text.name, text.kind, text.task) == ("shapes_text", "text", "generation")
    assert parts(dataset)[0].inputs["image"].shape == (97, 3, 32, 32)
    assert parts(dataset)[1].targets.shape == (97, 15)  # BOS, 13 words, EOS
    assert [dataset.size(split) for split in SPLITS] == [97, 31, 37]
    assert len(CLASSES) == 24
    assert CLASSES[0] == "red circle"
    assert CLASSES[-1] == "cyan cross"


def test_related_views_tell_one_world():
    dataset = made(train=997, relatedness=1.0)
    assert [told_class(sentence) for sentence in told(dataset)] == [CLASSES[c] for c in parts(dataset)[0].targets]


def test_unrelated_views_agree_by_chance_only():
    dataset = made(train=4000, relatedness=0.0)
    classes = [CLASSES[c] for c in parts(dataset)[0].targets]
    equal = [told_class(sentence) == name for sentence, name in zip(told(dataset), classes, strict=True)]
    assert abs(sum(equal) / 4000 - 1 / 24) < 0.015


@pytest.mark.parametrize("relatedness", [0.0, 1.0])
def test_no_world_stands_in_two_splits(relatedness):
    dataset = made(train=4000, validation=400, test=400, relatedness=relatedness)
    worlds = {split: set(told(dataset, split)) for split in SPLITS}
    assert not worlds["train"] & worlds["test"]
    assert not worlds["train"] & worlds["validation"]
    assert not worlds["validation"] & worlds["test"]


@pytest.mark.parametrize(("missing", "expected"), [(0.0, 0), (0.3, 29), (1.0, 97)])
def test_missing_share_is_exact_and_never_both(missing, expected):
    dataset = made(missing=missing)
    image, text = parts(dataset)
    assert ((~image.present).sum() + (~text.present).sum()).item() == expected  # round(0.3 · 97) = 29
    assert (image.present | text.present).all()
    assert (image.inputs["image"][~image.present] == 0).all()
    assert (text.inputs["text"][~text.present] == 0).all()
    assert (text.inputs["text"][text.present] > 0).any(dim=1).all()


@pytest.mark.parametrize("views", [["image"], ["text"]])
def test_one_view_alone_is_the_same_view(views):
    both = ShapesDataset(seed=3, train=20, validation=5, test=7, missing=0.4)
    (alone,) = ShapesDataset(seed=3, train=20, validation=5, test=7, missing=0.4, views=views).scenes
    same = next(scene for scene in both.scenes if scene.name == alone.name)
    for split in alone.splits:
        torch.testing.assert_close(tuple(alone.splits[split]), tuple(same.splits[split]))


@pytest.mark.parametrize("views", [[], ["image", "sound"]])
def test_views_must_be_known(views):
    with pytest.raises(ValueError, match=r"`views` must be a list .* one of image, text\. Found \["):
        ShapesDataset(seed=3, views=views)


def test_either_view_may_be_missing():
    image, text = parts(made(train=2000, missing=1.0))
    assert abs(image.present.float().mean().item() - 0.5) < 0.05
    assert (image.present ^ text.present).all()


def test_what_is_not_missing_does_not_change():
    whole, half = parts(made()), parts(made(missing=0.5))
    for one, other in zip(whole, half, strict=True):
        if "image" in one.inputs:
            torch.testing.assert_close(other.inputs["image"][other.present], one.inputs["image"][other.present])
            torch.testing.assert_close(other.targets, one.targets)


def same(one: Split, other: Split) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("knob", [{"pixel_noise": 0.1}, {"occlusion": 0.9}, {"occlusion_size": 5}])
def test_picture_knobs_leave_the_worlds_and_the_texts(knob):
    (image, text), (changed, other) = parts(made()), parts(made(**knob))
    assert same(text, other)
    torch.testing.assert_close(changed.targets, image.targets)
    assert not torch.equal(changed.inputs["image"], image.inputs["image"])


@pytest.mark.parametrize("knob", [{"word_drop": 0.4}, {"word_ambiguity": 0.4}])
def test_word_knobs_leave_the_worlds_and_the_pictures(knob):
    plain, changed = made(), made(**knob)
    assert same(parts(plain)[0], parts(changed)[0])
    assert told(changed) == told(plain)
    assert not torch.equal(parts(changed)[1].inputs["text"], parts(plain)[1].inputs["text"])


def test_light_ground_asks_for_the_small_object():
    """The ground is (30, 30, 30), or (200, 200, 200) in a share `small` of the pictures; the sentences stay."""
    clear = {"train": 997, "pixel_noise": 0.0, "occlusion": 0.0}
    plain, asking = made(**clear), made(**clear, small=0.4)
    assert same(parts(plain)[1], parts(asking)[1])
    pixels, classes = parts(asking)[0].inputs["image"], parts(asking)[0].targets.tolist()
    light, dark = ((pixels == shade).all(dim=1).flatten(1).any(dim=1) for shade in (200, 30))
    assert (light != dark).all()
    assert abs(light.float().mean() - 0.4) < 0.05
    asked = [told_class(sentence, int(small)) for sentence, small in zip(told(asking), light, strict=True)]
    assert asked == [CLASSES[c] for c in classes]


def test_relatedness_leaves_the_pictures():
    assert same(parts(made())[0], parts(made(relatedness=0.4))[0])


def test_more_training_examples_come_behind_and_leave_the_test():
    plain, more = made(), made(train=131)
    assert same(parts(plain, "test")[0], parts(more, "test")[0])
    assert told(plain, "test") == told(more, "test")
    torch.testing.assert_close(parts(more)[0].inputs["image"][:97], parts(plain)[0].inputs["image"])
    assert told(more)[:97] == told(plain)


def test_vocabularies_are_the_words_of_the_training_pairs_that_are_present():
    text = made(train=7, missing=0.9, word_drop=0.5).scenes[1]
    split = text.splits["train"]
    assert 1 < split.present.sum() < 7
    for vocabulary, ids in ((text.source, split.inputs["text"]), (text.target, split.targets)):
        assert set(ids[split.present].unique().tolist()) - {0, 1, 2} == set(range(4, len(vocabulary)))


def test_vocabularies_of_many_examples_are_whole():
    text = made(train=4000).scenes[1]
    assert len(text.source) == 4 + 3 + 2 + 6 + 4 + 9 + 4  # a, at, and; sizes, colours, shapes, places, vague words
    assert len(text.target) == 4 + 1 + 6 + 2 + 4 + 12 + 4  # nu; rows and columns, articles, nouns, colours, sizes


@pytest.mark.parametrize(
    "knob",
    [
        {"relatedness": 1.1},
        {"relatedness": float("nan")},
        {"pixel_noise": -0.1},
        {"occlusion": 2},
        {"occlusion_size": 0},
        {"occlusion_size": 33},
        {"word_drop": -1},
        {"word_ambiguity": 1.5},
        {"word_drop": 0.6, "word_ambiguity": 0.6},
        {"missing": 1.01},
        {"train": 0},
        {"validation": -1},
        {"test": 2.5},
        {"seed": -1},
    ],
)
def test_impossible_knobs_are_refused_in_one_line(knob):
    with pytest.raises(ValueError, match=r"^`[^\n]+` must [^\n]+ Found [^\n]+\.$") as error:
        made(**knob)
    assert next(iter(knob)) in str(error.value)
