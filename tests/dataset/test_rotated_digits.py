from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from iamm.dataset.digits import DigitsDataset
from iamm.dataset.rotated_digits import RotatedDigitsDataset, turned

SPLITS = ("train", "validation", "test")


def parts(dataset, split: str):
    return dataset.scenes[0].splits[split]


def test_worked_quarter_turn_to_the_left():
    picture = np.arange(9, dtype=np.uint8).reshape(1, 3, 3)
    assert turned(picture, 90)[0].tolist() == [[2, 5, 8], [1, 4, 7], [0, 3, 6]]
    assert turned(picture, 0).tolist() == picture.tolist()


def test_equals_another_library_at_any_angle():
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    for degrees in (15, 30, 75):
        padded = np.pad(pictures, ((0, 0), (4, 4), (4, 4)))
        other = ndimage.rotate(padded.astype(float), degrees, axes=(2, 1), reshape=False, order=1)[:, 4:-4, 4:-4]
        assert np.abs(turned(pictures, degrees) - other).max() <= 0.51


def test_no_scene_trains_with_a_picture_of_another_and_all_test_with_the_same():
    """Unturned, the six scenes' pictures are those of `digits`, each once in training and six times in test."""
    whole = DigitsDataset(seed=3)
    made = RotatedDigitsDataset(seed=3)
    assert sum(len(parts(each, "train").targets) for each in made) == len(parts(whole, "train").targets)
    sizes = [len(parts(each, "train").targets) for each in made]
    assert max(sizes) - min(sizes) <= 1
    for split in SPLITS[1:]:
        assert all(parts(each, split).targets.equal(parts(whole, split).targets) for each in made)
    upright = parts(made[0], "train").inputs["image"]
    pictures = {picture.numpy().tobytes() for picture in parts(whole, "train").inputs["image"]}
    assert {picture.numpy().tobytes() for picture in upright} <= pictures
    assert parts(made[0], "test").inputs["image"].equal(parts(whole, "test").inputs["image"])


def test_a_scene_does_not_depend_on_the_others():
    (alone,) = RotatedDigitsDataset(seed=3, scenes=["r45"])
    among = RotatedDigitsDataset(seed=3)[3]
    assert alone.name == among.name == "rotated_digits_r45"
    for split in SPLITS:
        assert torch.equal(parts(alone, split).inputs["image"], parts(among, split).inputs["image"])
