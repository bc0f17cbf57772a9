"""The plan of a table from its YAML: every run is composed and checked before the first one begins."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, NamedTuple

from iamm.config.check.run_keys import leaves
from iamm.config.check.statements import trait
from iamm.config.check.table import check_shape, check_table
from iamm.config.check.values import check_composed
from iamm.config.compose import named_choices, resolve, tree_composer
from iamm.config.composer import Tree
from iamm.config.explain import explained
from iamm.config.groups import groups
from iamm.config.sources import Sources
from iamm.errors import ConfigError, nearest
from iamm.record.address import BUDGET
from iamm.run.planned import Cell, distinct, with_source
from iamm.table.dependencies import Pair, linked, require_every_rate
from iamm.table.migration import migration_columns, migration_judges, migration_settings
from iamm.table.plan import Claims, Column, PlannedRun, TablePlan, compared_in

ONLY = "runs"
"""The name of the only setting of a table."""
PLACES = ("data_dir", "output_dir", "device", "sweep")
"""Keys of a run that `iamm-table` sets."""
SHOWN = ("epochs", "steps", "batch_size")
"""Keys of the budget that a table shows."""


class RowConfig(NamedTuple):
    """The configuration of a row in a setting.

    Args:
        tree: with unresolved references.
        values: resolved.
        choices: the choice of each group.
        overrides: which it was composed of.
    """

    tree: Tree
    values: dict[str, Any]
    choices: dict[str, str]
    overrides: Sequence[str]


RowConfigs = Mapping[tuple[str, str], RowConfig]
"""By row and setting."""
Compose = Callable[[Sequence[str]], tuple[Tree, Mapping[str, Any]]]


def plan_table(options: Mapping[str, Any], name: str, sources: Sources) -> tuple[TablePlan, list[Cell]]:
    """Return the plan, and a cell for each of its runs: seeds outermost, so that all rows grow together.

    Args:
        options: of `iamm-table`.
        name: of the table's YAML.
        sources: the YAML files that its runs are composed of.

    Raises:
        ConfigError: a key, a value or a combination is wrong, in the table or in a run that it needs.
    """
    table = options["table"]
    check_shape(table)
    rows, shared = all_rows(table, sources), settings(table)
    check_table(table, rows, shared)
    if table.get("targets"):
        shared = migration_settings(table["targets"], table["shots"], shared[ONLY])
    places = {key: options[key] for key in PLACES}
    compose = tree_composer(sources)
    configs = {
        (row, setting): compose_row(row, [*common, *budget_overrides(table), *rows[row]], places, compose)
        for row in rows
        for setting, common in shared.items()
    }
    require_equal_terms(configs, next(iter(rows)))
    columns = compared_in(columns_of(table, configs), table.get("compare"))
    require_scenes(columns, configs)
    require_every_rate(table["budget"], rows, [config.values["from"] for config in configs.values()])
    pairs = [(run, with_source(cell)) for run, cell in linked(list(planned_runs(table, configs)))]
    runs = [replace(run, folder=chain[-1].name) for run, chain in pairs]
    return plan_of(table, name, columns, configs, runs), distinct(cell for _, chain in pairs for cell in chain)


def all_rows(table: Mapping[str, Any], sources: Sources) -> dict[str, list[str]]:
    """Return the overrides of each row: the written rows, then one for each other choice of the group of `each`."""
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
    """Return the overrides that all rows share in each setting."""
    shared = table.get("shared") or []
    return dict(shared) if isinstance(shared, Mapping) else {ONLY: shared}


def of_transfers(table: Mapping[str, Any]) -> bool:
    """Return whether the learning rates of the budget are those of transfers."""
    return bool(table.get("targets") and table["budget"].get("learning_rates"))


def budget_overrides(table: Mapping[str, Any]) -> list[str]:
    """Return the budget as overrides of a run; of several learning rates, the first, but for those of transfers."""
    budget = table["budget"]
    rates = [] if of_transfers(table) else budget.get("learning_rates", [])
    overrides = [f"{key}={json.dumps(budget[key])}" for key in ("epochs", "steps") if key in budget]
    return [*overrides, *(f"optimizer.lr={rate}" for rate in rates[:1])]


def compose_row(row: str, overrides: Sequence[str], places: Mapping[str, Any], compose: Compose) -> RowConfig:
    try:
        with explained():
            tree, chosen = compose(overrides)
            tree.update(deepcopy(dict(places)))
            tree["threads"] = tree["threads"] or 1
            values = resolve(tree)
            check_composed(values, overrides, "the table")
    except ConfigError as error:
        raise ConfigError(f"In row {row}: {error}") from error
    return RowConfig(tree, values, named_choices(chosen, values), overrides)


def require_equal_terms(configs: RowConfigs, first: str) -> None:
    """Require in each setting the first row's budget and data, but for views, scenes and data sets that a row lacks."""
    by_place = {place: terms(config.values) for place, config in configs.items()}
    for (row, setting), values in by_place.items():
        shared = {key: value for key, value in by_place[first, setting].items() if key in values}
        if not any(key.startswith("dataset.") for key in shared):
            raise ConfigError(
                f"Rows of a table share data. Found no data set of row {first} in row {row}: name them under `shared`."
            )
        for key, value in shared.items():
            if value != values[key]:
                raise ConfigError(
                    f"Rows of a table share budget and data. Found {key}={values[key]} in row {row}, {value} in "
                    f"row {first}: set it under `budget` or `shared`, for all rows."
                )


def terms(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values, by dotted key, that all rows must share where both have them."""
    data = {path: value for path, key, value in leaves(values["dataset"], "dataset.") if key not in ("views", "scenes")}
    return {**{key: values[key] for key in BUDGET}, "optimizer.lr": values["optimizer"]["lr"], **data}


def columns_of(table: Mapping[str, Any], configs: RowConfigs) -> tuple[Column, ...]:
    """Return the columns in order, those that name no setting in the first one."""
    if table.get("targets"):
        begins = [trait(config.values["transfer"], "begins_from_source", True) for config in configs.values()]
        return migration_columns(table["targets"], table["shots"], scratch=not all(begins))
    _, first = next(iter(configs))
    usual: dict[str, Any] = {"scene": None, "setting": first}
    return tuple(Column(label, **usual | column) for label, column in table["columns"].items())


def require_scenes(columns: Sequence[Column], configs: RowConfigs) -> None:
    """Require that at least one row has a column's scene in its setting.

    A head's measures are known only after the first run: then a notice names columns without a value.
    """
    for column in columns:
        data = [config.values["dataset"] for (_, setting), config in configs.items() if setting == column.setting]
        names = {scene for parts in data for name, part in parts.items() for scene in scenes(str(name), part)}
        if column.scene is not None and not any(f"{column.scene}_".startswith(f"{name}_") for name in names):
            raise ConfigError(
                f"A column is of a scene that its setting has. Found {column.scene} in {column.label}. "
                f"{nearest(column.scene, names)}"
            )


def scenes(name: str, part: Any) -> list[str]:
    """Return the scenes of a data set: its name, with each of its views where the configuration lists them."""
    views = part.get("views") if isinstance(part, Mapping) else None
    return [f"{name}_{view}" for view in views] if isinstance(views, list) else [name]


def planned_runs(table: Mapping[str, Any], configs: RowConfigs) -> Iterator[Pair]:
    """Yield the runs with their cells; only the first seed draws pictures, which are no part of a result."""
    for number, seed in enumerate(table["seeds"]):
        for (row, setting), (tree, values, choices, overrides) in configs.items():
            tree["seed"] = seed
            if tree["target"] is not None:
                tree["draw"] = seed
                tree["shots"] *= trait(tree["transfer"], "reads_labels", True)
            if number:
                tree["log"]["pictures"] = 0
            group, key, rates = tried(row, values, table["budget"])
            for rate in rates:
                tree[group][key] = rate
                cell = Cell(resolve(tree), choices, (*overrides, f"{group}.{key}={rate}"))
                yield PlannedRun(row, setting, rate, seed, cell.name, cell.values), cell


def tried(row: str, values: Mapping[str, Any], budget: Mapping[str, Any]) -> tuple[str, str, Sequence[float]]:
    """Return group, key and values of the learning rate that a row tries: in a migration, that of its transfer."""
    rates = budget.get("row_learning_rates", {}).get(row) or budget.get("learning_rates")
    if values["target"] is None:
        return "optimizer", "lr", rates or [values["optimizer"]["lr"]]
    if "rate" in values["transfer"]:
        return "transfer", "rate", rates or [values["transfer"]["rate"]]
    return "optimizer", "lr", [values["optimizer"]["lr"]]


def plan_of(
    table: Mapping[str, Any], name: str, columns: tuple[Column, ...], configs: RowConfigs, runs: Sequence[PlannedRun]
) -> TablePlan:
    rows, settings = (tuple(dict.fromkeys(place[part] for place in configs)) for part in (0, 1))
    budget = {key: [configs[rows[0], setting].values[key] for setting in settings] for key in SHOWN}
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
        choose_seeds=table["budget"].get("choose_seeds", len(table["seeds"])),
        budget={key: values[0] if len(set(values)) == 1 else values for key, values in budget.items()},
        tolerance=table["budget"].get("parameters"),
        test=table["test"],
        seconds=table.get("seconds"),
        claims=Claims(**claims) if claims else None,
        runs=tuple(runs),
        shots=tuple(table.get("shots") or ()),
        judges=migration_judges(table["targets"], table["shots"]) if of_transfers(table) else {},
        overlap=table.get("overlap") or 0.0,
    )
