"""Test-time augmentation: a model answers by the mean over several versions of each picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iamm.dataset.base import Dataset, SceneBatch
from iamm.engine.collate import all_batches
from iamm.engine.evaluate import Batch, Measures
from iamm.errors import ConfigError
from iamm.head.base import Head

SHIFTS = {"mirror": {0: 1.0}, "mirror_shift": {0: 0.5, 1: 0.25, -1: 0.25}}
"""Choice → pixels by which a picture is shifted down and right, and the weight of both mirror images of it together."""


def versions(pictures: Tensor, choice: str) -> Iterator[tuple[float, Tensor]]:
    """The versions of pictures (B, channels, height, width), each with its weight; the weights' sum is 1.

    `mirror`: the picture and its mirror image, ½ each. `mirror_shift`: these with ¼ each, and both shifted by a pixel
    down and right, and up and left, with ⅛ each; the picture's own pixels are reflected beyond its edge (Jordan 2024,
    "94% on CIFAR-10 in 3.29 seconds on a single GPU", §3.5).
    """
    height, width = pictures.shape[-2:]
    rows, columns = (np.pad(np.arange(length), 1, mode="reflect") for length in (height, width))
    for shift, weight in SHIFTS[choice].items():
        shifted = pictures[..., rows[1 - shift :][:height, None], columns[1 - shift :][:width]]
        yield weight / 2, shifted
        yield weight / 2, shifted.flip(-1)


def pictured(model: Any, datasets: Sequence[Dataset]) -> list[tuple[Dataset, list[str]]]:
    """The data sets with scenes of pictures whose heads can average answers, and the names of these scenes.

    Raises:
        ConfigError: there is none.
    """
    names = [(dataset, [scene.name for scene in dataset.scenes if averages(scene, model)]) for dataset in datasets]
    if not any(some for _, some in names):
        raise ConfigError(
            "`log.augmented` needs scenes of pictures with classes or numbers. Found none: leave it out, or give "
            "`dataset` one."
        )
    return [(dataset, some) for dataset, some in names if some]


def averages(scene: Any, model: Any) -> bool:
    has_pictures = any(field.kind == "pixels" for field in scene.fields.values())
    return has_pictures and type(model.head(scene.name)).averaged is not Head.averaged


@torch.no_grad()
def augmented_measures(model: Any, datasets: Sequence[Dataset], device: torch.device, choice: str) -> Measures:
    """Per scene of pictures, each measure on test of the mean answer to the versions: `accuracy_augmented` and so on.

    Args:
        model: a `SceneNetwork`.
        datasets: of the run.
        device: of the model.
        choice: `mirror` or `mirror_shift`; see `versions`.
    """
    model.train(False)
    outputs: dict[str, list[Any]] = defaultdict(list)
    for dataset, names in pictured(model, datasets):
        for batch in all_batches([dataset], "test", device):
            parts = list(batch_versions(dataset, batch, choice))
            for name in names:
                observed = [(weight, model.observe(part, name)[0][name]) for weight, part in parts]
                outputs[name].append(model.head(name).averaged(observed))
    measures: Measures = model.measure(outputs)[0]
    return {name: {f"{key}_augmented": each for key, each in part.items()} for name, part in measures.items()}


def batch_versions(dataset: Dataset, batch: Batch, choice: str) -> Iterator[tuple[float, dict[str, SceneBatch]]]:
    """The versions of a batch, in which all pictures of an instance are changed alike."""
    places = [
        (scene.name, field)
        for scene in dataset.scenes
        for field, declared in scene.fields.items()
        if declared.kind == "pixels"
    ]
    changed = [versions(batch[name].inputs[field], choice) for name, field in places]
    for each in zip(*changed, strict=True):
        part = dict(batch)
        for (name, field), (_, pictures) in zip(places, each, strict=True):
            part[name] = part[name]._replace(inputs={**part[name].inputs, field: pictures})
        yield each[0][0], part
