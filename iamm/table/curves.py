"""How validation went: points of a run's records, and what the runs of several seeds have in common."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from statistics import fmean

from iamm.errors import BadDataError
from iamm.record.run_folder import RunFolder

VALIDATION = b'{"kind": "val"'
"""How the record of a validation begins."""
END = re.compile(rb"[,}]")
"""Of a number in a record."""

Curve = Sequence[tuple[int, float]]
"""Steps and values."""


def read_curves(records: Path, tags: Collection[str], most: int = 100) -> dict[str, list[tuple[int, float]]]:
    """The points (step, value) of each tag over the validations of one run.

    A line that a live or killed run did not finish is left out, and so are values that are not finite. Long curves are
    thinned first, and of what is kept no more is parsed than these numbers: a file of a megabyte costs a millisecond.

    Args:
        records: a run's `records.jsonl`; where there is none, the curves have no points.
        tags: as in TensorBoard, such as `val/accuracy/digits`.
        most: points of a curve, 2 at least.

    Raises:
        BadDataError: a record that cannot be read, or a finished run's that are not as they were written.
    """
    content = RunFolder(records.parent).read_records()
    lines = [content[start : content.find(b"\n", start)] for start in thinned(validations(content), most)]
    try:
        steps = [int(step) for step in numbers(lines, "step")]
        values = {tag: numbers(lines, tag) for tag in tags}
    except ValueError as error:
        raise BadDataError(
            f"Records must be lines of JSON. Found {records}: {error}. Run again with rerun=true."
        ) from error
    return {
        tag: [point for point in zip(steps, found, strict=True) if math.isfinite(point[1])]
        for tag, found in values.items()
    }


def numbers(lines: Sequence[bytes], key: str) -> list[float]:
    """What stands behind a key in each line; nan where the key does not, or null."""
    name = json.dumps(key, ensure_ascii=False).encode() + b": "
    parts = [line.partition(name) for line in lines]
    return [
        float(END.split(behind, 1)[0].replace(b"null", b"nan")) if found else math.nan for _, found, behind in parts
    ]


def validations(content: bytes) -> list[int]:
    """Where the whole lines that record a validation begin."""
    starts: list[int] = []
    end = content.rfind(b"\n") + 1
    start = content.find(VALIDATION, 0, end)
    while start >= 0:
        starts.append(start)
        start = content.find(VALIDATION, start + 1, end)
    return starts


def thinned(places: Sequence[int], most: int) -> list[int]:
    """No more than `most` of them, evenly from the first, and always the last.

    Every 2nd, 4th, 8th, … is kept, whatever fits: so runs of different length keep steps that they share.
    """
    stride = 1
    while stride < (len(places) - 1) / (most - 1):
        stride *= 2
    return [*places[:-1:stride], *places[-1:]]


def mean_band(curves: Sequence[Curve]) -> list[tuple[int, float, float, float]]:
    """(step, mean, lowest, highest) over the curves' values, for each step that all of them have."""
    values = [dict(curve) for curve in curves]
    if not values:
        return []
    shared = sorted(set(values[0]).intersection(*values[1:]))
    columns = ((step, [found[step] for found in values]) for step in shared)
    return [(step, fmean(column), min(column), max(column)) for step, column in columns]
