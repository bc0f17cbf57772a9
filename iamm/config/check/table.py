"""What a table's YAML must hold, checked before any of its runs is composed."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from iamm.config.check.run_keys import COUNT, COUNT_OR_NULL
from iamm.constraints import Constraint, Number, OneOf, OrNull
from iamm.errors import ConfigError, nearest


@dataclass(frozen=True)
class Kind:
    """A value of a type."""

    type: type | tuple[type, ...]
    said: str

    def holds(self, value: Any) -> bool:
        return isinstance(value, self.type)

    def words(self) -> str:
        return self.said


@dataclass(frozen=True)
class Texts:
    """A list of texts."""

    said: str

    def holds(self, value: Any) -> bool:
        return isinstance(value, list) and all(isinstance(text, str) for text in value)

    def words(self) -> str:
        return self.said


@dataclass(frozen=True)
class Different:
    """A list, not empty, of numbers that are not the same."""

    each: Number

    def holds(self, value: Any) -> bool:
        numbers = isinstance(value, list) and all(self.each.holds(number) for number in value)
        return numbers and 0 < len(set(value)) == len(value)

    def words(self) -> str:
        return f"a list of different values, each of it {self.each.words()}"


KEYS: Mapping[str, Constraint] = {
    "title": Kind(str, "a line of text"),
    "about": Kind(str, "a paragraph on the data and what else a reader must know"),
    "rows": Kind(dict, "label: [overrides] for each row; the first is compared with each other"),
    "each": Kind(dict, "{group: …, leave_out: […]}, a row more for each other choice of the group"),
    "shared": Kind((list, dict), "[overrides] of all rows or, for several settings, name: [overrides]"),
    "columns": Kind(dict, "label: {scene: …, measure: …} for each column, with setting: … or minus: … if need be"),
    "seeds": Different(Number(0, 2**32 - 1, whole=True)),
    "budget": Kind(dict, "{epochs, steps, learning_rates, parameters} of all rows"),
    "test": OneOf(("t", "wilcoxon")),
    "seconds": OrNull(Number(0)),
    "claims": Kind(dict, "{place: …, figures: {row: {column: 1.0}}}"),
}
NEEDED = ("title", "about", "columns", "seeds", "budget", "test")
EACH: Mapping[str, Constraint] = {"group": Kind(str, "the name of a group"), "leave_out": Texts("a list of choices")}
BUDGET: Mapping[str, Constraint] = {
    "epochs": COUNT,
    "steps": COUNT_OR_NULL,
    "learning_rates": Different(Number(0, above=True)),
    "parameters": OrNull(Number(0)),
}
TEXT = Kind(str, "text")
FIGURES = Kind(dict, "{row: {column: 1.0}}")
CLAIMS: Mapping[str, Constraint] = {"place": Kind(str, "the document and its section"), "figures": FIGURES}
OVERRIDES = Texts("a list of overrides, such as [model=iamm, dim=64]")
TAKEN = {
    "seed": "give the table `seeds`",
    "optimizer.lr": "give the table `budget.learning_rates`",
    **dict.fromkeys(("device", "data_dir", "output_dir", "sweep"), "give it to iamm-table"),
    **dict.fromkeys(("mode", "run", "planned", "rerun"), "leave it out"),
}
"""Keys of a run that are not a row's to set, and what to do instead."""


def check_shape(table: Any) -> None:
    """Hold a table's keys against what they must be: after that rows and settings can be read off.

    Raises:
        ConfigError: the first thing that is not as it must be.
    """
    require("table", table, Kind(dict, "a YAML with keys"))
    given = {key: value for key, value in table.items() if value is not None}
    hold("A table", "", given, KEYS, NEEDED if "each" in given else (*NEEDED, "rows"))
    hold("`budget`", "budget.", given["budget"], BUDGET)
    if "each" in given:
        hold("`each`", "each.", given["each"], EACH, ("group",))


def check_table(table: Mapping[str, Any], rows: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Hold a table's parts against each other.

    Args:
        table: the YAML's content, of the right shape.
        rows: label → overrides, of all rows.
        settings: name → overrides that all rows share there.

    Raises:
        ConfigError: the first thing that is not as it must be.
    """
    for place, labels in (("rows", rows), ("shared", settings), ("columns", table["columns"])):
        for label in labels:
            if not isinstance(label, str):
                raise ConfigError(f"A label must be text. Found {label!r} under {place}: put it in quotes.")
    if len(rows) < 2:
        raise ConfigError(f"A table compares rows. Found {len(rows)}: give it two at least under `rows` or `each`.")
    check_words("rows.", rows, TAKEN)
    tried = table["budget"].get("learning_rates")
    check_words("shared.", settings, {key: why for key, why in TAKEN.items() if key != "optimizer.lr" or tried})
    for label, column in table["columns"].items():
        check_column(label, column, tuple(rows), tuple(settings))
    if table.get("claims"):
        check_claims(table["claims"], rows, table["columns"])


def check_words(place: str, lists: Mapping[str, Any], taken: Mapping[str, str]) -> None:
    """Lists of overrides, none of a key that the table itself sets for all rows."""
    for name, words in lists.items():
        require(place + name, words, OVERRIDES)
        for word in words:
            key = re.split("[=@]", word.lstrip("+~"))[0]
            advice = taken.get(key) or taken.get(key.split(".")[0])
            if advice:
                raise ConfigError(f"`{key}` is not a row's to set. Found {word} in {place}{name}: {advice}.")


def check_column(label: str, column: Any, rows: tuple[str, ...], settings: tuple[str, ...]) -> None:
    place = f"columns.{label}"
    require(place, column, Kind(dict, "{scene: …, measure: …}"))
    rules: Mapping[str, Constraint] = {"scene": TEXT, "measure": TEXT, "setting": OneOf(settings), "minus": OneOf(rows)}
    hold(f"`{place}`", f"{place}.", column, rules, ("measure",))
    if column.get("scene") is None and column["measure"] != "quality":
        raise ConfigError(f"A mean over scenes is one of quality. Found {column['measure']} in {place}: name a scene.")
    if len(settings) > 1 and "setting" not in column:
        raise ConfigError(f"Of several settings a column is of one. Found none in {place}: name a setting.")


def check_claims(claims: Mapping[str, Any], rows: Collection[str], columns: Collection[str]) -> None:
    hold("`claims`", "claims.", claims, CLAIMS, tuple(CLAIMS))
    hold("`claims.figures`", "claims.figures.", claims["figures"], dict.fromkeys(rows, FIGURES))
    for row, figures in claims["figures"].items():
        place = f"claims.figures.{row}"
        hold(f"`{place}`", f"{place}.", figures, dict.fromkeys(columns, Number(-math.inf)))


def hold(
    what: str, place: str, values: Mapping[str, Any], rules: Mapping[str, Constraint], needed: Collection[str] = ()
) -> None:
    """No key but those of the rules, each value as its rule says, and the needed ones there.

    Args:
        what: whose keys they are.
        place: what stands before a key in a mistake.
    """
    for key in values:
        if key not in rules:
            raise ConfigError(f"{what} has known keys. Found {key}. {nearest(str(key), rules)}")
    for key in needed:
        if values.get(key) in (None, "", [], {}):
            raise ConfigError(f"{what} must have `{key}`. Found none: give it {rules[key].words()}.")
    for key, value in values.items():
        require(place + key, value, rules[key])


def require(name: str, value: Any, rule: Constraint) -> None:
    if not rule.holds(value):
        raise ConfigError(f"`{name}` must be {rule.words()}. Found {value!r}.")
