"""A table's rows that begin from another row."""

from __future__ import annotations

import pytest

from iamm.errors import ConfigError
from iamm.run.planned import Cell
from iamm.sweep.pool import ready
from iamm.table.dependencies import linked
from iamm.table.plan import PlannedRun


def planned(row: str, source: str | None, seed: int = 0, rate: float = 0.1) -> tuple[PlannedRun, Cell]:
    values = {"seed": seed, "rate": rate, "row": row, "output_dir": "outputs", "from": source}
    cell = Cell(values, {"model": "iamm", "dataset": "shapes"})
    return PlannedRun(row, "runs", rate, seed, cell.name), cell


def test_from_a_row():
    """Two seeds, a row that begins from one behind it and that from another; each source once, and first."""
    rows = {"last": "middle", "middle": "first", "first": None, "other": "first", "apart": "elsewhere/run-01234567"}
    pairs = linked([planned(row, source, seed) for seed in (0, 1) for row, source in rows.items()])
    order = ["first", "middle", "last", "other", "apart"]
    assert [(run.row, run.seed) for run, _ in pairs] == [(row, seed) for seed in (0, 1) for row in order]
    assert [run.folder for run, _ in pairs] == [cell.name for _, cell in pairs]
    assert len({run.folder for run, _ in pairs}) == 10
    for seed in (0, 1):
        cells = {run.row: cell for run, cell in pairs if run.seed == seed}
        assert cells["middle"].values["from"] == cells["other"].values["from"] == str(cells["first"].folder.path)
        assert cells["last"].values["from"] == str(cells["middle"].folder.path)
        assert cells["apart"].values["from"] == "elsewhere/run-01234567"
        assert cells["first"].values["from"] is None


def test_a_learning_rate_begins_from_its_own():
    pairs = linked(
        [planned(row, source, rate=rate) for row, source in (("b", "a"), ("a", None)) for rate in (0.1, 0.2)]
    )
    cells = {(run.row, run.rate): cell for run, cell in pairs}
    assert all(cells["b", rate].values["from"] == str(cells["a", rate].folder.path) for rate in (0.1, 0.2))


def test_a_circle():
    with pytest.raises(ConfigError, match=r"does not begin from it\. Found from=a → b → a: leave one out\.$"):
        linked([planned("a", "b"), planned("b", "a")])


def test_a_run_waits_for_its_source():
    """Whether that one waits itself or runs; no other waits."""
    (_, first), (_, second), (_, third) = linked([planned("b", "a"), planned("a", None), planned("c", None)])
    assert ready([second, first, third], []) == first
    assert ready([second, third], [first]) == third
    assert ready([second], [first, third]) is None
    assert ready([second], [third]) == second
    assert ready([], [first]) is None
