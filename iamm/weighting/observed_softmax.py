"""Softmax over the observed scenes, in plain numbers, which are fastest at this size."""

from __future__ import annotations

import math
from collections.abc import Sequence


def observed_softmax(scores: Sequence[float], observed: Sequence[bool]) -> list[float]:
    """exp(s_i) / Σ_j exp(s_j), j over the scenes observed; 0 for the others, and for all where none is.

    Args:
        scores: s of the S scenes; that of one not observed is not read.
        observed: S.
    """
    largest = max((score for score, here in zip(scores, observed, strict=True) if here), default=0.0)
    powers = [math.exp(score - largest) if here else 0.0 for score, here in zip(scores, observed, strict=True)]
    total = sum(powers) or 1.0
    return [power / total for power in powers]


def observed_weights(scores: Sequence[float], observed: Sequence[bool]) -> list[float]:
    """The observed softmax times n/S, n of the S scenes being observed."""
    share = sum(observed) / len(observed)
    return [part * share for part in observed_softmax(scores, observed)]
