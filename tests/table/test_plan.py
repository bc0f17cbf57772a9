from __future__ import annotations

import json

import pytest

from iamm.errors import BadDataError, MissingDataError
from iamm.table.plan import Column, read_plan, write_plan


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"claims": None, "tolerance": None, "seconds": None},
        {"title": "Größe “×”", "rows": ("a/b", "ñ \\ |"), "settings": ("one", "two"), "rates": (1e-3 / 3,)},
        {"columns": (Column("t", "quality", None, "both", minus="rival"),), "budget": {"steps": None, "more": [1, 2]}},
        {"runs": ()},
    ],
    ids=str,
)
def test_what_is_read_is_what_was_written(make_plan, tmp_path, changes):
    plan, path = make_plan(**changes), tmp_path / "plan.json"
    write_plan(path, plan)
    assert read_plan(path) == plan
    before = path.read_bytes()
    write_plan(path, read_plan(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("measure", "scale", "lower_is_better"),
    [
        ("accuracy", 100, False),
        ("quality", 100, False),
        ("bleu", 100, False),
        ("loss", 1, True),
        ("perplexity", 1, True),
    ],
)
def test_columns_of_shares_and_of_losses(measure, scale, lower_is_better):
    column = Column("", measure, "a", "both")
    assert (column.scale, column.lower_is_better) == (scale, lower_is_better)


def test_no_plan(tmp_path):
    with pytest.raises(
        MissingDataError, match=r"^A table must be planned first\. Found no .*plan\.json: run iamm-table\.$"
    ):
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: "",
        lambda content: json.dumps(content)[:-9],
        lambda content: "[]",
        lambda content: "{}",
        lambda content: json.dumps({key: value for key, value in content.items() if key != "seeds"}),
        lambda content: json.dumps({**content, "more": 1}),
        lambda content: json.dumps({**content, "rows": None}),
        lambda content: json.dumps({**content, "columns": [{"label": "accuracy"}]}),
        lambda content: json.dumps({**content, "runs": [{**content["runs"][0], "more": 1}]}),
    ],
)
def test_a_spoilt_plan_is_named_in_one_line(make_plan, tmp_path, spoil):
    path = tmp_path / "plan.json"
    write_plan(path, make_plan())
    path.write_text(spoil(json.loads(path.read_text())))
    with pytest.raises(
        BadDataError, match=r"^A plan must be whole and of a table\. Found .*plan\.json: .*again\.$"
    ) as caught:
        read_plan(path)
    assert "\n" not in str(caught.value)
