"""The constraints of the keys of a run, and the walk over a configuration's values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from iamm.constraints import HUGE, Constraint, ListOf, Number, OneOf, OrNull, Sharing, Switch, Text, constraint_of

COUNT = Number(1, HUGE, whole=True)
COUNT_OR_NULL = OrNull(COUNT)
SHARE_BELOW_1 = Number(0, 1, below=True)
NOT_NEGATIVE = Number(0)
POSITIVE = Number(0, above=True)
SWITCH = Switch()
SHARING = constraint_of(Sharing)
assert SHARING is not None

RUN: Mapping[str, Constraint] = {
    "mode": OneOf(("train", "eval", "verify")),
    "run": OrNull(Text()),
    "from": OrNull(Text()),
    "rerun": SWITCH,
    "precision": OneOf(("fp32", "bf16")),
    "seed": Number(0, 2**32 - 1, whole=True),
    "epochs": COUNT,
    "steps": COUNT_OR_NULL,
    "batch_size": COUNT,
    "accumulate": COUNT,
    "growth": Number(1),
    "growth_every": COUNT,
    "dim": Number(1, 65_536, whole=True),
    "dropout": SHARE_BELOW_1,
    "label_smoothing": SHARE_BELOW_1,
    "clip": OrNull(POSITIVE),
    "l1": NOT_NEGATIVE,
    "l2": NOT_NEGATIVE,
    "patience": COUNT_OR_NULL,
    "threads": OrNull(Number(1, 4_096, whole=True)),
    "data_dir": OrNull(Text()),
    "output_dir": Text(),
    "checkpoint.steps": COUNT_OR_NULL,
    "checkpoint.minutes": OrNull(POSITIVE),
    "checkpoint.epochs": COUNT,
    "nonfinite": OneOf(("stop", "skip")),
    "sweep.jobs": COUNT_OR_NULL,
    "sweep.silence": POSITIVE,
    "share.encoder": SHARING,
    "share.head": SHARING,
    "log.every": COUNT,
    "log.pictures": Number(0, 1_000_000, whole=True),
    "log.attention": SWITCH,
    "log.conflict": SWITCH,
    # of an optimizer, since torch's classes state nothing
    "optimizer.lr": POSITIVE,
    "optimizer.weight_decay": NOT_NEGATIVE,
    "optimizer.momentum": SHARE_BELOW_1,
    "optimizer.dampening": Number(-math.inf),
    "optimizer.betas": ListOf(SHARE_BELOW_1, length=2),
    "optimizer.eps": NOT_NEGATIVE,
    "optimizer.nesterov": SWITCH,
    "optimizer.amsgrad": SWITCH,
    "optimizer.fused": SWITCH,
}
"""By dotted path. What is in a part is stated by the part's class."""


def leaves(values: Mapping[str, Any], path: str = "", stop: str | None = None) -> Iterator[tuple[str, str, Any]]:
    """Every value that is no mapping, with its dotted path and its own key; without mappings that hold a key `stop`."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from () if stop in value else leaves(value, f"{path}{key}.", stop)
        else:
            yield f"{path}{key}", str(key), value
