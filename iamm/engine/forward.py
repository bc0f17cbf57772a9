"""A model's pass over one step's batches, and what is minimised beside the losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from iamm.engine.evaluate import Batch, Network
from iamm.penalty import Penalties, summed


class Forward(NamedTuple):
    """What a model gives for one batch of every data set, scene by scene in their order.

    Shapes:
        losses: S of (), in float32
        observed: (S,) bool, False for a scene none of whose examples is present
        features, representation: as in `iamm.weighting.base.Paths`
        scene_weights: (S, S), a row for each scene that asks; None where the fusion has none
        penalties: by name, ()
    """

    losses: list[Tensor]
    observed: Tensor
    features: list[Tensor]
    representation: list[Tensor]
    scene_weights: Tensor | None
    penalties: Penalties


def forward(model: Network, batches: Sequence[Batch], portion: Tensor) -> Forward:
    """Each data set's batch by itself, or all of them in one call where the model reads all scenes of a step.

    Args:
        model: of all scenes.
        batches: one of each data set.
        portion: (S,), what the losses are multiplied by.
    """
    if model.reads_all_scenes:
        batches = [{name: part for batch in batches for name, part in batch.items()}]
    outcomes = [model(batch) for batch in batches]
    losses = [loss for outcome in outcomes for loss in outcome.losses.values()]
    attended = [weights for outcome in outcomes for weights in (outcome.scene_weights or {}).values()]
    return Forward(
        losses=[loss.float() * part for loss, part in zip(losses, portion, strict=True)],
        observed=torch.stack([part.present.any() for batch in batches for part in batch.values()]),
        features=[values for outcome in outcomes for values in outcome.features.values()],
        representation=[values for outcome in outcomes for values in outcome.representation],
        scene_weights=torch.stack(attended).float() if attended else None,
        penalties=summed(outcome.penalties for outcome in outcomes),
    )


def portions(model: Network, drawn: Sequence[Sequence[Batch]]) -> Tensor:
    """What each accumulated batch's mean losses are multiplied by, so that their mean over the n batches, or those of
    them that observe the scene, is the mean over all of the step's terms (examples or tokens); 1 for a batch alone.

    Shapes:
        → (n, S)
    """
    if len(drawn) == 1:
        return torch.ones(1, sum(map(len, drawn[0])))
    counts = torch.stack([torch.cat([model.counts(batch) for batch in batches]) for batches in drawn])  # (n, S)
    return counts * (counts > 0).sum(dim=0) / counts.sum(dim=0).clamp(min=1)


def add_penalties(penalties: Penalties, share: float = 1.0) -> dict[str, Tensor]:
    """Add the gradients of share · Σ penalties to the parameters' `.grad`; the graph stays.

    Returns:
        their values, times share.
    """
    if not penalties:
        return {}
    total = torch.stack([value.float() for value in penalties.values()]).sum() * share
    if total.requires_grad:
        total.backward(retain_graph=True)
    return {name: value.detach().float() * share for name, value in penalties.items()}
