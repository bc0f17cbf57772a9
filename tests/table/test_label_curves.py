"""The quality of the target over the number of labels, drawn."""

from __future__ import annotations

from math import log2

import pytest

from iamm.table.plan import Column
from iamm.table.statistics import Estimate
from iamm.table.table import Row, Table, TableCell
from iamm.table.write.label_curves import draw_migrations, label_curves


@pytest.fixture
def table(make_plan):
    columns = tuple(Column(label, "target", None, "both") for label in ("no label", "3 labels", "area"))
    plan = make_plan(columns=columns, shots=(0, 3), settings=("both",), runs=())
    estimates = {
        "ours": [Estimate(50.0, 1.0, 48.0, 52.0, 3), Estimate(80.0, 1.0, 78.0, 83.0, 3)],
        "rival": [Estimate(60.0, None, None, None, 1), None],
    }
    rows = tuple(
        Row(
            label,
            {
                column.label: TableCell({}, each, None, None, 0, 0)
                for column, each in zip(columns, [*values, None], strict=True)
            },
            {},
        )
        for label, values in estimates.items()
    )
    return Table(plan, rows, (), (), ())


def test_a_line_a_row_and_a_band_where_there_is_an_interval(table):
    (panel,) = label_curves(table).axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in panel.lines}
    assert lines == {"ours": [[0.0, 50.0], [log2(4), 80.0]], "rival": [[0.0, 60.0]]}
    (band,) = panel.collections
    assert {tuple(point) for point in band.get_paths()[0].vertices.tolist()} == {(0, 48), (0, 52), (2, 78), (2, 83)}
    assert [label.get_text() for label in panel.get_xticklabels()] == ["0", "3"]


def test_the_same_bytes_each_time(table, tmp_path, monkeypatch):
    weights = {"a": {"a": 0.5, "b": 0.5}, "b": {"a": 0.75, "b": 0.25}}
    for found, names in (({}, ["labels.png"]), (weights, ["labels.png", "recognised.png", "sources.png"])):
        for shares in ("read_weights", "recognised_scenes"):
            monkeypatch.setattr(f"iamm.table.write.label_curves.{shares}", lambda table, found=found: found)
        paths = draw_migrations(table, tmp_path)
        assert [path.name for path in paths] == names
        once = [path.read_bytes() for path in paths]
        assert [path.read_bytes() for path in draw_migrations(table, tmp_path)] == once
