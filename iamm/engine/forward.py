"""The forward pass over the batches of a step, and the penalties added to the losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from iamm import processes
from iamm.engine.evaluate import Batch, Network
from iamm.penalty import Penalties, summed
from iamm.weighting.base import positive


class Portion(NamedTuple):
    """What one process's part of a batch is in its step: factors on means over it.

    With them, the mean over the batches that observe a scene, and over the processes, is the mean over all terms or
    examples of the step.

    Shapes:
        terms: (S,), factors on the losses, which are means over terms (examples or tokens)
        examples: (S,), factors on means over present examples
        observed: (S,) bool, False for a scene none of whose examples is present in the batch, in any process
    """

    terms: Tensor
    examples: Tensor
    observed: Tensor


class Forward(NamedTuple):
    """A model's outputs for one batch of every data set, in the order of the scenes.

    Shapes:
        losses: S of (), in float32
        features, representation: as in `iamm.weighting.base.Paths`
        scene_weights: (S, S), a row for each attending scene; None where the fusion has none
        penalties: by name, ()
    """

    losses: list[Tensor]
    features: list[Tensor]
    representation: list[Tensor]
    scene_weights: Tensor | None
    penalties: Penalties


def forward(model: Network, batches: Sequence[Batch], portion: Portion) -> Forward:
    """Run the model on each data set's batch, or on all of them in one call if the model reads all scenes of a step.

    Args:
        model: of all scenes.
        batches: one of each data set.
        portion: of these batches.
    """
    if model.reads_all_scenes:
        batches = [{name: part for batch in batches for name, part in batch.items()}]
    outcomes = [model(batch) for batch in batches]
    losses = [loss for outcome in outcomes for loss in outcome.losses.values()]
    attended = [weights for outcome in outcomes for weights in (outcome.scene_weights or {}).values()]
    examples = portion.examples.split([len(batch) for batch in batches])
    return Forward(
        losses=[loss.float() * part for loss, part in zip(losses, portion.terms, strict=True)],
        features=[values for outcome in outcomes for values in outcome.features.values()],
        representation=[values for outcome in outcomes for values in outcome.representation],
        scene_weights=torch.stack(attended).float() * portion.examples[:, None] if attended else None,
        penalties=summed(
            {name: (values.float() * part).sum() for name, values in outcome.penalties.items()}
            for outcome, part in zip(outcomes, examples, strict=True)
        ),
    )


def portions(model: Network, drawn: Sequence[Sequence[Batch]]) -> list[Portion]:
    """The portion of each of n accumulated batches; its factors are 1 for a single batch in one process."""
    present = torch.stack(
        [torch.stack([part.present.sum() for batch in batches for part in batch.values()]) for batches in drawn]
    )  # (n, S)
    if len(drawn) == 1 and not processes.several():
        factors = torch.ones_like(present, dtype=torch.float32)
        return [Portion(factors[0], factors[0], present[0] > 0)]
    terms = torch.stack([torch.cat([model.counts(batch) for batch in batches]) for batches in drawn])  # (n, S)
    counts = torch.stack((terms, present), dim=1).float()  # (n, 2, S)
    means = processes.mean(counts)
    factors = counts * (means > 0).sum(dim=0) / positive(means.sum(dim=0))
    return [Portion(factor[0], factor[1], mean[1] > 0) for factor, mean in zip(factors, means, strict=True)]


def add_penalties(penalties: Penalties, share: float = 1.0, scale: float = 1.0) -> dict[str, Tensor]:
    """Add the gradients of scale · share · Σ penalties to the parameters' `.grad`; the graph stays.

    Returns:
        the values of the penalties, times share: their means over the processes.
    """
    if not penalties:
        return {}
    total = torch.stack([value.float() for value in penalties.values()]).sum() * share
    if total.requires_grad:
        total.backward(total.new_full((), scale), retain_graph=True)
    return {name: processes.mean(value.detach().float()) * share for name, value in penalties.items()}
