"""An overview of finished runs: in what they differ, and what they scored."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from iamm.measure import Measure, measures_of, selects
from iamm.output import spreadsheet
from iamm.record.run_folder import Result, read_result
from iamm.terminal import print_table

OTHERS = "other settings"
NO_NUMBER = "–"
"""The cell of a measure that is not a number."""


class Scored(NamedTuple):
    """A finished run.

    Args:
        folder: of the run.
        settings: key → value, as in its result.
        validation: quality on validation, by which runs are chosen.
        test: `<scene> <measure>` → value as shown, of the measure that each scene is selected by.
        seconds: of training.
    """

    folder: Path
    settings: Mapping[str, Any]
    validation: float
    test: Mapping[str, str]
    seconds: float


def read_scored(folder: Path) -> Scored:
    """Read a finished run.

    Raises:
        BadDataError: the result cannot be read.
    """
    result = read_result(folder, ("test", "quality", "validation_quality", "choices", "seed", "seconds"))
    always = {key: result["choices"][key] for key in ("model", "dataset")} | {"seed": result["seed"]}
    validation = result["validation_quality"]
    settings = result.get("settings", always)  # runs of an earlier release have none
    return Scored(folder, settings, math.nan if validation is None else validation, scores(result), result["seconds"])


def scores(result: Result) -> dict[str, str]:
    """Each scene's test value of the measure that selects."""
    chosen = {scene: selecting(scene, result) for scene in result["test"]}
    return {
        f"{scene} {measure.name}": NO_NUMBER
        if (value := result["test"][scene][measure.name]) is None
        else measure.shown(value)
        for scene, measure in chosen.items()
    }


def selecting(scene: str, result: Result) -> Measure:
    """The first measure that gives the scene's quality; the first of all where that is not a number."""
    declared = list(measures_of(result)[scene].values())
    return next((measure for measure in declared if selects(measure, scene, result)), declared[0])


def values(run: Scored) -> dict[str, Any]:
    """What runs can be filtered and sorted by: settings, measures, validation, seconds."""
    measures = {head.rsplit(" ", 1)[1]: float(value) for head, value in run.test.items() if value != NO_NUMBER}
    return {**run.settings, **measures, "validation": run.validation, "seconds": run.seconds}


def in_order(runs: Iterable[Scored], key: str = "validation") -> list[Scored]:
    """Sort numbers from the highest, then words alphabetically; runs without a value come last."""

    def rank(run: Scored) -> tuple[int, Any]:
        value = values(run).get(key)
        if value is None or value != value:
            return 2, 0
        return (1, value) if isinstance(value, str) else (0, -value)

    return sorted(runs, key=rank)


def differing(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    """The keys whose values are not the same in all runs; a key that a run lacks counts as another value."""
    runs = list(settings)
    keys = dict.fromkeys(key for run in runs for key in run)
    return [key for key in keys if len({str(run.get(key)) for run in runs}) > 1]


def described(settings: Mapping[str, Any], keys: Iterable[str]) -> str:
    """`fusion=none seed=0`."""
    return " ".join(f"{key}={settings[key]}" for key in keys if key in settings)


def entries(runs: Iterable[Scored], keys: Iterable[str]) -> Iterator[dict[str, str]]:
    """For each run, head → cell: the given settings, validation, test measures, seconds and folder."""
    for run in runs:
        settings = {key: str(run.settings.get(key, "")) for key in keys}
        validation, seconds = f"{100 * run.validation:.2f}", f"{run.seconds:.1f}"
        yield settings | {"validation": validation, **run.test, "seconds": seconds, "folder": str(run.folder)}


def show_overview(console: Console, runs: Sequence[Scored]) -> None:
    """Print a line for each run: what differs, what it scored, and the hash at the end of its folder's name.

    A setting that some runs lack has no column of its own, since each of many runs may have others.
    """
    different = differing(run.settings for run in runs)
    keys = [key for key in different if all(key in run.settings for run in runs)]
    others = [key for key in different if key not in keys]
    runs = [run._replace(settings={**run.settings, OTHERS: described(run.settings, others)}) for run in runs]
    keys += [OTHERS] * bool(others)
    cells = [{**entry, "folder": entry["folder"][-8:]} for entry in entries(runs, keys)]
    heads = list(dict.fromkeys(head for each in cells for head in each))
    rows = [[each.get(head, "") for head in heads] for each in cells]
    print_table(console, f"{len(runs)} run{'s' * (len(runs) != 1)}", heads, rows, labels=len(keys))
    measures = dict.fromkeys(measure for run in runs for measure in run.test)
    console.print(f"validation: quality, the mean over the scenes of a run, of {', '.join(measures)}", soft_wrap=True)


def csv_text(runs: Sequence[Scored]) -> str:
    """The overview as CSV, with all settings and the whole path of each folder."""
    cells = list(entries(runs, dict.fromkeys(key for run in runs for key in run.settings)))
    text = io.StringIO()
    heads = dict.fromkeys(head for each in cells for head in each)
    writer = csv.DictWriter(text, heads, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({head: spreadsheet(cell) for head, cell in each.items()} for each in cells)
    return text.getvalue()
