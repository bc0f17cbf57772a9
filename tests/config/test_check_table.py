"""A table's YAML is held against what it must be: one line for each mistake, whatever stands in it."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iamm.config.check.table import KEYS, check_shape, check_table
from iamm.errors import ConfigError
from iamm.table.planning import settings

TABLE: dict[str, Any] = {
    "title": "A table",
    "about": "What it is about.",
    "shared": {"small": ["dim=8"], "large": ["dim=16"]},
    "rows": {"IAMM": ["model=iamm"], "none": ["fusion=none", "optimizer=sgd"]},
    "each": {"group": "fusion", "leave_out": ["shared"]},
    "columns": {
        "accuracy": {"setting": "small", "scene": "shapes_image", "measure": "accuracy"},
        "gain": {"setting": "large", "measure": "quality", "minus": "none"},
    },
    "seeds": [0, 4294967295],
    "budget": {"epochs": 2, "steps": None, "learning_rates": [0.01, 1], "parameters": 0.1},
    "test": "wilcoxon",
    "seconds": 1.5,
    "claims": {"place": "D0 §1", "figures": {"IAMM": {"accuracy": 88}, "none": {"gain": -0.5, "accuracy": 80.5}}},
}
ONE_SETTING = {
    "shared": ["dim=8"],
    "columns": {"accuracy": {"scene": "shapes_image", "measure": "accuracy"}, "mean": {"measure": "quality"}},
    "claims": None,
}


def check(table: Any) -> None:
    check_shape(table)
    check_table(table, table.get("rows") or {}, settings(table))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a container."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [path, *(place for key in keys for place in places(value[key], (*path, key)))]


def at(path: tuple[Any, ...], value: Any) -> Any:
    """The table with another value in one place."""
    table = copy.deepcopy(TABLE)
    if not path:
        return value
    inside: Any = table
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return table


MISTAKES = [  # where, what stands there, what is said
    ((), ["title: a"], "`table` must be a YAML with keys. Found ['title: a']."),
    ((), {}, "A table must have `title`. Found none: give it a line of text."),
    (("tilte",), "A", 'A table has known keys. Found tilte. Did you mean "title"? Choices: about, budget, claims,'),
    ((3,), "A", "A table has known keys. Found 3. Choices: about,"),
    (("title",), 3, "`title` must be a line of text. Found 3."),
    (("about",), "", "A table must have `about`. Found none: give it a paragraph on the data"),
    (("rows",), ["model=iamm"], "`rows` must be label: [overrides] for each row;"),
    (("rows",), {"IAMM": []}, "A table compares rows. Found 1: give it two at least under `rows` or `each`."),
    (
        ("rows", "IAMM"),
        "model=iamm",
        "`rows.IAMM` must be a list of overrides, such as [model=iamm, dim=64]. Found 'mod",
    ),
    (
        ("rows", "IAMM"),
        [{"dim": 3}],
        "`rows.IAMM` must be a list of overrides, such as [model=iamm, dim=64]. Found [{'",
    ),
    (("rows", 2), [], "A label must be text. Found 2 under rows: put it in quotes."),
    (("rows", True), [], "A label must be text. Found True under rows: put it in quotes."),
    (("rows", "IAMM"), ["seed=3"], "`seed` is not a row's to set. Found seed=3 in rows.IAMM: give the table `seeds`."),
    (("rows", "IAMM"), ["++optimizer.lr=3"], "Found ++optimizer.lr=3 in rows.IAMM: give the table `budget.learning_ra"),
    (
        ("shared", "small"),
        ["optimizer.lr=3"],
        "`optimizer.lr` is not a row's to set. Found optimizer.lr=3 in shared.sma",
    ),
    (
        ("rows", "IAMM"),
        ["sweep.jobs=2"],
        "`sweep.jobs` is not a row's to set. Found sweep.jobs=2 in rows.IAMM: give it to",
    ),
    (("rows", "none"), ["mode=eval"], "`mode` is not a row's to set. Found mode=eval in rows.none: leave it out."),
    (("each",), "fusion", "`each` must be {group: …, leave_out: […]},"),
    (("each", "leaveout"), [], '`each` has known keys. Found leaveout. Did you mean "leave_out"? Choices: group, leav'),
    (("each",), {"leave_out": ["none"]}, "`each` must have `group`. Found none: give it the name of a group."),
    (("each", "leave_out"), "none", "`each.leave_out` must be a list of choices. Found 'none'."),
    (("shared",), "dim=8", "`shared` must be [overrides] of all rows or, for several settings, name: [overrides]."),
    (("shared", "small"), "dim=8", "`shared.small` must be a list of overrides,"),
    (("columns",), {}, "A table must have `columns`. Found none: give it label: {scene: …, measure: …} for each"),
    (("columns", "accuracy"), "accuracy", "`columns.accuracy` must be {scene: …, measure: …}. Found 'accuracy'."),
    (
        ("columns", "accuracy", "mesure"),
        "loss",
        '`columns.accuracy` has known keys. Found mesure. Did you mean "measure"?',
    ),
    (("columns", "accuracy", "measure"), None, "`columns.accuracy` must have `measure`. Found none: give it text."),
    (
        ("columns", "gain", "measure"),
        "loss",
        "A mean over scenes is one of quality. Found loss in columns.gain: name a scene.",
    ),
    (("columns", "gain", "epoch"), 0, "`columns.gain.epoch` must be a whole number at least 1. Found 0."),
    (("columns", "gain", "minus"), "non", "`columns.gain.minus` must be one of IAMM, none. Found 'non'."),
    (("columns", "gain", "setting"), "larg", "`columns.gain.setting` must be one of small, large. Found 'larg'."),
    (
        ("columns", "m"),
        {"measure": "quality"},
        "Of several settings a column is of one. Found none in columns.m: name a",
    ),
    (
        ("seeds",),
        3,
        "`seeds` must be a list without repeats, each of them a whole number at least 0 and at most 42949",
    ),
    (("seeds",), [], "A table must have `seeds`. Found none: give it a list without repeats"),
    (
        ("seeds",),
        [0, 1, 0],
        "`seeds` must be a list without repeats, each of them a whole number at least 0 and at mo",
    ),
    (("seeds", 0), 4294967296, "at most 4294967295. Found [4294967296, 4294967295]."),
    (("seeds", 0), True, "Found [True, 4294967295]."),
    (
        ("budget",),
        {},
        "A table must have `budget`. Found none: give it {epochs, steps, learning_rates, row_learning_rates, ",
    ),
    (
        ("budget", "epohcs"),
        3,
        '`budget` has known keys. Found epohcs. Did you mean "epochs"? Choices: choose_seeds, epochs, lea',
    ),
    (("budget", "epochs"), 0, "`budget.epochs` must be a whole number at least 1. Found 0."),
    (("budget", "epochs"), None, "`budget.epochs` must be a whole number at least 1. Found None."),
    (("budget", "learning_rates"), 0.1, "`budget.learning_rates` must be a list without repeats, each of them a num"),
    (("budget", "learning_rates", 0), 0, "each of them a number above 0. Found [0, 1]."),
    (("budget", "learning_rates", 0), 1.0, "each of them a number above 0. Found [1.0, 1]."),
    (("budget", "row_learning_rates"), {"IAM": [1]}, "`budget.row_learning_rates.IAM` must be one of IAMM, none."),
    (("budget", "row_learning_rates"), {"none": [1, 0]}, "`budget.row_learning_rates.none` must be a list without"),
    (
        ("budget", "row_learning_rates"),
        {"none": [1]},
        "All rows try equally many learning rates. Found 1 under budget.row_learning_rates.none, 2 under",
    ),
    (("budget", "parameters"), -0.1, "`budget.parameters` must be a number at least 0, or null. Found -0.1."),
    (("test",), "T", "`test` must be one of t, wilcoxon. Found 'T'."),
    (("overlap",), -1, "`overlap` must be a number at least 0, or null. Found -1."),
    (("seconds",), "ten", "`seconds` must be a number at least 0, or null. Found 'ten'."),
    (("claims",), {"figures": {}}, "`claims` must have `place`. Found none: give it the document and its section."),
    (("claims", "where"), "D0", "`claims` has known keys. Found where. Choices: figures, place."),
    (
        ("claims", "figures", "IAM"),
        {},
        '`claims.figures` has known keys. Found IAM. Did you mean "IAMM"? Choices: IAMM, none.',
    ),
    (("claims", "figures", "IAMM"), 3, "`claims.figures.IAMM` must be {row: {column: 1.0}}. Found 3."),
    (
        ("claims", "figures", "IAMM"),
        {"acuracy": 1},
        "`claims.figures.IAMM` has known keys. Found acuracy. Did you mean",
    ),
    (
        ("claims", "figures", "IAMM", "accuracy"),
        "88 %",
        "`claims.figures.IAMM.accuracy` must be a number. Found '88 %'.",
    ),
]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        ONE_SETTING,
        {"claims": None, "each": None, "seconds": None},
        {"budget": {"parameters": None}},
        {"rows": {"a": [], "b": []}, "columns": {"loss": TABLE["columns"]["accuracy"]}, "claims": None},
        {**ONE_SETTING, "shared": ["optimizer.lr=0.1"], "budget": {"epochs": 3}},
    ],
    ids=str,
)
def test_what_a_table_may_be(changes):
    """The same table is refused once it has a key that no table has."""
    check({**TABLE, **changes})
    with pytest.raises(ConfigError, match="nonsense"):
        check({**TABLE, **changes, "nonsense": 1})


@pytest.mark.parametrize(("path", "value", "said"), MISTAKES, ids=lambda part: str(part)[:40])
def test_mistakes(path, value, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        check(at(path, value))


def test_only_the_t_test_is_corrected_for_overlap():
    check({**TABLE, "overlap": 0.25, "test": "t"})
    with pytest.raises(ConfigError, match=r"`overlap` corrects the t test\. Found test=wilcoxon: set test: t"):
        check({**TABLE, "overlap": 0.25, "test": "wilcoxon"})


@pytest.mark.parametrize("key", ["title", "about", "columns", "seeds", "budget", "test"])
def test_what_every_table_has(key):
    table = {name: value for name, value in TABLE.items() if name != key}
    with pytest.raises(ConfigError, match=rf"^A table must have `{key}`\. Found none: give it "):
        check(table)


def test_rows_stand_under_rows_or_each():
    table = {**TABLE, "rows": None, "claims": None}
    check_shape(table)
    with pytest.raises(ConfigError, match=r"^A table must have `rows`\. Found none: give it label: \[overrides\]"):
        check_shape({**table, "each": None})


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(),
    st.sampled_from(["", "x", "epochs=2", "IAMM", "t"]),
    st.lists(st.sampled_from([None, 0, 0.5, "x", "a=1", [], {}, True]), max_size=3),
    st.dictionaries(st.sampled_from([*KEYS, "scene", "group", 1, None]), st.sampled_from([None, 1, "x", [], {}])),
)


@given(st.sampled_from(places(TABLE)), JUNK)
@example(("claims", "figures"), {1: None})
@example(("columns", "gain"), {"measure": []})
@example(("rows",), {None: None, 1: None})
@example(("rows",), None)
def test_anything_else_is_no_defect(path, junk):
    assert re.fullmatch(r"[^\n]+\. Found [^\n]+\.|", mistake(at(path, junk)))


def mistake(table: Any) -> str:
    try:
        check(table)
    except ConfigError as error:
        return str(error)
    return ""
