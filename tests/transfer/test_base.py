"""What a transfer may read, and the steps that it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from iamm.dataset.base import Dataset
from iamm.dataset.shape_domains import ShapeDomainsDataset
from iamm.transfer.base import descend, matching, material_of


def test_the_target_has_a_few_labels_and_no_other(task):
    made = task()
    few, more = made.material(2), made.material(4)
    assert (few.labelled, more.labelled, made.material(0).labelled) == (4, 8, 0)
    assert few.target.splits() == ["train", "unlabelled"]
    labelled, rest = few.target.scenes[0].splits["train"], few.target.scenes[0].splits["unlabelled"]
    torch.testing.assert_close(more.target.scenes[0].splits["train"].inputs["text"][:4], labelled.inputs["text"])
    assert labelled.targets.tolist() == [0, 1] * 2
    assert len(rest) == 40
    assert not rest.targets.any()


def test_the_draw_decides_which(task):
    made = task()
    one, other = (made.material(3, draw).target.scenes[0].splits["train"].inputs["text"] for draw in (0, 1))
    assert not one.equal(other)


def test_other_labels_and_the_test_split_change_nothing(task):
    """Scramble test and validation: the material is the same, byte for byte. Of training it has 2k labels, no other."""
    made = task()
    (scene,) = made.target.scenes
    given = made.material(3)
    splits = dict(scene.splits)
    for name in ("validation", "test"):
        part = splits[name]
        splits[name] = replace(part, targets=1 - part.targets, inputs={"text": part.inputs["text"].flip(0)})
    made.target = Dataset(made.target.name, (replace(scene, splits=splits),))
    assert made.material(3).target.checksum() == given.target.checksum()
    parts = given.target.scenes[0].splits
    assert set(parts) == {"train", "unlabelled"}
    assert (len(parts["train"]), len(parts["unlabelled"])) == (6, 40)
    assert not parts["unlabelled"].targets.any()


def test_a_few_labels_of_a_target_of_two_views_are_those_of_the_same_examples():
    (pairs,) = ShapeDomainsDataset(seed=1, scenes=["moss"], train=400, validation=2, test=2)
    material = material_of(pairs, [], 1, 0, 5, torch.device("cpu"), {})
    assert (material.name, material.labelled) == ("shape_domains_moss_image", 24)
    assert material.target.scenes[0].splits["train"].targets.tolist() == [*range(24)]
    whole = [dict(zip(row_texts(pairs, number), range(400), strict=True)) for number in (0, 1)]
    assert [whole[0][row] for row in row_texts(material.target, 0)] == [
        whole[1][row] for row in row_texts(material.target, 1)
    ]
    assert not any(scene.splits["unlabelled"].targets.any() for scene in material.target.scenes)
    assert material_of(pairs, [], 0, 0, 5, torch.device("cpu"), {}).labelled == 0


def row_texts(dataset, number):
    """The bytes of a view's training inputs and targets, example by example."""
    part = dataset.scenes[number].splits["train"]
    (values,) = part.inputs.values()
    return [
        value.numpy().tobytes() + label.numpy().tobytes() for value, label in zip(values, part.targets, strict=True)
    ]


def test_batches_visit_every_row_once_a_pass(task):
    batch = task().material(5).batches("train", 4)
    sizes = [len(batch(step)["review_domains_book"].present) for step in range(4)]
    assert sizes == [4, 4, 4, 4]  # 10 rows: two whole batches a pass
    rows = [tuple(row) for step in (0, 1) for row in batch(step)["review_domains_book"].inputs["text"].tolist()]
    assert len(set(rows)) == 8
    first, again = (task().material(5).batches("train", 4)(3)["review_domains_book"].targets for _ in range(2))
    torch.testing.assert_close(first, again)


def test_descent_is_that_of_adamw_and_moves_nothing_else(task):
    made = task("fusion=none")
    head = made.model.heads["review_domains_book"].output
    start, others = head.bias.detach().clone(), made.model.encoders["review_domains_book"].state_dict()
    others = {name: values.clone() for name, values in others.items()}
    descend(
        made.model, matching(made.model, lambda name: name.endswith("output.bias")), lambda _: head.bias.sum(), 3, 0.1
    )
    torch.testing.assert_close(
        head.bias.detach(), start - 0.3
    )  # Adam's step is the rate where the gradient is constant
    after = made.model.encoders["review_domains_book"].state_dict()
    assert all(after[name].equal(values) for name, values in others.items())
    assert not made.model.training


def test_more_labels_than_there_are(task):
    with pytest.raises(
        ValueError, match=r"`shots` must not exceed .* Found shots=21, 20 of negative in review_domains_"
    ):
        task().material(21)
