"""A table's YAML → its plan and its cells: every run composed and checked before the first one begins."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from iamm.config.check.run_keys import leaves
from iamm.config.check.table import check_shape, check_table
from iamm.config.check.values import check_composed
from iamm.config.compose import named_choices, resolve, tree_composer
from iamm.config.composer import Tree
from iamm.config.explain import explained
from iamm.config.groups import groups
from iamm.config.sources import Sources
from iamm.errors import ConfigError, nearest
from iamm.record.address import BUDGET
from iamm.run.planned import Cell, distinct
from iamm.table.dependencies import linked
from iamm.table.plan import Claims, Column, PlannedRun, TablePlan

ONLY = "runs"
"""Name of the setting of a table that has but one."""
PLACES = ("data_dir", "output_dir", "device", "sweep")
"""Keys of a run that `iamm-table` sets."""

SHOWN = ("epochs", "steps", "batch_size")
"""What is said of the budget."""


class RowConfig(NamedTuple):
    """A row in a setting.

    Args:
        tree: the configuration, references unresolved.
        values: the same, resolved.
        choices: what was chosen in each group.
    """

    tree: Tree
    values: dict[str, Any]
    choices: dict[str, str]


Rows = Mapping[tuple[str, str], RowConfig]
"""By row and setting."""
Compose = Callable[[Sequence[str]], tuple[Tree, Mapping[str, Any]]]


def plan_table(options: Mapping[str, Any], name: str, sources: Sources) -> tuple[TablePlan, list[Cell]]:
    """The plan, and a cell for each of its runs, in the same order: seeds outermost, so that all rows grow together.

    Args:
        options: of `iamm-table`.
        name: of the table's YAML.
        sources: the YAML files that its runs are composed of.

    Raises:
        ConfigError: a key, a value or a combination that cannot be, in the table or in a run that it needs.
    """
    table = options["table"]
    check_shape(table)
    rows, shared = all_rows(table, sources), settings(table)
    check_table(table, rows, shared)
    places = {key: options[key] for key in PLACES}
    compose = tree_composer(sources)
    composed = {
        (row, setting): compose_row(row, [*words, *budget_words(table["budget"]), *rows[row]], places, compose)
        for row in rows
        for setting, words in shared.items()
    }
    require_equal_terms(composed, next(iter(rows)))
    columns = columns_of(table, next(iter(shared)))
    require_scenes(columns, composed)
    found = linked(list(runs(table, composed)))
    distinct([cell for _, cell in found])
    return plan_of(table, name, columns, composed, [run for run, _ in found]), [cell for _, cell in found]


def all_rows(table: Mapping[str, Any], sources: Sources) -> dict[str, list[str]]:
    """Label → overrides; behind the rows that are written out, one for each other choice of the group of `each`."""
    rows, each = dict(table.get("rows") or {}), table.get("each")
    if not each:
        return rows
    group, left_out = each["group"], each.get("leave_out", [])
    choices = sources.choices(group.split("@")[0])
    if not choices:
        raise ConfigError(f"`each.group` must be a group. Found {group}. {nearest(group, groups())}")
    for choice in left_out:
        if choice not in choices:
            raise ConfigError(f"`each.leave_out` names choices. Found {choice}. {nearest(choice, choices)}")
    others = [choice for choice in choices if choice not in {*rows, *left_out}]
    return rows | {choice: [f"{group}={choice}"] for choice in others}


def settings(table: Mapping[str, Any]) -> dict[str, list[str]]:
    """Name → overrides of all rows."""
    shared = table.get("shared") or []
    return dict(shared) if isinstance(shared, Mapping) else {ONLY: shared}


def budget_words(budget: Mapping[str, Any]) -> list[str]:
    """What the budget says of a run, as overrides; of several learning rates, the first."""
    words = [f"{key}={json.dumps(budget[key])}" for key in ("epochs", "steps") if key in budget]
    return [*words, *(f"optimizer.lr={rate}" for rate in budget.get("learning_rates", [])[:1])]


def compose_row(row: str, words: Sequence[str], places: Mapping[str, Any], compose: Compose) -> RowConfig:
    try:
        with explained():
            tree, taken = compose(words)
            tree.update(deepcopy(dict(places)))
            tree["threads"] = tree["threads"] or 1
            values = resolve(tree)
            check_composed(values, words, "the table")
    except ConfigError as error:
        raise ConfigError(f"In row {row}: {error}") from error
    return RowConfig(tree, values, named_choices(taken, values))


def require_equal_terms(composed: Rows, first: str) -> None:
    """In each setting every row has the first row's budget, and its data but for views and data sets that it lacks."""
    found = {place: terms(row.values) for place, row in composed.items()}
    for (row, setting), theirs in found.items():
        ours = found[first, setting]
        both = [key for key in ours if key in theirs]
        if not any(key.startswith("dataset.") for key in both):
            raise ConfigError(
                f"Rows of a table share data. Found no data set of row {first} in row {row}: name them under `shared`."
            )
        for key in both:
            if ours[key] != theirs[key]:
                raise ConfigError(
                    f"Rows of a table share budget and data. Found {key}={theirs[key]} in row {row}, {ours[key]} in "
                    f"row {first}: set it under `budget` or `shared`, for all rows."
                )


def terms(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted key → value of all that rows must share where both have it."""
    data = {path: value for path, key, value in leaves(values["dataset"], "dataset.") if key != "views"}
    return {**{key: values[key] for key in BUDGET}, "optimizer.lr": values["optimizer"]["lr"], **data}


def columns_of(table: Mapping[str, Any], first: str) -> tuple[Column, ...]:
    """In order; in the first setting, unless they say another."""
    return tuple(
        Column(label, column["measure"], column.get("scene"), column.get("setting", first), column.get("minus"))
        for label, column in table["columns"].items()
    )


def require_scenes(columns: Sequence[Column], composed: Rows) -> None:
    """A column's scene is one of its setting's, in one row at least.

    Whether a head has the measure is known once it has measured: a table tells then of columns without a value.
    """
    for column in columns:
        data = [row.values["dataset"] for (_, setting), row in composed.items() if setting == column.setting]
        names = {scene for parts in data for name, part in parts.items() for scene in scenes(str(name), part)}
        if column.scene is not None and not any(f"{column.scene}_".startswith(f"{name}_") for name in names):
            raise ConfigError(
                f"A column is of a scene that its setting has. Found {column.scene} in {column.label}. "
                f"{nearest(column.scene, names)}"
            )


def scenes(name: str, part: Any) -> list[str]:
    """Of a data set: its name or, where it says which views it has, that with each."""
    views = part.get("views") if isinstance(part, Mapping) else None
    return [f"{name}_{view}" for view in views] if isinstance(views, list) else [name]


def runs(table: Mapping[str, Any], composed: Rows) -> Iterator[tuple[PlannedRun, Cell]]:
    """Only the first seed draws pictures: they are no part of a result."""
    rates = table["budget"].get("learning_rates")
    for place, seed in enumerate(table["seeds"]):
        for (row, setting), (tree, values, choices) in composed.items():
            tree["seed"] = seed
            if place:
                tree["log"]["pictures"] = 0
            for rate in rates or [values["optimizer"]["lr"]]:
                tree["optimizer"]["lr"] = rate
                cell = Cell(resolve(tree), choices)
                yield PlannedRun(row, setting, rate, seed, cell.name), cell


def plan_of(
    table: Mapping[str, Any], name: str, columns: tuple[Column, ...], composed: Rows, runs: Sequence[PlannedRun]
) -> TablePlan:
    rows, settings = (tuple(dict.fromkeys(place[part] for place in composed)) for part in (0, 1))
    budget = {key: [composed[rows[0], setting].values[key] for setting in settings] for key in SHOWN}
    claims = table.get("claims")
    return TablePlan(
        name=name,
        title=table["title"],
        about=table["about"],
        rows=rows,
        columns=columns,
        settings=settings,
        seeds=tuple(table["seeds"]),
        rates=tuple(sorted({run.rate for run in runs})),
        budget={key: found[0] if len(set(found)) == 1 else found for key, found in budget.items()},
        tolerance=table["budget"].get("parameters"),
        test=table["test"],
        seconds=table.get("seconds"),
        claims=Claims(**claims) if claims else None,
        runs=tuple(runs),
    )
