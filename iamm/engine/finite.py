"""Checks that losses, gradients and measures are finite; a step that fails them is not applied."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from iamm.errors import DivergedError, NonFiniteError
from iamm.weighting.base import Weighting

SHOWN = 8
"""Rows of a batch that the error names; the run folder lists all."""


def finite_losses(losses: Tensor) -> None:
    """Check that all losses (S,) are finite.

    Raises:
        NonFiniteError: with the scenes whose loss is not finite.
    """
    finite = losses.isfinite()
    if not finite.all():
        raise NonFiniteError("loss", (~finite).nonzero().flatten().tolist())


def finite_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    """The norm √(Σ g²) of all gradients.  # ()

    Raises:
        NonFiniteError: it is not finite.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if not norm.isfinite():
        raise NonFiniteError("gradient")
    return norm


def finite_measures(split: str, measures: Mapping[str, Mapping[str, float]], qualities: Mapping[str, float]) -> None:
    """Check that all measures are finite.

    Raises:
        DivergedError: a measure or a quality is not finite.
    """
    named = [
        *((f"{name} of {scene}", value) for scene, values in measures.items() for name, value in values.items()),
        *((f"quality of {scene}", value) for scene, value in qualities.items()),
    ]
    invalid = [name for name, value in named if not math.isfinite(value)]
    if invalid:
        raise DivergedError(
            f"Measures must stay finite. Found {invalid[0]} on {split} that is not: lower optimizer.lr, or set clip=1."
        )


@contextmanager
def unchanged(weighting: Weighting, restore: bool) -> Iterator[None]:
    """Restore the weighting if the step inside fails.

    Args:
        weighting: its buffers may change before the step fails.
        restore: False avoids the copy where a failure ends the run anyway.
    """
    before = {name: value.clone() for name, value in weighting.state_dict().items()} if restore else {}
    try:
        yield
    except NonFiniteError:
        weighting.reset()
        if restore:
            weighting.load_state_dict(before)
        raise


def diverged(
    error: NonFiniteError, names: Sequence[str], step: int, rows: Sequence[tuple[str, Tensor]]
) -> DivergedError:
    """The error that names the scenes, the step and the rows of its batches.

    Args:
        error: of the check that failed.
        names: of all scenes, in order.
        step: number of the step, from 1.
        rows: the data sets and rows of the step's batches.
    """
    batch: dict[str, list[int]] = defaultdict(list)
    for name, part in rows:
        batch[name] += part.tolist()
    where = f" of {', '.join(names[scene] for scene in error.scenes)}" if error.scenes else ""
    shown = "; ".join(f"{name} {listed(numbers)}" for name, numbers in batch.items())
    return DivergedError(
        f"Losses and gradients must stay finite. Found a {error.what}{where} that is not, in step {step}, rows {shown}"
        ". The step was not applied: lower optimizer.lr, set clip=1, or leave such steps out by nonfinite=skip.",
        batch,
    )


def listed(rows: Sequence[int]) -> str:
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return ", ".join(map(str, rows[:SHOWN])) + more
