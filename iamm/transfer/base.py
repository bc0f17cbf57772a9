"""The base class of transfers, which adapt a model of known scenes to a scene that it was not trained for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from iamm.constrained import Constrained
from iamm.constraints import Count, Positive
from iamm.dataset.base import Dataset, SceneBatch, Split
from iamm.engine.collate import collate
from iamm.engine.seeding import derived_seed
from iamm.model.scene_network import SceneNetwork


@dataclass(frozen=True)
class Material:
    """What a transfer may read: of the target k labels a class and inputs without labels, and the known scenes.

    The target's test and validation splits are not here, and neither are its other labels.

    Args:
        target: one scene, with the splits `train`, k examples of each class, and `unlabelled`.
        known: the data sets of the known scenes.
        seed: of all random numbers.
        device: of the model.
    """

    target: Dataset
    known: Sequence[Dataset]
    seed: int
    device: torch.device

    @property
    def name(self) -> str:
        """The name of the target's scene."""
        return self.target.scenes[0].name

    @property
    def labelled(self) -> int:
        """The number of all labelled examples of the target, k · C."""
        return self.target.size("train")

    def batch(self, split: str, rows: Tensor) -> dict[str, SceneBatch]:
        """Examples of a split of the target, as the model reads them."""
        return collate(self.target, split, rows, self.device)

    def batches(self, split: str, size: int) -> Callable[[int], dict[str, SceneBatch]]:
        """A function: step → its batch of the target."""
        return random_batches(self.target, split, size, self.seed, self.device)


def random_batches(
    dataset: Dataset, split: str, size: int, seed: int, device: torch.device
) -> Callable[[int], dict[str, SceneBatch]]:
    """A function: step → its batch; each pass has an order of its own, and no row comes twice in one."""
    count = dataset.size(split)
    size = min(size, count)

    def batch(step: int) -> dict[str, SceneBatch]:
        visit, place = divmod(step, count // size)
        generator = torch.Generator().manual_seed(derived_seed(seed, split, visit))
        order = torch.randperm(count, generator=generator)
        return collate(dataset, split, order[place * size : (place + 1) * size], device)

    return batch


class Transfer(Constrained):
    """A transfer adapts a source model to a target scene, in place.

    The source model knows the target by name, as an unknown scene with the encoder and the head of its kind. What the
    transfer does depends on the model and the material alone.
    """

    reads_labels = True
    """Whether the target's labels change anything; else a table has one run for all numbers of labels."""

    reads_unlabelled = False
    """Whether it reads the target's inputs without labels."""

    begins_from_source = True
    """Whether the model that it adapts is the source run's; else it is one that nothing has trained."""

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        """Adapt the model.

        Raises:
            ValueError: the model or the material lacks what this transfer needs.
        """
        raise NotImplementedError


class LearningTransfer(Transfer):
    """θ ← AdamW(θ, ∇ mean_i L(x_i, y_i)) over the target's k labelled examples of each class.

    The number of steps is fixed: the target's validation labels are not read. With no labels nothing is trained.

    Args:
        steps: of the optimizer.
        rate: the learning rate.
        batch: examples a step; fewer where there are fewer.
    """

    def __init__(self, *, steps: Count = 50, rate: Positive = 1e-3, batch: Count = 64) -> None:
        self.steps, self.rate, self.batch = steps, rate, batch

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        parameters = self.trained(model, material)
        if material.labelled:
            batch = material.batches("train", self.batch)

            def loss(step: int) -> Tensor:
                return model(batch(step)).losses[material.name]

            descend(model, parameters, loss, self.steps, self.rate)

    def trained(self, model: SceneNetwork, material: Material) -> list[nn.Parameter]:
        """The parameters that are trained; those of the target's own are added to the model first.

        Raises:
            ValueError: there is none.
        """
        raise NotImplementedError


def material_of(
    target: Dataset, known: Sequence[Dataset], shots: int, draw: int, seed: int, device: torch.device
) -> Material:
    """Select what a transfer may read.

    Args:
        target: a data set of one scene.
        known: the data sets of the known scenes.
        shots: k, labels of each class.
        draw: seed of the draw of labels, which are nested: those of k are the first of those of 2k.
        seed: of the transfer's random numbers.
        device: of the model.

    Raises:
        ValueError: the scene has no classes, or a class has fewer examples than `shots`.
    """
    (scene,) = target.scenes
    few = target.labelled(shots, draw).scenes[0].splits["train"] if shots else scene.splits["train"].rows(NO_ROWS)
    inputs = scene.splits.get("unlabelled", scene.splits["train"])
    unlabelled = Split(inputs.inputs, torch.zeros_like(inputs.targets), inputs.present)
    selected = replace(scene, splits={"train": few, "unlabelled": unlabelled})
    return Material(Dataset(target.name, (selected,), target.batch_size), known, seed, device)


NO_ROWS = torch.zeros(0, dtype=torch.int64)


def descend(
    model: SceneNetwork, parameters: Sequence[nn.Parameter], loss: Callable[[int], Tensor], steps: int, rate: float
) -> None:
    """Take steps of AdamW without weight decay, with dropout on, and leave the model in evaluation.

    Args:
        model: whose parameters are trained.
        parameters: that are trained; the others are unchanged.
        loss: step → its loss.
        steps: their number.
        rate: the learning rate.
    """
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)
    model.train().requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_(True)
    for step in range(steps):
        optimizer.zero_grad()
        loss(step).backward()
        optimizer.step()
        model.end_step()
    model.train(False).requires_grad_(True)


def matching(model: nn.Module, wanted: Callable[[str], bool]) -> list[nn.Parameter]:
    """The parameters with a wanted name."""
    return [parameter for name, parameter in model.named_parameters() if wanted(name)]
