from __future__ import annotations

import pytest
import torch

from iamm.augment.image import ImageAugment
from iamm.augment.text import TextAugment
from iamm.dataset.base import SPLITS, Dataset, Scene, Split
from iamm.dataset.fields import CLASS, PIXELS, TOKENS, Field
from iamm.engine.collate import collate

CPU = torch.device("cpu")
ROWS = torch.tensor([5, 0, 11, 3, 7])


def test_trims_what_is_padding_in_every_row():
    values = torch.tensor([[4, 5, 0, 0, 0], [4, 0, 0, 0, 0], [6, 7, 8, 0, 0]])
    assert TOKENS.batched(values).tolist() == [[4, 5, 0], [4, 0, 0], [6, 7, 8]]
    assert TOKENS.batched(values[1:2]).tolist() == [[4]]
    assert TOKENS.batched(torch.zeros(3, 5, dtype=torch.int64)).tolist() == [[0], [0], [0]]
    assert TOKENS.batched(torch.zeros(3, 0, dtype=torch.int64)).tolist() == [[], [], []]
    assert CLASS.batched(torch.tensor([0, 1, 0])).tolist() == [0, 1, 0]


def test_only_declared_padding_is_trimmed():
    """Of several labels zeros are no padding; a sequence may be padded with another value, and hold zeros."""
    labels = torch.tensor([[0, 1, 0, 1], [0, 0, 0, 1]])
    history = torch.tensor([[3, 0, -1, -1], [5, -1, 2, -1]])
    prices = torch.tensor([[1.5, 0.0], [0.0, 0.0]])
    split = Split({"history": history, "prices": prices}, labels, torch.tensor([True, True]))
    fields = {"history": Field("sequence", padding=-1), "prices": Field("numbers")}
    scene = Scene("p", "history", "labels", dict.fromkeys(SPLITS, split), fields, Field("numbers"))
    batch = collate(Dataset("p", (scene,)), "train", torch.tensor([0, 1]), CPU)["p"]
    assert batch.targets.tolist() == [[0, 1, 0, 1], [0, 0, 0, 1]]
    assert batch.inputs["history"].tolist() == [[3, 0, -1], [5, -1, 2]]
    assert batch.inputs["prices"].tolist() == [[1.5, 0.0], [0.0, 0.0]]
    assert fields["history"].lengths(history).tolist() == [2, 3]


def test_a_row_of_vectors_ends_with_its_last_vector():
    places = torch.tensor([[[0, 7], [0, 0], [0, 0]], [[0, 0], [8, 0], [0, 0]]])
    field = Field("numbers", padding=0)
    assert field.lengths(places).tolist() == [1, 2]
    assert field.batched(places).tolist() == [[[0, 7], [0, 0]], [[0, 0], [8, 0]]]


def test_an_unknown_kind_of_field_is_refused():
    with pytest.raises(ValueError, match=r"`kind` must be one of pixels, tokens, ids, numbers, sequence. Found words"):
        Field("words")


def test_pictures_become_numbers_from_0_to_1():
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(3, 1, 1, 1)
    split = Split({"image": pixels}, torch.tensor([0, 1, 0]), torch.tensor([True, False, True]))
    scene = Scene("p", "image", "classification", dict.fromkeys(SPLITS, split), {"image": PIXELS}, CLASS, ("a", "b"))
    batch = collate(Dataset("p", (scene,)), "train", torch.tensor([2, 1]), CPU)["p"]
    torch.testing.assert_close(batch.inputs["image"].flatten(), torch.tensor([1.0, 0.2]))
    assert batch.targets.tolist() == [0, 1]
    assert batch.present.tolist() == [True, False]


def test_rows_of_all_scenes_stay_aligned(pictures, texts):
    data = Dataset("both", (*pictures(train=23).scenes, *texts().scenes))
    batch = collate(data, "train", ROWS, CPU)
    assert list(batch) == ["pictures", "texts"]
    for scene in data.scenes:
        part = scene.splits["train"]
        torch.testing.assert_close(batch[scene.name].targets, scene.target_field.batched(part.targets[ROWS]))
        torch.testing.assert_close(batch[scene.name].present, part.present[ROWS])
    assert batch["texts"].inputs["text"].shape[1] == int(
        (data.scenes[1].splits["train"].inputs["text"][ROWS] != 0).sum(1).max()
    )


@pytest.fixture(params=["image", "text"])
def augmented(request, pictures, texts):
    """rows, seed, epoch → each row's input, without padding."""
    data = pictures() if request.param == "image" else texts()
    change = ImageAugment(erase=0.9) if request.param == "image" else TextAugment(replace=0.3, insert=0.3)

    def see(rows, seed=2, epoch=1):
        batch = collate(data, "train", torch.tensor(rows), CPU, augment={request.param: change}, seed=seed, epoch=epoch)
        inputs = batch[data.name].inputs[request.param]
        return [row.tolist() if row.dim() > 1 else row[row != 0].tolist() for row in inputs]

    return see


def test_augmentation_is_a_function_of_seed_epoch_and_row(augmented):
    together = augmented([5, 0, 11, 3, 7])
    assert [augmented([row])[0] for row in (5, 0, 11, 3, 7)] == together  # batch-mates and place change nothing
    assert augmented([7, 3, 11, 0, 5]) == together[::-1]
    assert augmented([5, 0, 11, 3, 7], seed=3) != together
    assert augmented([5, 0, 11, 3, 7], epoch=2) != together


def test_equal_examples_are_changed_each_in_its_own_way():
    grey = {"image": torch.full((5, 1, 5, 7), 99, dtype=torch.uint8)}
    split = Split(grey, torch.arange(5) % 2, torch.ones(5, dtype=torch.bool))
    scene = Scene("p", "image", "classification", dict.fromkeys(SPLITS, split), {"image": PIXELS}, CLASS, ("a", "b"))
    batch = collate(Dataset("p", (scene,)), "train", torch.arange(5), CPU, augment={"image": ImageAugment(erase=1.0)})
    assert len({tuple(picture.flatten().tolist()) for picture in batch["p"].inputs["image"]}) == 5


def test_only_its_own_kind_is_changed(pictures, texts):
    data = Dataset("both", (*pictures(train=23).scenes, *texts().scenes))
    plain = collate(data, "train", ROWS, CPU)
    changed = collate(data, "train", ROWS, CPU, augment={"image": ImageAugment(erase=1.0)}, seed=0, epoch=0)
    torch.testing.assert_close(changed["texts"].inputs["text"], plain["texts"].inputs["text"])
    assert not torch.equal(changed["pictures"].inputs["image"], plain["pictures"].inputs["image"])
