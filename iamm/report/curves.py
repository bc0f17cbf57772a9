"""How validation went: points of a run's records, and what the runs of several seeds have in common."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from pathlib import Path
from statistics import fmean

from iamm.errors import BadDataError

VALIDATION = b'\n{"kind": "val"'
"""How the record of a validation begins, after the end of the line before."""

Curve = Sequence[tuple[int, float]]
"""Steps and values."""


def read_curves(records: Path, tags: Collection[str], most: int = 100) -> dict[str, list[tuple[int, float]]]:
    """The points (step, value) of each tag over the validations of one run.

    A line that a live or killed run did not finish is left out, and so are values that are not finite. Long curves are
    thinned before anything is parsed: a file of megabytes costs about a millisecond.

    Args:
        records: a run's `records.jsonl`; where there is none, the curves have no points.
        tags: as in TensorBoard, such as `val/accuracy/digits`.
        most: points of a curve, 2 at least.

    Raises:
        BadDataError: a record that cannot be read.
    """
    found: dict[str, list[tuple[int, float]]] = {tag: [] for tag in tags}
    try:
        for part in thinned(validations(records), most):
            record = json.loads(VALIDATION + part.partition(b"\n")[0])
            for tag, points in found.items():
                value = record["values"].get(tag)
                if value is not None and math.isfinite(value):
                    points.append((record["step"], value))
    except (ValueError, KeyError) as error:
        raise BadDataError(
            f"Records must be whole lines of JSON. Found {records}: {error!r}. Run again with rerun=true."
        ) from error
    return found


def validations(records: Path) -> list[bytes]:
    """What follows `VALIDATION` in the whole lines that record one, up to the next of them."""
    if not records.exists():
        return []
    content = b"\n" + records.read_bytes()
    if not content.endswith(b"\n"):
        content = content[: content.rfind(b"\n") + 1]
    return content.split(VALIDATION)[1:]


def thinned(parts: Sequence[bytes], most: int) -> list[bytes]:
    """No more than `most` of them, evenly from the first, and always the last.

    Every 2nd, 4th, 8th, … is kept, whatever fits: so runs of different length keep steps that they share.
    """
    stride = 1
    while stride < (len(parts) - 1) / (most - 1):
        stride *= 2
    return [*parts[:-1:stride], *parts[-1:]]


def mean_band(curves: Sequence[Curve]) -> list[tuple[int, float, float, float]]:
    """(step, mean, lowest, highest) over the curves' values, for each step that all of them have."""
    values = [dict(curve) for curve in curves]
    if not values:
        return []
    shared = sorted(set(values[0]).intersection(*values[1:]))
    columns = ((step, [found[step] for found in values]) for step in shared)
    return [(step, fmean(column), min(column), max(column)) for step, column in columns]
