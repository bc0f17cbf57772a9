"""Contents that splits have in common."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np


def row_bytes(rows: np.ndarray) -> list[bytes]:
    """The bytes of each row without trailing zeros, which numpy drops from an `S` type, hence without padding."""
    flat = np.ascontiguousarray(rows.reshape(len(rows), math.prod(rows.shape[1:])))
    if flat.size == 0:
        return [b""] * len(rows)
    return flat.view(f"S{flat.shape[1] * flat.itemsize}").ravel().tolist()


def signs_of(text: str) -> str:
    """What makes two texts the same: their letters and digits, whatever stands between them."""
    return re.sub(r"[\W_]+", "", text.lower())


def shared_notices(name: str, what: str, contents: Mapping[str, set]) -> list[str]:
    """A notice for each pair of splits that have contents in common."""
    pairs = (("validation", "train"), ("test", "train"), ("test", "validation"))
    shared = {(a, b): len(contents[a] & contents[b]) for a, b in pairs if {a, b} <= contents.keys()}
    return [
        f"{name}: {count:,} of {len(contents[a]):,} distinct {a} {what} also stand in {b}."
        for (a, b), count in shared.items()
        if count
    ]
