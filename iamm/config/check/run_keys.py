"""The constraint of each key of a run, and the walk over the values of a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from iamm.constraints import (
    Constraint,
    Count,
    Either,
    Layers,
    ListOf,
    NotNegative,
    Number,
    OneOf,
    OrNull,
    Positive,
    Seed,
    Share,
    ShareAbove0,
    ShareBelow1,
    Sharing,
    WholeNumber,
    Width,
    constraint_of,
)

HINTS: Mapping[str, Any] = {
    "mode": Annotated[str, OneOf(("train", "eval", "verify"))],
    "run": str | None,
    "from": str | None,
    "target": str | None,
    "shots": WholeNumber,
    "draw": Seed,
    "rerun": bool,
    "precision": Annotated[str, OneOf(("fp32", "bf16", "fp16", "int8"))],
    "seed": Seed,
    "epochs": Count,
    "steps": Count | None,
    "batch_size": Count,
    "accumulate": Count,
    "growth": Annotated[float, Number(1)],
    "growth_every": Count,
    "growth_patience": Count | None,
    "dim": Width,
    "dropout": ShareBelow1,
    "label_smoothing": ShareBelow1,
    "clip": Positive | None,
    "l1": NotNegative,
    "l2": NotNegative,
    "average": Annotated[float | str | None, OrNull(Either(Number(0, 1, below=True, above=True), OneOf(("swa",))))],
    "prune": Annotated[float | None, OrNull(Number(0, 1, below=True, above=True))],
    "prune_heads": Annotated[float | None, OrNull(Number(0, 1, below=True, above=True))],
    "distill.from": str | None,
    "distill.temperature": Positive,
    "distill.share": Share,
    "distill.attention": NotNegative,
    "attack.pictures": ShareAbove0 | None,
    "attack.embeddings": Positive | None,
    "attack.steps": Layers,
    "attack.share": Share,
    "patience": Count | None,
    "threads": Annotated[int, Number(1, 4_096, whole=True)] | None,
    "devices": Count | None,
    "data_dir": str | None,
    "output_dir": str,
    "checkpoint.steps": Count | None,
    "checkpoint.minutes": Positive | None,
    "checkpoint.epochs": Count,
    "nonfinite": Annotated[str, OneOf(("stop", "skip"))],
    "sweep.jobs": Count | None,
    "sweep.silence": Positive,
    "share.encoder": Sharing,
    "share.head": Sharing,
    "log.every": Count,
    "log.pictures": Annotated[int, Number(0, 1_000_000, whole=True)],
    "log.attention": bool,
    "log.interest": bool,
    "log.missing": bool,
    "log.augmented": Annotated[str, OneOf(("mirror", "mirror_shift"))] | None,
    "log.test": bool,
    "log.mlflow": str | None,
    "log.wandb": Annotated[str, OneOf(("online", "offline"))] | None,
    "log.conflict": bool,
    # The classes of torch.optim state no constraints of their own.
    "optimizer.lr": Positive,
    "optimizer.weight_decay": NotNegative,
    "optimizer.momentum": ShareBelow1,
    "optimizer.dampening": float,
    "optimizer.betas": Annotated[list[float], ListOf(Number(0, 1, below=True), length=2)],
    "optimizer.eps": NotNegative,
    "optimizer.nesterov": bool,
    "optimizer.amsgrad": bool,
    "optimizer.fused": bool,
    "optimizer.foreach": bool,
    "optimizer.lr_decay": NotNegative,
    "optimizer.initial_accumulator_value": NotNegative,
    "optimizer.alpha": ShareBelow1,
    "optimizer.centered": bool,
}

RUN: Mapping[str, Constraint] = {key: rule for key, hint in HINTS.items() if (rule := constraint_of(hint))}
"""Dotted path → constraint. The class of a part states the constraints of what is in the part."""


def leaves(values: Mapping[str, Any], path: str = "", stop: str | None = None) -> Iterator[tuple[str, str, Any]]:
    """Yield every value that is no mapping, with its dotted path and its own key.

    Args:
        values: of a configuration.
        path: stands before the keys.
        stop: a mapping with this key is left out.
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from () if stop in value else leaves(value, f"{path}{key}.", stop)
        else:
            yield f"{path}{key}", str(key), value
