"""The curves of validation: points of a run's records, and the mean and range of several runs."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from statistics import fmean

from iamm.errors import BadDataError
from iamm.measure import Measure, measures_of, selects
from iamm.record.run_folder import RunFolder
from iamm.table.plan import Column
from iamm.table.table import Run

VALIDATION = b'{"kind": "val"'
"""The beginning of every record of a validation."""

Curve = Sequence[tuple[int, float]]
"""Steps and values."""


def read_curves(records: Path, tags: Collection[str], most: int = 100) -> dict[str, list[tuple[int, float]]]:
    """Read the points (step, value) of each tag over the validations of one run.

    A line that a live or killed run did not finish is left out, and so are values that are not finite. Long curves are
    thinned before their lines are parsed.

    Args:
        records: a run's `records.jsonl`; without that file, the curves have no points.
        tags: as in TensorBoard, such as `val/accuracy/digits`.
        most: points of a curve, 2 at least.

    Raises:
        BadDataError: a record cannot be read, or a finished run's records were changed.
    """
    *lines, _ = RunFolder(records.parent).read_records().split(b"\n")
    validations = [line for line in lines if line.startswith(VALIDATION)]
    try:
        points = [json.loads(line) for line in thinned(validations, most)]
        return {tag: finite_points((point["step"], point["values"].get(tag)) for point in points) for tag in tags}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadDataError(
            f"Records must be lines of JSON. Found {records}: {error}. Run again with rerun=true."
        ) from error


def finite_points(points: Iterable[tuple[int, float | None]]) -> list[tuple[int, float]]:
    return [(step, value) for step, value in points if value is not None and math.isfinite(value)]


def thinned(lines: Sequence[bytes], most: int) -> list[bytes]:
    """Return no more than `most` lines, evenly from the first, and always the last.

    The stride is a power of 2, so that runs of different length share steps.
    """
    stride = 1
    while stride < (len(lines) - 1) / (most - 1):
        stride *= 2
    return [*lines[:-1:stride], *lines[-1:]]


def mean_band(curves: Sequence[Curve]) -> list[tuple[int, float, float, float]]:
    """Return (step, mean, lowest, highest) over the curves' values, for each step that all curves have."""
    by_step = [dict(curve) for curve in curves]
    if not by_step:
        return []
    shared = sorted(set(by_step[0]).intersection(*by_step[1:]))
    columns = ((step, [values[step] for values in by_step]) for step in shared)
    return [(step, fmean(column), min(column), max(column)) for step, column in columns]


def recorded_measure(column: Column, runs: Iterable[Run]) -> Measure | None:
    """Return the measure whose records hold the values of a column.

    A scene's quality is not recorded by that name: it is the first measure that gives the quality of every finished
    run. None before there is one.
    """
    if column.scene is None or column.measure != "quality":
        return column.kind
    results = [run.result for run in runs if run.result is not None and column.scene in run.result["quality"]]
    candidates = measures_of(results[0])[column.scene].values() if results else ()
    return next(
        (measure for measure in candidates if all(selects(measure, column.scene, each) for each in results)), None
    )
