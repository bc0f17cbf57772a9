"""This file checks a table's YAML before any of its runs is composed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from iamm.config.check.run_keys import RUN
from iamm.constraints import Constraint, ListOf, Number, OneOf, OrNull, Text
from iamm.errors import ConfigError, nearest


@dataclass(frozen=True)
class Described:
    """A constraint that a function checks, with a given description."""

    holds: Callable[[Any], bool]
    text: str

    def description(self) -> str:
        return self.text


def of_type(kind: type | tuple[type, ...], description: str) -> Described:
    return Described(lambda value: isinstance(value, kind), description)


def texts(description: str) -> Described:
    return Described(lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value), description)


KEYS: Mapping[str, Constraint] = {
    "title": of_type(str, "a line of text"),
    "about": of_type(str, "a paragraph on the data and what else a reader must know"),
    "rows": of_type(dict, "label: [overrides] for each row; the first is compared with each other"),
    "each": of_type(dict, "{group: …, leave_out: […]}, a row more for each other choice of the group"),
    "shared": of_type((list, dict), "[overrides] of all rows or, for several settings, name: [overrides]"),
    "columns": of_type(dict, "label: {scene: …, measure: …} for each column, or also setting: …, epoch: …, minus: …"),
    "compare": ListOf(Text(), different=True),
    "targets": ListOf(Text(), different=True),
    "shots": ListOf(RUN["shots"], different=True),
    "seeds": ListOf(RUN["seed"], different=True),
    "budget": of_type(dict, "{epochs, steps, learning_rates, row_learning_rates, choose_seeds, parameters}"),
    "test": OneOf(("t", "wilcoxon")),
    "overlap": OrNull(Number(0)),
    "seconds": OrNull(Number(0)),
    "claims": of_type(dict, "{place: …, figures: {row: {column: 1.0}}}"),
}
REQUIRED = ("title", "about", "seeds", "budget", "test")
EACH: Mapping[str, Constraint] = {"group": of_type(str, "the name of a group"), "leave_out": texts("a list of choices")}
BUDGET: Mapping[str, Constraint] = {
    "epochs": RUN["epochs"],
    "steps": RUN["steps"],
    "learning_rates": ListOf(RUN["optimizer.lr"], different=True),
    "choose_seeds": Number(1, whole=True),
    "row_learning_rates": of_type(dict, "row: [rates] for rows on another scale, such as those of another optimizer"),
    "parameters": OrNull(Number(0)),
}
TEXT = of_type(str, "text")
FIGURES = of_type(dict, "{row: {column: 1.0}}")
CLAIMS: Mapping[str, Constraint] = {"place": of_type(str, "the document and its section"), "figures": FIGURES}
OVERRIDES = texts("a list of overrides, such as [model=iamm, dim=64]")
NOT_OF_A_ROW = {
    "seed": "give the table `seeds`",
    "optimizer.lr": "give the table `budget.learning_rates`",
    **dict.fromkeys(("device", "data_dir", "output_dir", "sweep"), "give it to iamm-table"),
    **dict.fromkeys(("mode", "run", "planned", "rerun"), "leave it out"),
    **{"target": "give the table `targets`", "shots": "give the table `shots`", "draw": "leave it out: it is the seed"},
}
"""Keys of a run that are not a row's to set, and what to do instead."""


def check_shape(table: Any) -> None:
    """Check the keys of a table and the types of their values, so that rows and settings can be read.

    Raises:
        ConfigError: the first key or value that is wrong.
    """
    require("table", table, of_type(dict, "a YAML with keys"))
    values = {key: value for key, value in table.items() if value is not None}
    rows = () if "each" in values else ("rows",)
    columns = ("targets", "shots") if {"targets", "shots"} & values.keys() else ("columns",)
    check_keys("A table", "", values, KEYS, (*REQUIRED, *rows, *columns))
    if "targets" in values and (values.keys() & {"columns", "claims"} or isinstance(values.get("shared"), dict)):
        raise ConfigError("A table with `targets` has columns and settings of its own. Found others: leave them out.")
    check_keys("`budget`", "budget.", values["budget"], BUDGET)
    if "each" in values:
        check_keys("`each`", "each.", values["each"], EACH, ("group",))


def check_table(table: Mapping[str, Any], rows: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Check the parts of a table against each other.

    Args:
        table: the YAML's content, of the right shape.
        rows: label → overrides, of all rows.
        settings: name → overrides that all rows share there.

    Raises:
        ConfigError: the first part that does not fit.
    """
    for place, labels in (("rows", rows), ("shared", settings), ("columns", table.get("columns") or {})):
        for label in labels:
            if not isinstance(label, str):
                raise ConfigError(f"A label must be text. Found {label!r} under {place}: put it in quotes.")
    if len(rows) < 2:
        raise ConfigError(f"A table compares rows. Found {len(rows)}: give it two at least under `rows` or `each`.")
    check_overrides("rows.", rows, NOT_OF_A_ROW)
    if table.get("overlap") and table["test"] != "t":
        raise ConfigError(f"`overlap` corrects the t test. Found test={table['test']}: set test: t, or leave it out.")
    rates, targets = table["budget"].get("learning_rates"), table.get("targets")
    if rates and targets and len(targets) < 2:
        raise ConfigError(
            f"A transfer's learning rate is chosen on another target. Found {targets[0]} alone: give the table two "
            "`targets`, or leave `budget.learning_rates` out."
        )
    free = not rates or targets  # whose learning rates are those of transfers
    of_settings = {key: advice for key, advice in NOT_OF_A_ROW.items() if key != "optimizer.lr" or not free}
    check_overrides("shared.", settings, of_settings)
    check_row_rates(table["budget"].get("row_learning_rates", {}), rates or [], rows)
    for label, column in (table.get("columns") or {}).items():
        check_column(label, column, tuple(rows), tuple(settings))
    if table.get("claims"):
        check_claims(table["claims"], rows, table["columns"])


def check_row_rates(by_row: Mapping[str, Any], rates: Collection[float], rows: Collection[str]) -> None:
    """Require as many learning rates of a row with its own as the others try."""
    for row, own in by_row.items():
        place = f"budget.row_learning_rates.{row}"
        require(place, row, OneOf(tuple(rows)))
        require(place, own, BUDGET["learning_rates"])
        if len(own) != len(rates):
            raise ConfigError(
                f"All rows try equally many learning rates. Found {len(own)} under {place}, {len(rates)} under "
                "budget.learning_rates: give it as many."
            )


def check_overrides(place: str, lists: Mapping[str, Any], refused: Mapping[str, str]) -> None:
    """Refuse what is no list of overrides, and overrides of keys that the table itself sets for all rows."""
    for name, words in lists.items():
        require(place + name, words, OVERRIDES)
        for word in words:
            key = re.split("[=@]", word.lstrip("+~"))[0]
            advice = refused.get(key) or refused.get(key.split(".")[0])
            if advice:
                raise ConfigError(f"`{key}` is not a row's to set. Found {word} in {place}{name}: {advice}.")


def check_column(label: str, column: Any, rows: tuple[str, ...], settings: tuple[str, ...]) -> None:
    place = f"columns.{label}"
    require(place, column, of_type(dict, "{scene: …, measure: …}"))
    rules: Mapping[str, Constraint] = {
        **{"scene": TEXT, "measure": TEXT, "epoch": RUN["epochs"]},
        **{"setting": OneOf(settings), "minus": OneOf(rows)},
    }
    check_keys(f"`{place}`", f"{place}.", column, rules, ("measure",))
    if column.get("scene") is None and column["measure"] != "quality":
        raise ConfigError(f"A mean over scenes is one of quality. Found {column['measure']} in {place}: name a scene.")
    if len(settings) > 1 and "setting" not in column:
        raise ConfigError(f"Of several settings a column is of one. Found none in {place}: name a setting.")


def check_claims(claims: Mapping[str, Any], rows: Collection[str], columns: Collection[str]) -> None:
    check_keys("`claims`", "claims.", claims, CLAIMS, tuple(CLAIMS))
    check_keys("`claims.figures`", "claims.figures.", claims["figures"], dict.fromkeys(rows, FIGURES))
    for row, figures in claims["figures"].items():
        place = f"claims.figures.{row}"
        check_keys(f"`{place}`", f"{place}.", figures, dict.fromkeys(columns, Number(-math.inf)))


def check_keys(
    what: str, place: str, values: Mapping[str, Any], rules: Mapping[str, Constraint], needed: Collection[str] = ()
) -> None:
    """Refuse an unknown key, a missing one, or a value that breaks its rule.

    Args:
        what: the mapping, as messages name it.
        place: stands before a key in messages.
        values: the mapping.
        rules: key → constraint.
        needed: keys that must be there.

    Raises:
        ConfigError: the first of these.
    """
    for key in values:
        if key not in rules:
            raise ConfigError(f"{what} has known keys. Found {key}. {nearest(str(key), rules)}")
    for key in needed:
        if values.get(key) in (None, "", [], {}):
            raise ConfigError(f"{what} must have `{key}`. Found none: give it {rules[key].description()}.")
    for key, value in values.items():
        require(place + key, value, rules[key])


def require(name: str, value: Any, rule: Constraint) -> None:
    if not rule.holds(value):
        raise ConfigError(f"`{name}` must be {rule.description()}. Found {value!r}.")
