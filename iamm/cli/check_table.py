"""What a table's YAML must hold, checked before any of its runs is composed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iamm.cli.check import COUNT, COUNT_OR_NULL, Number, OneOf, Switch, check_device
from iamm.errors import ConfigError, nearest

KEYS = {
    "title": "a line",
    "about": "a paragraph on the data",
    "rows": "label → list of overrides; the first row is compared with each other",
    "columns": "label → {scene, measure} and, if need be, {setting, minus}",
    "seeds": "a list of whole numbers",
    "budget": "{epochs, steps, learning_rates, parameters}",
    "test": "t or wilcoxon",
}
"""Those that every table has, and what they are."""
MORE = ("shared", "each", "seconds", "claims")
BUDGET = {"epochs": COUNT, "steps": COUNT_OR_NULL, "parameters": Number(0, empty=True)}
RATE = Number(0, above=True)
COLUMN = ("scene", "measure", "setting", "minus")


def check_options(options: Mapping[str, Any]) -> None:
    """The keys of `iamm-table` besides the table itself.

    Raises:
        ConfigError: the first that is not as it must be.
    """
    for key in ("run", "list", "costs"):
        require(key, options[key], Switch())
    require("sweep.jobs", options["sweep"]["jobs"], COUNT_OR_NULL)
    require("sweep.silence", options["sweep"]["silence"], RATE)
    check_device(options["device"])


def check_table(table: Mapping[str, Any], rows: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Hold a table against what it must be.

    Args:
        table: the YAML's content.
        rows: label → overrides, of all rows.
        settings: name → overrides that all rows share there.

    Raises:
        ConfigError: the first thing that is not as it must be.
    """
    check_keys(table)
    if len(rows) < 2:
        raise ConfigError(f"A table compares rows. Found {len(rows)}: give it two at least under `rows` or `each`.")
    lists = {f"rows.{row}": words for row, words in rows.items()}
    for place, words in (*lists.items(), *((f"shared.{name}", words) for name, words in settings.items())):
        if not is_list_of(words, str):
            raise ConfigError(f"`{place}` must be a list of overrides. Found {words!r}: write [model=iamm, dim=64].")
    check_budget(table["budget"])
    if not is_list_of(table["seeds"], int) or not table["seeds"] or len(set(table["seeds"])) < len(table["seeds"]):
        raise ConfigError(f"`seeds` must be a list of different whole numbers. Found {table['seeds']!r}.")
    require("test", table["test"], OneOf(("t", "wilcoxon")))
    require("seconds", table.get("seconds"), Number(0, empty=True))
    check_columns(table["columns"], list(rows), list(settings))
    check_claims(table.get("claims"), list(rows), list(table["columns"]))


def check_keys(table: Mapping[str, Any]) -> None:
    known = [*KEYS, *MORE]
    for key in table:
        if key not in known:
            raise ConfigError(f"A table has known keys. Found {key}. {nearest(str(key), known)}")
    for key, meaning in KEYS.items():
        if table.get(key) in (None, {}, []) and not (key == "rows" and table.get("each")):
            raise ConfigError(f"A table must have `{key}`. Found none: give it {meaning}.")


def check_budget(budget: Mapping[str, Any]) -> None:
    known = [*BUDGET, "learning_rates"]
    for key, value in budget.items():
        if key not in known:
            raise ConfigError(f"A budget has known keys. Found {key}. {nearest(str(key), known)}")
        if key in BUDGET:
            require(f"budget.{key}", value, BUDGET[key])
    rates = budget.get("learning_rates", [1.0])
    if not isinstance(rates, list) or not rates or not all(RATE.holds(rate) for rate in rates):
        raise ConfigError(f"`budget.learning_rates` must be a list, each of it {RATE.words()}. Found {rates!r}.")


def check_columns(columns: Mapping[str, Any], rows: Sequence[str], settings: Sequence[str]) -> None:
    for label, column in columns.items():
        if not isinstance(column, Mapping) or "measure" not in column:
            raise ConfigError(
                f"`columns.{label}` must name a measure. Found {column!r}: write {{scene: …, measure: …}}."
            )
        for key in column:
            if key not in COLUMN:
                raise ConfigError(f"A column has known keys. Found {key} in {label}. {nearest(str(key), COLUMN)}")
        if "scene" not in column and column["measure"] != "quality":
            raise ConfigError(
                f"The mean over scenes is of `quality`. Found {column['measure']} in {label}: name a scene."
            )
        require(f"columns.{label}.setting", column.get("setting", settings[0]), OneOf(tuple(settings)))
        if column.get("minus") is not None:
            require(f"columns.{label}.minus", column["minus"], OneOf(tuple(rows)))
        if len(settings) > 1 and "setting" not in column:
            raise ConfigError(f"A table of several settings says which a column is of. Found none in {label}.")


def check_claims(claims: Any, rows: Sequence[str], columns: Sequence[str]) -> None:
    if claims is None:
        return
    if not isinstance(claims, Mapping) or set(claims) != {"place", "figures"}:
        raise ConfigError(
            "`claims` must have `place` and `figures`. Found other keys: write place: …, figures: {row: {column: 1.0}}."
        )
    for row, figures in claims["figures"].items():
        require("a row of claims.figures", row, OneOf(tuple(rows)))
        for column, figure in figures.items():
            require(f"a column of claims.figures.{row}", column, OneOf(tuple(columns)))
            require(f"claims.figures.{row}.{column}", figure, Number(-float("inf")))


def require(name: str, value: Any, rule: Number | OneOf | Switch) -> None:
    if not rule.holds(value):
        raise ConfigError(f"`{name}` must be {rule.words()}. Found {value!r}.")


def is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(part, kind) and not isinstance(part, bool) for part in value)
