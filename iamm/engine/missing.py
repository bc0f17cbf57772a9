"""The robustness of a model to missing views: a scene's quality where the other views of its instances are absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from iamm.dataset.base import Dataset, Scene, Split, random_generator
from iamm.engine.collate import all_batches
from iamm.engine.evaluate import Network

SHARES = tuple(tenth / 10 for tenth in range(11))
"""Shares of the instances whose other views are absent; with the last one a scene is alone."""


@torch.no_grad()
def missing_views(
    model: Network, datasets: Sequence[Dataset], device: torch.device, seed: int
) -> dict[str, dict[str, Any]]:
    """Measure each scene of paired data sets on test while its other views are absent in a share of the instances.

    Args:
        model: of all scenes.
        datasets: of the run; one with a single scene has no other views.
        device: of the model.
        seed: of the draw; the instances of a share are among those of a larger one.

    Returns:
        per scene `quality`, at each of `SHARES`; `alone`, the last of them, and so of each measure, `loss_alone`;
        `robustness`, the mean quality from 0.1 to 0.9 over the first; None where that is not above 0.
    """
    model.train(False)
    report: dict[str, dict[str, Any]] = {}
    for dataset in datasets:
        order = torch.from_numpy(random_generator(seed, "missing", dataset.name).permutation(dataset.size("test")))
        for name in [scene.name for scene in dataset.scenes if len(dataset.scenes) > 1]:
            cut = [without_others(dataset, name, order[: round(share * len(order))]) for share in SHARES]
            parts = [measured(model, part, name, device) for part in cut]
            quality = [quality for _, quality in parts]
            alone = {f"{measure}_alone": value for measure, value in parts[-1][0].items()}
            robustness = fmean(quality[1:-1]) / quality[0] if quality[0] > 0 else None
            report[name] = {"quality": quality, "alone": quality[-1], "robustness": robustness, **alone}
    return report


def measured(model: Network, dataset: Dataset, name: str, device: torch.device) -> tuple[Mapping[str, float], float]:
    """The measures of one scene on test, and its quality."""
    outputs = [model.observe(batch, name)[0][name] for batch in all_batches([dataset], "test", device)]
    measures, qualities = model.measure({name: outputs})
    return measures[name], qualities[name]


def without_others(dataset: Dataset, name: str, rows: Tensor) -> Dataset:
    """A copy in which the views of these instances are absent on test, but for one."""
    part = copy(dataset)
    part.scenes = tuple(scene if scene.name == name else without(scene, rows) for scene in dataset.scenes)
    return part


def without(scene: Scene, rows: Tensor) -> Scene:
    """A copy in which these examples of test are absent: their inputs are empty."""
    test = scene.splits["test"]
    values = {name: inputs.index_fill(0, rows, scene.fields[name].padding or 0) for name, inputs in test.inputs.items()}
    split = Split(values, test.targets, test.present.index_fill(0, rows, False))
    return replace(scene, splits={**scene.splits, "test": split})
