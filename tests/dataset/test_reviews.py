from __future__ import annotations

import re
from itertools import combinations

import pytest

from iamm.dataset.base import SPLITS
from iamm.dataset.reviews import CLASSES, ReviewsDataset

COUNTS = {"train": 97, "validation": 31, "test": 37}
PRODUCT = r"(phone|book|kettle|hotel)"
GOOD_FOR = {
    **dict.fromkeys(("great", "lovely", "excellent"), "phone book kettle hotel"),
    **dict.fromkeys(("awful", "poor", "terrible"), ""),
    **{"small": "phone book", "large": "kettle hotel", "simple": "phone kettle"},
    **{"slow": "book hotel", "light": "phone hotel", "hot": "book kettle"},
}
VARYING = {"small", "large", "simple", "slow", "light", "hot"}


def made(**knobs) -> ReviewsDataset:
    return ReviewsDataset(**{"seed": 11, **COUNTS, **knobs})


def texts(dataset: ReviewsDataset, split: str = "train") -> list[str]:
    (scene,) = dataset.scenes
    return [scene.source.decode(row) for row in scene.splits[split].inputs["text"].tolist()]


def labels(dataset: ReviewsDataset, split: str = "train") -> list[int]:
    return dataset.scenes[0].splits[split].targets.tolist()


def product_of(text: str) -> str:
    (name,) = re.findall(rf"\b(?:chose|tried|found) this {PRODUCT} on \d+ \w+", text)
    return name


def judged_words(text: str) -> list[tuple[str, str]]:
    """`not ` or nothing, and the word, of each opinion on the review's product; a reading of the text alone."""
    said = rf"(?:it is|i found it|(?:this|the) {product_of(text)} (?:is|was)) (not )?(\w+)"
    return [match.groups(default="") for clause in text.split(" , ") if (match := re.fullmatch(said, clause))]


def told_label(text: str) -> int:
    (label,) = {(product_of(text) in GOOD_FOR[word]) != bool(negated) for negated, word in judged_words(text)}
    return int(label)


def asides_of(text: str) -> list[str]:
    return [
        clause
        for clause in text.split(" , ")
        if re.match(rf"my sister found it|the (courier|shop) was|my {PRODUCT}", clause)
    ]


def test_one_scene_of_two_classes():
    dataset = made()
    (scene,) = dataset.scenes
    assert (scene.name, scene.kind, scene.task, scene.classes) == ("reviews", "text", "classification", CLASSES)
    assert CLASSES == ("negative", "positive")
    assert [dataset.size(split) for split in SPLITS] == [97, 31, 37]
    assert dataset.notices == ()


@pytest.mark.parametrize("knobs", [{}, {"ambiguity": 1.0, "negation": 0.5}, {"ambiguity": 0.0, "products": 1}])
def test_a_reader_who_knows_the_language_is_always_right(knobs):
    dataset = made(train=1009, **knobs)
    for split in SPLITS:
        assert [told_label(text) for text in texts(dataset, split)] == labels(dataset, split)


def test_asides_say_nothing_about_the_label():
    dataset = made(train=6000, ambiguity=0.0, negation=0.0)
    agree = [
        (clause.split()[-1] in ("great", "lovely", "excellent")) == bool(label)
        for text, label in zip(texts(dataset), labels(dataset), strict=True)
        for clause in asides_of(text)
    ]
    assert abs(len(agree) / 6000 - 1) < 0.04  # none, one or two
    assert abs(sum(agree) / len(agree) - 0.5) < 0.03


def test_no_varying_word_tells_the_label_by_itself():
    dataset = made(train=6000, ambiguity=1.0, negation=0.0)
    by_word: dict[str, list[int]] = {word: [] for word in VARYING}
    for text, label in zip(texts(dataset), labels(dataset), strict=True):
        for _, word in judged_words(text):
            by_word[word].append(label)
    assert all(abs(sum(found) / len(found) - 0.5) < 0.05 for found in by_word.values())


def test_lengths():
    counts = [len(re.findall(r"\w+", text)) for text in texts(made(train=4000))]
    assert (min(counts), max(counts)) == (10, 30)


def test_classes_are_balanced_in_every_split():
    dataset = made()
    assert [sum(labels(dataset, split)) for split in SPLITS] == [48, 15, 18]


@pytest.mark.parametrize("seed", [0, 1])
def test_no_text_and_no_day_stands_in_two_splits(seed):
    dataset = made(seed=seed, train=4000, validation=500, test=1000)
    for one, other in combinations(SPLITS, 2):
        assert not set(texts(dataset, one)) & set(texts(dataset, other))
        one_days, other_days = (
            {re.search(r"\d+ \w+", text).group() for text in texts(dataset, split)} for split in (one, other)
        )
        assert not one_days & other_days
        assert min(len(one_days), len(other_days)) > 30


def test_every_word_of_the_other_splits_is_known():
    dataset = made(train=4000, validation=500, test=1000)
    assert "⁇" not in " ".join(texts(dataset, "validation") + texts(dataset, "test"))
    assert len(dataset.scenes[0].source) == 123


@pytest.mark.parametrize(
    ("products", "names"), [(1, {"phone"}), (2, {"phone", "book"}), (3, {"phone", "book", "kettle"})]
)
def test_the_first_products(products, names):
    assert {product_of(text) for text in texts(made(train=200, products=products))} == names


@pytest.mark.parametrize(("ambiguity", "negation"), [(0.0, 1.0), (0.3, 0.2), (1.0, 0.0)])
def test_shares_of_varying_and_of_negated_words(ambiguity, negation):
    said = [
        pair for text in texts(made(train=4000, ambiguity=ambiguity, negation=negation)) for pair in judged_words(text)
    ]
    assert abs(sum(word in VARYING for _, word in said) / len(said) - ambiguity) < 0.025
    assert abs(sum(bool(negated) for negated, _ in said) / len(said) - negation) < 0.025


@pytest.mark.parametrize("knob", [{"ambiguity": 1.0}, {"negation": 1.0}])
def test_a_knob_of_words_leaves_the_other_clauses_and_what_is_judged(knob):
    """But for filler, which gives way where `not` makes a review longer."""
    judging = re.compile(rf" (not )?({'|'.join(GOOD_FOR)})$")
    plain, changed = (
        [
            [
                judging.sub(" …", clause)
                for clause in text.split(" , ")
                if re.search(r" on \d+ ", clause) or judging.search(clause)
            ]
            for text in texts(dataset)
        ]
        for dataset in (made(ambiguity=0.0, negation=0.0), made(**{"ambiguity": 0.0, "negation": 0.0, **knob}))
    )
    assert plain == changed


def test_more_training_reviews_come_behind_and_leave_the_test():
    plain, more = made(), made(train=131)
    assert texts(more)[:97] == texts(plain)
    assert texts(more, "test") == texts(plain, "test")


def test_noise_turns_training_labels_alone():
    plain, noisy = made(train=4000), made(train=4000, noise=0.1)
    assert texts(noisy) == texts(plain)
    turned = [a != b for a, b in zip(labels(plain), labels(noisy), strict=True)]
    assert abs(sum(turned) / 4000 - 0.1) < 0.02
    for split in ("validation", "test"):
        assert labels(noisy, split) == labels(plain, split)
    assert labels(made(noise=1.0)) == [1 - label for label in labels(made())]


@pytest.mark.parametrize(
    "knob",
    [
        {"train": 0},
        {"validation": -1},
        {"test": 2.5},
        {"products": 0},
        {"products": 5},
        {"products": 2.0},
        {"ambiguity": 1.1},
        {"ambiguity": float("nan")},
        {"negation": -0.1},
        {"noise": 2},
        {"seed": -1},
        {"batch_size": 0},
    ],
)
def test_impossible_knobs_are_refused_in_one_line(knob):
    with pytest.raises(ValueError, match=r"^`[^\n]+` must [^\n]+ Found [^\n]+\.$") as error:
        made(**knob)
    assert next(iter(knob)) in str(error.value)
