"""Handwritten digits."""

from __future__ import annotations

from iamm.dataset.base import Dataset
from iamm.dataset.idx import idx_scene


class MnistDataset(Dataset):
    """60,000 + 10,000 handwritten digits, 28×28 grey, 10 classes, from `data_dir/mnist/`.

    Args:
        data_dir: the folder of all data sets.
        seed: draws the validation examples.
        batch_size: examples a step.
        validation: how many of the 60,000 are held out.
        train: how many of the others to train on; None for all.

    Source: LeCun, Bottou, Bengio, Haffner 1998.
    """

    def __init__(
        self,
        *,
        data_dir: str | None,
        seed: int,
        batch_size: int = 64,
        validation: int = 5000,
        train: int | None = None,
    ) -> None:
        scene = idx_scene(
            "mnist",
            folder="mnist",
            classes=tuple("0123456789"),
            data_dir=data_dir,
            seed=seed,
            validation=validation,
            train=train,
        )
        super().__init__("mnist", (scene,), batch_size)
