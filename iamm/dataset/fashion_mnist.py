"""Articles of clothing."""

from __future__ import annotations

from typing import Annotated, ClassVar

from iamm.constraints import Count, Number, Seed
from iamm.dataset.base import Dataset
from iamm.dataset.idx import idx_scene

CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


class FashionMnistDataset(Dataset):
    """60,000 + 10,000 pictures of clothing, 28×28 grey, 10 classes, from `data_dir/fashion-mnist/`.

    Args:
        data_dir: the folder of all data sets.
        seed: draws the validation examples.
        batch_size: examples a step.
        validation: number of the 60,000 that are held out.
        train: number of the others to train on; None for all.

    Source: Xiao, Rasul, Vollgraf 2017.
    """

    provides = ({"name": "fashion_mnist", "kind": "image", "task": "classification", "side": 28},)
    at_most: ClassVar = {("validation", "train"): 60_000}

    def __init__(
        self,
        *,
        data_dir: str | None,
        seed: Seed,
        batch_size: Count = 64,
        validation: Annotated[int, Number(1, 59_999, whole=True)] = 5000,
        train: Count | None = None,
    ) -> None:
        scene = idx_scene(
            "fashion_mnist",
            folder="fashion-mnist",
            classes=CLASSES,
            data_dir=data_dir,
            seed=seed,
            validation=validation,
            train=train,
        )
        super().__init__("fashion_mnist", (scene,), batch_size)
