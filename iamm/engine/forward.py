"""The forward pass over the batches of a step, and the penalties added to the losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from iamm.engine.evaluate import Batch, Network
from iamm.penalty import Penalties, summed


class Forward(NamedTuple):
    """A model's outputs for one batch of every data set, in the order of the scenes.

    Shapes:
        losses: S of (), in float32
        observed: (S,) bool, False for a scene none of whose examples is present
        features, representation: as in `iamm.weighting.base.Paths`
        scene_weights: (S, S), a row for each attending scene; None where the fusion has none
        penalties: by name, ()
    """

    losses: list[Tensor]
    observed: Tensor
    features: list[Tensor]
    representation: list[Tensor]
    scene_weights: Tensor | None
    penalties: Penalties


def forward(model: Network, batches: Sequence[Batch], portion: Tensor) -> Forward:
    """Run the model on each data set's batch, or on all of them in one call if the model reads all scenes of a step.

    Args:
        model: of all scenes.
        batches: one of each data set.
        portion: (S,), factors on the losses.
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
    """Factors on the mean losses of n accumulated batches; 1 for a single batch.

    With them, the mean over the batches that observe a scene is the mean over all terms (examples or tokens) of the
    step.

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
        the values of the penalties, times share.
    """
    if not penalties:
        return {}
    total = torch.stack([value.float() for value in penalties.values()]).sum() * share
    if total.requires_grad:
        total.backward(retain_graph=True)
    return {name: value.detach().float() * share for name, value in penalties.items()}
