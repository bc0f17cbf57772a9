"""The base class of transfers, which adapt a model of known scenes to a scene that it was not trained for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from iamm.constrained import Constrained
from iamm.constraints import Count, Positive
from iamm.dataset.base import Dataset, Scene, SceneBatch, Split
from iamm.engine.collate import Augment, collate
from iamm.engine.freezing import begin_training
from iamm.engine.seeding import derived_seed
from iamm.fusion.base import NO_INTEREST
from iamm.model.scene_network import Outcome, SceneNetwork

Batches = Callable[[int], dict[str, SceneBatch]]
"""A function: step → its batch."""


@dataclass(frozen=True)
class Material:
    """What a transfer may read: of the target k labels a class and inputs without labels, and the known scenes.

    The target's test and validation splits are not here, and neither are its other labels.

    Args:
        target: its scene, and the other views of its examples if there are any, with the splits `train`, k examples of
            each class, and `unlabelled`.
        known: the data sets of the known scenes.
        seed: of all random numbers.
        device: of the model.
        augment: name → augmentation of the examples that a transfer trains with.
    """

    target: Dataset
    known: Sequence[Dataset]
    seed: int
    device: torch.device
    augment: Mapping[str, Augment] = field(default_factory=dict)

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

    def batches(self, split: str, size: int) -> Batches:
        """Batches of the target."""
        return random_batches(self.target, split, size, self.seed, self.device, self.augment)

    def known_batches(self, model: SceneNetwork, size: int) -> list[Batches]:
        """Training batches of each known scene that shares the target's head, with the other views of its examples."""
        alike = [dataset for dataset in self.known if scene_like(model, dataset.names, self.name)]
        seeds = [derived_seed(self.seed, dataset.name) for dataset in alike]
        return [
            random_batches(dataset, "train", size, seed, self.device, self.augment)
            for dataset, seed in zip(alike, seeds, strict=True)
        ]


def scene_like(model: SceneNetwork, names: Iterable[str], target: str) -> str | None:
    """The first of these scenes that shares the target's head, if any."""
    return next((name for name in names if model.heads[name] is model.heads[target]), None)


def random_batches(
    dataset: Dataset, split: str, size: int, seed: int, device: torch.device, augment: Mapping[str, Augment]
) -> Batches:
    """A function: step → its batch; each pass has an order of its own, and no row comes twice in one."""
    count = dataset.size(split)
    size = min(size, count)

    def batch(step: int) -> dict[str, SceneBatch]:
        visit, place = divmod(step, count // size)
        generator = torch.Generator().manual_seed(derived_seed(seed, split, visit))
        order = torch.randperm(count, generator=generator)
        rows = order[place * size : (place + 1) * size]
        return collate(dataset, split, rows, device, augment=augment, seed=seed, epoch=visit)

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

    def check(self, model: SceneNetwork, material: Material) -> None:
        """Refuse what the transfer cannot adapt, before anything is written.

        Raises:
            ValueError: the model or the material lacks what it needs.
        """

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        """Adapt a model that `check` allows."""
        raise NotImplementedError

    def measured(self, target: Dataset) -> Dataset:
        """The target as the adapted model is measured on it: as it is, but for a control of what its examples hold."""
        return target


def require_interest(model: SceneNetwork) -> None:
    """Refuse a model whose fusion has no interest."""
    if not model.fusion.controls:
        raise ValueError(NO_INTEREST.format(fusion=type(model.fusion).__name__))


class LearningTransfer(Transfer):
    """θ ← AdamW(θ, ∇ mean_i L(x_i, y_i)) over the target's k labelled examples of each class.

    The number of steps is fixed: the target's validation labels are not read. With no labels nothing is trained.

    Args:
        steps: of the optimizer.
        rate: the learning rate.
        batch: examples a step; fewer where there are fewer.
    """

    momentum = 0.9
    """β₁ of AdamW."""

    def __init__(self, *, steps: Count = 50, rate: Positive = 1e-3, batch: Count = 64) -> None:
        self.steps, self.rate, self.batch = steps, rate, batch

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        parameters = self.trained(model, material)
        if material.labelled:
            batch = material.batches("train", self.batch)

            def loss(step: int) -> Tensor:
                return model(batch(step)).losses[material.name]

            descend(model, parameters, loss, self.steps, self.rate, self.momentum)

    def trained(self, model: SceneNetwork, material: Material) -> list[nn.Parameter]:
        """The parameters that are trained; those of the target's own are added to the model first.

        Raises:
            ValueError: there is none.
        """
        raise NotImplementedError


def material_of(
    target: Dataset,
    known: Sequence[Dataset],
    shots: int,
    draw: int,
    seed: int,
    device: torch.device,
    augment: Mapping[str, Augment],
) -> Material:
    """Select what a transfer may read.

    Args:
        target: its first scene is the target, others are views of the same examples.
        known: the data sets of the known scenes.
        shots: k, labels of each class.
        draw: seed of the draw of labels, which are nested: those of k are the first of those of 2k.
        seed: of the transfer's random numbers.
        device: of the model.
        augment: of the examples that the transfer trains with.

    Raises:
        ValueError: the scene has no classes, or a class has fewer examples than `shots`.
    """
    drawn = target.labelled(shots, draw).scenes if shots else target.scenes
    few = [scene.splits["train"] if shots else scene.splits["train"].rows(NO_ROWS) for scene in drawn]
    scenes = tuple(
        replace(scene, splits={"train": labelled, "unlabelled": unlabelled(scene)})
        for scene, labelled in zip(target.scenes, few, strict=True)
    )
    return Material(Dataset(target.name, scenes, target.batch_size), known, seed, device, augment)


NO_ROWS = torch.zeros(0, dtype=torch.int64)


def unlabelled(scene: Scene) -> Split:
    """The scene's inputs without labels."""
    inputs = scene.splits.get("unlabelled", scene.splits["train"])
    return Split(inputs.inputs, torch.zeros_like(inputs.targets), inputs.present)


def descend(
    model: SceneNetwork,
    parameters: Sequence[nn.Parameter],
    loss: Callable[[int], Tensor],
    steps: int,
    rate: float,
    momentum: float = 0.9,
) -> None:
    """Take steps of AdamW without weight decay, with dropout on, and leave the model in evaluation.

    Args:
        model: whose parameters are trained.
        parameters: that are trained; the others are unchanged.
        loss: step → its loss.
        steps: their number.
        rate: the learning rate.
        momentum: β₁.
    """
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(momentum, 0.999), weight_decay=0.0)
    model.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_(True)
    begin_training(model)
    for step in range(steps):
        optimizer.zero_grad()
        loss(step).backward()
        optimizer.step()
        model.end_step()
    model.train(False).requires_grad_(True)


def task_loss(outcome: Outcome) -> Tensor:
    """The sum of a batch's losses and of the penalties that its examples pay.  # ()"""
    return torch.stack([*outcome.losses.values(), *(each.sum() for each in outcome.penalties.values())]).sum()


def matching(model: nn.Module, wanted: Callable[[str], bool]) -> list[nn.Parameter]:
    """The parameters with a wanted name."""
    return [parameter for name, parameter in model.named_parameters() if wanted(name)]
