"""A comparison table for other programs: CSV with a line for each run and column, JSON with everything."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from iamm.output import spreadsheet
from iamm.table.pairing import value_of
from iamm.table.plan import Column
from iamm.table.table import Row, Run, Table

HEADS = ("row", "setting", "column", "seed", "learning_rate", "chosen", "state", "value", "parameters")
COSTS = ("seconds", "memory_mib")
"""Names of the fields of time and memory."""


def csv_text(table: Table, *, costs: bool = True) -> str:
    """Write the long format: a line for each planned run and each column measured in its setting.

    `chosen` is true where the learning rate is the one that validation chose. Without a value the field is empty.

    Args:
        table: to be written.
        costs: False leaves out time and memory.
    """
    text = io.StringIO()
    heads = (*HEADS, *(COSTS if costs else ()), "folder", "reason")
    writer = csv.DictWriter(text, heads, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for run in run_entries(table):
        for column, value in run["values"].items():
            entry = {**run, "column": column, "value": value}
            writer.writerow({head: field(entry[head]) for head in heads})
    return text.getvalue()


def field(value: Any) -> Any:
    """Write a value so that both pandas and R read it: true and false, NaN and Inf, nothing for None, no formula."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else str(value).replace("inf", "Inf")
    return spreadsheet(value)


def json_text(table: Table, *, costs: bool = True) -> str:
    """Write the plan, the rows with cells and costs, every run, claimed orders and notices; null where not finite.

    Args:
        table: to be written.
        costs: False leaves out time and memory.
    """
    plan, rows = vars(table.plan), table.rows
    entries = ({"label": row.label, "cells": row.cells, "costs": cost_entries(row, costs)} for row in rows)
    content = {
        "plan": {name: plan[name] for name in plan if name != "runs" and (costs or name != "seconds")},
        "rows": list(entries),
        "runs": [{name: run[name] for name in run if costs or name not in COSTS} for run in run_entries(table)],
        "orders": table.orders,
        "notices": table.notices,
    }
    return json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def cost_entries(row: Row, costs: bool) -> dict[str, dict[str, Any]]:
    """Return the row's costs by setting; each names its runs by their folders."""
    spent = () if costs else ("seconds", "memory")
    return {
        setting: {name: value for name, value in vars(cost).items() if name not in spent}
        | {"runs": [run.planned.folder for run in cost.runs]}
        for setting, cost in row.costs.items()
    }


def plain(value: Any) -> Any:
    """Convert to dicts and lists, with the names of fields as keys."""
    if is_dataclass(value):
        return plain(vars(value))
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def run_entries(table: Table) -> Iterator[dict[str, Any]]:
    """Yield every planned run, row by row, with its value in each column of its setting but without its result."""
    for row in table.rows:
        for run in table.runs:
            if run.planned.row == row.label:
                yield run_entry(table, row, run)


def run_entry(table: Table, row: Row, run: Run) -> dict[str, Any]:
    planned, result = run.planned, run.result or {}
    chosen = row.costs[planned.setting].rate == planned.rate
    columns = [column for column in table.plan.columns if planned.setting in dict(column.parts)]
    return {
        "row": row.label,
        "setting": planned.setting,
        "seed": planned.seed,
        "learning_rate": planned.rate,
        "chosen": chosen,
        "state": run.state,
        "reason": run.reason,
        "parameters": result.get("parameters"),
        "seconds": result.get("seconds"),
        "memory_mib": result.get("peak_memory_mib"),
        "folder": planned.folder,
        "values": {column.label: run_value(table, column, row, run, chosen) for column in columns},
    }


def run_value(table: Table, column: Column, row: Row, run: Run, chosen: bool) -> float | None:
    """Return the value in the table or, of a learning rate that was not chosen, the one that would stand there.

    A difference to another row's run is known only for the chosen rates of both. In a table of migrations it is the
    run's own measure, of its target, where the table has the mean over targets; None where the column sums up several
    numbers of labels.
    """
    if column.over or column.harmonic:
        single = len(column.over) * len(table.plan.shots) == len(table.plan.settings)
        value = value_of(column, run.result) if single and run.result is not None else None
        return None if value is None else column.scale * value
    cell = row.cells[column.label]
    if chosen:
        return cell.values.get(run.planned.seed)
    if run.result is None or column.minus is not None or not cell.applies:
        return None
    value = value_of(column, run.result)
    return None if value is None else column.scale * value
