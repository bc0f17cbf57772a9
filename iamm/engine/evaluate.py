"""A model's measures on one split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from iamm.dataset.base import Dataset, SceneBatch
from iamm.engine.collate import all_batches
from iamm.engine.finite import finite_measures
from iamm.penalty import Penalties

Batch = Mapping[str, SceneBatch]
Measures = dict[str, dict[str, float]]


class Network(Protocol):
    """The interface of a model that the engine uses; `SceneNetwork` implements it."""

    names: tuple[str, ...]
    training: bool
    reads_all_scenes: bool

    def __call__(self, batch: Batch) -> Any: ...

    def counts(self, batch: Batch) -> torch.Tensor: ...

    def train(self, mode: bool = True) -> Any: ...

    def modules(self) -> Iterator[nn.Module]: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def head_parameters(self) -> list[list[nn.Parameter]]: ...

    def shared_head_parameters(self) -> list[nn.Parameter]: ...

    def trunk_parameters(self) -> list[nn.Parameter]: ...

    def shared_parameters(self, groups: Sequence[Sequence[str]]) -> list[nn.Parameter]: ...

    def penalties(self) -> Penalties: ...

    def set_progress(self, progress: float) -> None: ...

    def end_step(self, *, applied: bool = True) -> None: ...

    def end_validation(self, qualities: Mapping[str, float]) -> None: ...

    def observe(self, batch: Batch, only: str | None = None) -> tuple[dict[str, Any], dict[str, torch.Tensor]]: ...

    def measure(self, outputs: Mapping[str, Sequence[Any]]) -> tuple[Measures, dict[str, float]]: ...


@dataclass(frozen=True)
class Evaluation:
    """The results of a model on one split.

    Args:
        measures: per scene, name → value.
        scene_weights: per scene, the mean attention over all scenes' names, where the fusion has any.
        qualities: per scene, the selection measure of its head, with the sign that makes higher better.
        outputs: per scene, the head's outputs for each batch, in the order of evaluation.
    """

    measures: Mapping[str, Mapping[str, float]]
    scene_weights: Mapping[str, Mapping[str, float]]
    qualities: Mapping[str, float]
    outputs: Mapping[str, Sequence[Mapping[str, Any]]]

    @property
    def quality(self) -> float:
        """The mean quality over scenes, by which validation selects a model."""
        return sum(self.qualities.values()) / len(self.qualities)


@torch.no_grad()
def evaluate(
    model: Network,
    datasets: Sequence[Dataset],
    split: str,
    device: torch.device,
    before_batch: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Evaluate a model on all examples of a split, in float32, without dropout, augmentation or random numbers.

    Args:
        model: a `SceneNetwork`.
        datasets: data sets whose scenes the model has.
        split: validation or test.
        device: of the model.
        before_batch: called before each batch; it may stop the run, since an evaluation changes no state.

    Raises:
        DivergedError: a measure is not finite.
    """
    require_split(datasets, split)
    training = model.training
    model.train(False)
    outputs: dict[str, list[Any]] = defaultdict(list)
    attended: dict[str, list[torch.Tensor]] = defaultdict(list)
    for batch in all_batches(datasets, split, device):
        before_batch()
        batch_outputs, weights = model.observe(batch)
        for name, part in batch_outputs.items():
            outputs[name].append(part)
        for name, part in weights.items():
            attended[name].append(part)
    model.train(training)
    measures, qualities = model.measure(outputs)
    finite_measures(split, measures, qualities)
    scene_weights = {
        name: dict(zip(model.names, torch.cat(parts).double().mean(dim=0).tolist(), strict=True))
        for name, parts in attended.items()
    }
    return Evaluation(measures, scene_weights, qualities, outputs)


def require_split(datasets: Sequence[Dataset], split: str) -> None:
    """Every scene needs an example to be evaluated on.

    Raises:
        BadDataError: as `Dataset.require`.
    """
    for dataset in datasets:
        dataset.require(split)
