"""Small handwritten digits, turned by six angles: related scenes of pictures that need no download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from torch.nn import functional

from iamm.constrained import Constrained
from iamm.constraints import Count, ListOf, OneOf, Seed
from iamm.dataset.base import SPLITS, Dataset, random_generator
from iamm.dataset.digits import Part, digit_pictures, stratified_rows
from iamm.dataset.idx import picture_scene, picture_split

SCENES = ("r0", "r15", "r30", "r45", "r60", "r75")
Scenes = Annotated[Sequence[str], ListOf(OneOf(SCENES), different=True)]


class RotatedDigitsDataset(list[Dataset], Constrained):
    """The pictures of `digits`, turned to the left by 0 to 75 degrees; each angle is a scene and a separate data set.

    The training pictures are divided, a sixth for each angle, so no scene trains with a picture of another. All scenes
    validate and test with the same held-out pictures, each at its own angle. Turned with bilinear interpolation, black
    outside.

    Args:
        seed: draws the splits, and divides the training pictures.
        batch_size: examples a step, of each scene.
        scenes: any of r0, r15, r30, r45, r60 and r75, in the order of the run; a scene does not depend on the others.
        validation: share of all pictures.
        test: share of all pictures.

    Raises:
        ValueError: an unknown scene; shares outside of their range.

    Source: Ghifary et al. 2015, §5.1, who turned MNIST by these angles and gave each scene the same pictures.
    """

    provides = ({"name": "rotated_digits_{scene}", "kind": "image", "task": "classification", "side": 8},)

    def __init__(
        self, *, seed: Seed, batch_size: Count = 64, scenes: Scenes = SCENES, validation: Part = 0.1, test: Part = 0.2
    ) -> None:
        pictures, labels = digit_pictures()
        train, *held_out = stratified_rows(
            labels, (1 - validation - test, validation), random_generator(seed, "digits")
        )
        order = random_generator(seed, "rotated_digits").permutation(train)
        made = []
        for scene in scenes:
            rows = (order[SCENES.index(scene) :: len(SCENES)], *held_out)
            parts = {
                split: picture_split(turned(pictures[part], float(scene[1:])), labels[part])
                for split, part in zip(SPLITS, rows, strict=True)
            }
            name = f"rotated_digits_{scene}"
            made.append(Dataset(name, (picture_scene(name, parts, tuple("0123456789")),), batch_size))
        super().__init__(made)


def turned(pictures: np.ndarray, degrees: float) -> np.ndarray:
    """Turn pictures to the left around their middle.  # (N, side, side) uint8"""
    angle = np.deg2rad(degrees)
    matrix = torch.tensor([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])
    values = torch.from_numpy(pictures).double()[:, None]  # (N, 1, side, side)
    grid = functional.affine_grid(matrix.expand(len(values), 2, 3), list(values.shape), align_corners=False)
    sampled: np.ndarray = functional.grid_sample(values, grid, align_corners=False)[:, 0].numpy()
    return np.rint(sampled).astype(np.uint8)
