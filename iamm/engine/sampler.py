"""The order in which training and evaluation read the examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iamm.dataset.base import Dataset, random_generator
from iamm.engine.seeding import derived_seed

EVALUATION_ROWS = 250


class Sampler:
    """An endless series of batches of row numbers of one data set's training split.

    A pass visits every row once. Its order is a function of (seed, data set, pass) alone. With `batch_tokens`, rows
    are sorted by length (ties at random), cut so that rows × longest ≤ batch_tokens, and the batches shuffled; so every
    pass has the same number of batches.

    Args:
        dataset: data set whose training split is read.
        seed: of the run.
    """

    def __init__(self, dataset: Dataset, seed: int) -> None:
        dataset.require("train")
        self.dataset = dataset
        self.seed = seed
        self.lengths = None if dataset.batch_tokens is None else row_lengths(dataset, "train").numpy()
        self.visited = 0
        self.position = 0
        self.growth = 1.0
        self._batches: list[np.ndarray] = []
        self._steps: dict[float, int] = {}

    def batches(self, visit: int, growth: float) -> list[np.ndarray]:
        """The batches of pass `visit`, with the data set's batch size times `growth`."""
        generator = np.random.default_rng(derived_seed(self.seed, "order", self.dataset.name, visit))
        order = generator.permutation(self.dataset.size("train"))
        size = max(1, round(self.dataset.batch_size * growth))
        if self.lengths is None or self.dataset.batch_tokens is None:
            return np.split(order, range(size, len(order), size))
        order = order[np.argsort(self.lengths[order], kind="stable")]
        cut = cut_by_tokens(self.lengths[order], size, round(self.dataset.batch_tokens * growth))
        batches = np.split(order, cut)
        return [batches[place] for place in generator.permutation(len(batches))]

    def steps(self, growth: float) -> int:
        """Batches a pass; the same in every pass."""
        if growth not in self._steps:
            self._steps[growth] = len(self.batches(0, growth))
        return self._steps[growth]

    def next(self, growth: float) -> Tensor:
        """Rows of the next batch (B,) int64; a changed `growth` begins a new pass."""
        if not self._batches or growth != self.growth or self.position == len(self._batches):
            self.visited += bool(self._batches)
            self.growth, self.position = growth, 0
            self._batches = self.batches(self.visited, growth)
        self.position += 1
        return torch.from_numpy(self._batches[self.position - 1])

    def state_dict(self) -> dict[str, float]:
        return {"visited": self.visited, "position": self.position, "growth": self.growth}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        self.visited, self.position = int(state["visited"]), int(state["position"])
        self.growth = float(state["growth"])
        self._batches = self.batches(self.visited, self.growth) if self.position else []


def samplers_of(datasets: Sequence[Dataset], seed: int, saved: Sequence[Mapping[str, Any]]) -> list[Sampler]:
    """A sampler for each data set, from its saved state where there is one."""
    samplers = [Sampler(dataset, seed) for dataset in datasets]
    for sampler, state in zip(samplers, saved, strict=False):
        sampler.load_state_dict(state)
    return samplers


def cut_by_tokens(lengths: np.ndarray, rows: int, tokens: int) -> list[int]:
    """Positions at which sorted rows are split so that each batch has rows × longest ≤ tokens, but at least one row."""
    cuts, start = [], 0
    for place, length in enumerate(lengths.tolist()):
        count = place - start + 1
        if place > start and (count > rows or count * length > tokens):
            cuts.append(place)
            start = place
    return cuts


def row_lengths(dataset: Dataset, split: str) -> Tensor:
    """The length of each instance: that of its padded targets, or else of its longest padded input.  # (N,)"""
    lengths: list[Tensor] = []
    for scene in dataset.scenes:
        part = scene.splits[split]
        targets = [(scene.target_field, part.targets)]
        inputs = [(field, part.inputs[name]) for name, field in scene.fields.items()]
        padded = targets if scene.target_field.padding is not None else inputs
        lengths += [field.lengths(values) for field, values in padded if field.padding is not None]
    if not lengths:
        return torch.ones(dataset.size(split), dtype=torch.int64)
    return torch.stack(lengths).amax(dim=0)


def evaluation_batches(dataset: Dataset, split: str) -> Iterator[Tensor]:
    """Batches of all rows, sorted by length; the same at each call.

    Rows of one length are mixed: in a data set that is kept class by class, a control that takes something from another
    row of the batch would else take it from the same class always, or never.
    """
    lengths = row_lengths(dataset, split)
    mixed = torch.from_numpy(random_generator(0, "evaluation", split).permutation(len(lengths)))
    order = mixed[torch.argsort(lengths[mixed], stable=True)]
    return iter(order.split(EVALUATION_ROWS))
