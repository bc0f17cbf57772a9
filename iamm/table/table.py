"""A comparison table as values: rows, cells, costs, claimed orders. `aggregate.py` makes it, `write` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from iamm.record.run_folder import Result
from iamm.table.plan import PlannedRun, TablePlan
from iamm.table.statistics import Estimate


class Run(NamedTuple):
    """A planned run, its state (finished, running, failed, interrupted or missing), the reason, and its result."""

    planned: PlannedRun
    state: str
    reason: str
    result: Result | None


class Difference(NamedTuple):
    """The difference of a row to the first row, over the same seeds.

    Args:
        estimate: of the differences.
        p: of the paired test.
        adjusted: p after Holm's correction for all comparisons of the table.
        verdict: better or worse than the first row, or tie; untested with too few seeds.
    """

    estimate: Estimate
    p: float
    adjusted: float
    verdict: str


@dataclass(frozen=True)
class TableCell:
    """One row's values in one column.

    Args:
        values: by seed, on the column's scale, of the chosen learning rate.
        estimate: over the values; None without values.
        difference: to the first row; None for that row itself, and where nothing can be paired. A row that the column
            subtracts from both cancels in it: the measure itself is compared.
        claim: the document's figure.
        missing: seeds whose run, or whose run to subtract, is not there yet.
        failed: seeds whose run, or whose run to subtract, failed.
        applies: False where the row has no such scene, or is itself the row to subtract.
    """

    values: Mapping[int, float]
    estimate: Estimate | None
    difference: Difference | None
    claim: float | None
    missing: int
    failed: int
    applies: bool = True


@dataclass(frozen=True)
class Cost:
    """The cost of one row in one setting, at its chosen learning rate; means over finished runs.

    Args:
        rate: chosen on validation; None before any run is finished.
        validation: mean quality on validation that each rate reached, over its finished seeds.
        parameters: of the model.
        within: whether they differ from the first row's by no more than the table's tolerance; None: not compared.
        seconds: of a training.
        memory: peak, in MiB.
        runs: those of the chosen rate (all, before there is one), by seed.
        finished: the number of finished seeds of each rate, in the runs that choose.
    """

    rate: float | None
    validation: Mapping[float, float]
    parameters: int | None
    within: bool | None
    seconds: float | None
    memory: float | None
    runs: tuple[Run, ...]
    finished: Mapping[float, int] = field(default_factory=dict)

    @property
    def results(self) -> dict[int, Result]:
        """The results of the finished runs, by seed."""
        return {run.planned.seed: run.result for run in self.runs if run.result is not None}

    @property
    def first_result(self) -> Result | None:
        return next(iter(self.results.values()), None)

    @property
    def reads(self) -> str:
        """What a migration read of its target; empty for another run, and before any is finished."""
        moved = (self.first_result or {}).get("migration")
        if moved is None:
            return ""
        given = {"labels": moved["labelled"], "inputs without labels": moved["unlabelled"]}
        return " and ".join(name for name, some in given.items() if some) or "nothing"


@dataclass(frozen=True)
class Row:
    """A row: its cells by the columns' labels, and its costs by setting."""

    label: str
    cells: Mapping[str, TableCell]
    costs: Mapping[str, Cost]


class Order(NamedTuple):
    """A column's rows from best to worst, as claimed and as found, and whether the claim held.

    The means are over the seeds that all rows with a claim have. `held` is `yes` (same order, and the table's first row
    separated from each other), `in the means only`, `no`, or `open` while runs are to come or a row has no value.
    """

    column: str
    claimed: tuple[str, ...]
    found: tuple[str, ...]
    held: str


@dataclass(frozen=True)
class Table:
    """A plan with its rows, its runs in the plan's order, the claimed orders, and notices for the reader."""

    plan: TablePlan
    rows: tuple[Row, ...]
    runs: tuple[Run, ...]
    orders: tuple[Order, ...]
    notices: tuple[str, ...]
