"""The summary of a network: its parts, the shapes of their outputs, and their parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from iamm.model.scene_network import Batch, SceneNetwork

DEPTH = 3
"""Levels of parts: encoders, the encoder of a scene, its layers."""


class Part(NamedTuple):
    """A part of a network.

    Args:
        name: with those of the parts around it: `heads.digits.norm`.
        kind: its class, with the number of scenes that share it, if several do.
        shape: of its output; None if it is not called.
        parameters: their number.
    """

    name: str
    kind: str
    shape: tuple[int, ...] | None
    parameters: int


def summary(network: SceneNetwork, batches: Sequence[Batch]) -> Iterator[Part]:
    """Yield the parts that have parameters; one that several scenes share comes once, under its first name.

    Args:
        network: is put into evaluation mode.
        batches: of each data set, passed through the network.
    """
    shapes = output_shapes(network, batches)
    scenes = Counter([*network.encoders.values(), *network.heads.values()])
    for name, part in network.named_modules():
        if name and name.count(".") < DEPTH and (count := parameters(part)):
            shared = f", {scenes[part]} scenes" if scenes[part] > 1 else ""
            yield Part(name, type(part).__name__ + shared, shapes.get(name), count)


def parameters(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())


@torch.no_grad()
def output_shapes(network: SceneNetwork, batches: Sequence[Batch]) -> dict[str, tuple[int, ...]]:
    """Name of a part → the shape of its first output."""
    shapes: dict[str, tuple[int, ...]] = {}

    def record(name: str, part: nn.Module, inputs: Any, output: Any) -> None:
        if (tensor := first_tensor(output)) is not None:
            shapes.setdefault(name, tuple(tensor.shape))

    hooks = [part.register_forward_hook(partial(record, name)) for name, part in network.named_modules()]
    together = {name: part for batch in batches for name, part in batch.items()}
    network.eval()
    for batch in [together] if network.reads_all_scenes else batches:
        network(batch)
    for hook in hooks:
        hook.remove()
    return shapes


def first_tensor(output: Any) -> Tensor | None:
    """The first tensor of nested mappings and tuples."""
    if isinstance(output, Tensor):
        return output
    parts = output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple) else ()
    return next((tensor for part in parts if (tensor := first_tensor(part)) is not None), None)
