"""A step that is not finite is not applied."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from iamm import processes
from iamm.errors import DivergedError, NonFiniteError
from iamm.weighting.base import Weighting

SHOWN = 8
"""Rows of a batch that the line names; the run folder holds all."""


def finite_losses(losses: Sequence[Tensor]) -> None:
    """Of several processes none must wait for one that has left: there the gradients, the same in all, are looked at.

    Raises:
        NonFiniteError: with the scenes whose loss is not finite.
    """
    finite = torch.stack([loss.detach() for loss in losses]).isfinite()
    if not processes.several() and not finite.all():
        raise NonFiniteError("loss", (~finite).nonzero().flatten().tolist())


def finite_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    """√(Σ g²) over all gradients.  # ()

    Raises:
        NonFiniteError: it is not finite.
    """
    slopes = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm(slopes)
    if not norm.isfinite():
        raise NonFiniteError("gradient")
    return norm


def finite_measures(split: str, measures: Mapping[str, Mapping[str, float]], qualities: Mapping[str, float]) -> None:
    """Raises:
    DivergedError: the model's outputs, or its measures, are not finite.
    """
    named = [
        *((f"{name} of {scene}", value) for scene, values in measures.items() for name, value in values.items()),
        *((f"quality of {scene}", value) for scene, value in qualities.items()),
    ]
    lost = [name for name, value in named if not math.isfinite(value)]
    if lost:
        raise DivergedError(
            f"Measures must stay finite. Found {lost[0]} on {split} that is not: lower optimizer.lr, or set clip=1."
        )


@contextmanager
def unchanged(weighting: Weighting, keep: bool) -> Iterator[None]:
    """A step that fails leaves the weighting as it was.

    Args:
        weighting: what it holds in buffers may be changed by a step, before the step is found to be bad.
        keep: False saves the copy, where a failure ends the run anyway.
    """
    before = {name: value.clone() for name, value in weighting.state_dict().items()} if keep else {}
    try:
        yield
    except NonFiniteError:
        weighting.reset()
        if keep:
            weighting.load_state_dict(before)
        raise


def diverged(
    error: NonFiniteError, names: Sequence[str], step: int, rows: Sequence[tuple[str, Tensor]]
) -> DivergedError:
    """The error with what a person needs to find the cause.

    Args:
        error: what was found.
        names: of all scenes, in order.
        step: 1 for the first.
        rows: the data sets and rows of the step's batches.
    """
    batch: dict[str, list[int]] = defaultdict(list)
    for name, part in rows:
        batch[name] += part.tolist()
    where = f" of {', '.join(names[scene] for scene in error.scenes)}" if error.scenes else ""
    shown = "; ".join(f"{name} {listed(found)}" for name, found in batch.items())
    return DivergedError(
        f"Losses and gradients must stay finite. Found a {error.what}{where} that is not, in step {step}, rows {shown}"
        ". The step was not applied: lower optimizer.lr, set clip=1, or leave such steps out by nonfinite=skip.",
        batch,
    )


def listed(rows: Sequence[int]) -> str:
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return ", ".join(map(str, rows[:SHOWN])) + more
