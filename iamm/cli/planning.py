"""A table's YAML → its plan and its cells: every run composed and checked before the first one begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from iamm.cli.cells import Cell
from iamm.cli.check import check
from iamm.cli.check_table import check_table
from iamm.cli.compose import named_choices
from iamm.errors import ConfigError
from iamm.report.plan import Claims, Column, Plan, PlannedRun
from iamm.report.records import drop_keys
from iamm.report.transfer import BUDGET

ONLY = "runs"
"""Name of the setting of a table that has but one."""


def plan_table(config: DictConfig, name: str) -> tuple[Plan, list[Cell]]:
    """The plan, and a cell for each of its runs, in the same order: seeds outermost, so that a table grows row by row.

    Args:
        config: of `iamm-table`.
        name: of the table's YAML.

    Raises:
        ConfigError: a key, a value or a combination that cannot be, in the table or in a run that it needs.
    """
    table: Any = OmegaConf.to_container(config.table, resolve=True)
    rows, shared = all_rows(table), settings(table)
    check_table(table, rows, shared)
    places = {key: config[key] for key in ("data_dir", "output_dir", "device", "sweep")}
    composed = {
        (row, setting): compose_row(row, [*words, *budget_words(table), *rows[row]], places)
        for row in rows
        for setting, words in shared.items()
    }
    require_one_budget(composed, next(iter(rows)))
    planned = {place: cells_of(table, *found) for place, found in composed.items()}
    runs, cells = [], []
    for number, seed in enumerate(table["seeds"]):
        for (row, setting), found in planned.items():
            for rate, cell in found[number]:
                runs.append(PlannedRun(row, setting, rate, seed, cell.name))
                cells.append(cell)
    rates = tuple(sorted({run.rate for run in runs}))
    return plan_of(table, name, tuple(rows), tuple(shared), rates, composed, tuple(runs)), cells


def all_rows(table: Mapping[str, Any]) -> dict[str, list[str]]:
    """Label → overrides; behind the rows that are written out, one for each other choice of the group of `each`."""
    rows = dict(table.get("rows") or {})
    each = table.get("each")
    if each:
        group = each["group"]
        choices = GlobalHydra.instance().config_loader().get_group_options(group)
        others = [choice for choice in choices if choice not in rows and choice not in each.get("leave_out", [])]
        rows |= {choice: [f"{group}={choice}"] for choice in others}
    return rows


def settings(table: Mapping[str, Any]) -> dict[str, list[str]]:
    """Name → overrides of all rows."""
    shared = table.get("shared") or []
    return dict(shared) if isinstance(shared, Mapping) else {ONLY: list(shared)}


def budget_words(table: Mapping[str, Any]) -> list[str]:
    """What the budget says of a run, as overrides."""
    return [f"{key}={value}" for key, value in budget_of(table).items()]


def budget_of(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table["budget"].items() if key not in ("learning_rates", "parameters")}


def compose_row(row: str, words: Sequence[str], places: Mapping[str, Any]) -> tuple[DictConfig, dict[str, str]]:
    """A row's configuration and what was chosen in each group."""
    config = compose("train", overrides=list(words), return_hydra_config=True)
    taken = OmegaConf.to_container(config.hydra.runtime.choices)
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    config.update(places)
    config.threads = config.threads or 1
    try:
        check(config)
    except ConfigError as error:
        raise ConfigError(f"In row {row}: {error}") from error
    return config, named_choices(taken, config)


def require_one_budget(composed: Mapping[tuple[str, str], tuple[DictConfig, Any]], first: str) -> None:
    """Every row has the first row's budget and data, in each setting; what is compared is the rest."""
    for (row, setting), (config, _) in composed.items():
        ours, theirs = (shared_by_rows(found) for found in (composed[first, setting][0], config))
        for key in ours:
            if ours[key] != theirs[key]:
                raise ConfigError(
                    f"Rows of a table share budget and data. Found `{key}` {theirs[key]} in row {row}, {ours[key]} in "
                    f"row {first}: set it under `budget` or `shared`, for all rows."
                )


def shared_by_rows(config: DictConfig) -> dict[str, Any]:
    """The keys of a budget, and the data sets but for which of their views are there."""
    values: Any = OmegaConf.to_container(config, resolve=True)
    budget = {key: values[key] for key in BUDGET}
    data = drop_keys(values["dataset"], ("views",))
    return {**budget, **{f"dataset.{name}": part for name, part in data.items()}, "dataset": sorted(data)}


def cells_of(table: Mapping[str, Any], config: DictConfig, choices: dict[str, str]) -> list[list[tuple[float, Cell]]]:
    """Per seed, for each learning rate, its cell. Only the first seed draws pictures: they are no part of a result."""
    rates = table["budget"].get("learning_rates") or [config.optimizer.lr]
    pictures = config.log.pictures
    found = []
    for number, seed in enumerate(table["seeds"]):
        config.seed, config.log.pictures = seed, 0 if number else pictures
        found.append([(rate, cell_at(config, rate, choices)) for rate in rates])
    return found


def cell_at(config: DictConfig, rate: float, choices: dict[str, str]) -> Cell:
    config.optimizer.lr = rate
    values: Any = OmegaConf.to_container(config, resolve=True)
    return Cell(values, choices)


def plan_of(
    table: Mapping[str, Any],
    name: str,
    rows: tuple[str, ...],
    settings: tuple[str, ...],
    rates: tuple[float, ...],
    composed: Mapping[tuple[str, str], tuple[DictConfig, Any]],
    runs: tuple[PlannedRun, ...],
) -> Plan:
    claims = table.get("claims")
    first = [composed[rows[0], setting][0] for setting in settings]
    shown = {key: [config[key] for config in first] for key in ("epochs", "steps", "batch_size")}
    return Plan(
        name=name,
        title=table["title"],
        about=table["about"],
        rows=rows,
        columns=tuple(
            Column(label, c["measure"], c.get("scene"), c.get("setting", settings[0]), c.get("minus"))
            for label, c in table["columns"].items()
        ),
        settings=settings,
        seeds=tuple(table["seeds"]),
        rates=rates,
        budget={key: found[0] if len(set(found)) == 1 else found for key, found in shown.items()},
        tolerance=table["budget"].get("parameters"),
        test=table["test"],
        seconds=table.get("seconds"),
        claims=Claims(claims["place"], claims["figures"]) if claims else None,
        runs=runs,
    )
