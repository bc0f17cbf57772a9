from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

from iamm.table.plan import Claims, Column
from iamm.table.write.chart import CLAIM, DOTS, INK, chart, draw_chart


def marks(panel, color, marker):
    """Places of the points of one kind."""
    lines = [line for line in panel.lines if line.get_marker() == marker and to_hex(line.get_color()) == color]
    return [tuple(point) for line in lines for point in zip(*line.get_data(), strict=True)]


def texts(panel):
    return [text.get_text() for text in panel.texts]


def approx(points):
    return [pytest.approx(point) for point in points]


def test_what_stands_where(make_table):
    """Ours: 50, 60, 70: mean 60, deviation 10, half of the interval 4.30265 · 10 / √3 = 24.8414. Rival: 40, 50, 55."""
    accuracy, bleu = chart(make_table()).axes
    assert (accuracy.get_title(), bleu.get_title()) == ("accuracy", "BLEU")
    assert marks(accuracy, INK, "o") == approx([(60, 0), (145 / 3, 1)])
    assert marks(accuracy, INK, "s") == approx([(60, 0)])  # the first row stands out
    dots = [(50, 0.24), (60, 0.24), (70, 0.24), (40, 1.24), (50, 1.24), (55, 1.24)]
    assert marks(accuracy, DOTS, ".") == approx(dots)
    assert marks(accuracy, CLAIM, "D") == approx([(88.7, 0), (85.3, 1)])
    assert marks(bleu, CLAIM, "D") == approx([(30.2, 0)])
    spans = [path.vertices.tolist() for path in accuracy.collections[0].get_paths()]
    assert spans[0] == [pytest.approx([60 - 24.8414, 0], abs=1e-4), pytest.approx([60 + 24.8414, 0], abs=1e-4)]
    widths = accuracy.collections[0].get_linewidths()
    assert widths[0] > widths[1]
    assert [text for text in texts(accuracy) if text] == ["▼ worse"]
    assert [text for text in texts(bleu) if text] == ["= tie"]


def test_rows_go_down_in_the_order_of_the_plan(make_table):
    panel = chart(make_table()).axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["ours", "rival"]
    assert [label.get_fontweight() for label in panel.get_yticklabels()] == ["bold", "normal"]
    bottom, top = panel.get_ylim()
    assert bottom > top


def test_the_legend_says_where_figures_are_claimed(make_table):
    def labels(figure):
        return [text.get_text() for text in figure.legends[0].get_texts()]

    shared = ["mean and 95 % interval", "one seed", "mean of the first row"]
    assert labels(chart(make_table())) == [*shared, "claimed in D0 §5"]


def test_without_claims_there_is_no_word_of_them(make_table):
    figure = chart(make_table(claims=None))
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == "mean of the first row"
    assert marks(figure.axes[0], CLAIM, "D") == []


def test_missing_and_failed_stand_in_their_rows(make_table):
    """Of the rival's rate 0.002 one seed is finished, one failed and one is missing; a third row has nothing."""

    def outcome(run):
        if run.row == "other":
            return "A loss must be finite." if run.rate == 0.001 else None
        if run.row == "rival" and (run.rate, run.seed) != (0.002, 0):
            return "Killed." if (run.rate, run.seed) == (0.002, 1) else None
        return {"a": {"accuracy": 0.5 + 0.1 * run.seed}, "b": {"bleu": 0.5}}

    table = make_table(outcome, rows=("ours", "rival", "other"))
    panel = chart(table).axes[0]
    assert texts(panel) == ["", "untested\n1 missing, 1 failed", "missing"]
    assert [y for _, y in marks(panel, INK, "o")] == [0, 1]


def test_what_is_not_finite_is_named(make_table):
    table = make_table(lambda run: {"a": {"accuracy": float("nan")}, "b": {"bleu": 0.5}})
    assert texts(chart(table).axes[0]) == ["nan", "nan"]


def test_what_lies_along_the_axis(make_table):
    columns = (
        Column("perplexity", "perplexity", "a", "both"),
        Column("gain", "accuracy", "a", "both", minus="rival"),
    )
    table = make_table(lambda run: {"a": {"perplexity": 2.5, "accuracy": 0.5}}, columns=columns, claims=None)
    loss, gain = chart(table).axes
    assert loss.get_xlabel() == "perplexity, lower is better"
    assert marks(loss, INK, "o") == [(2.5, 0), (2.5, 1)]
    assert gain.get_xlabel() == "accuracy × 100\nminus that of rival"


def test_an_empty_panel_has_no_ticks(make_table):
    panel = chart(make_table(lambda run: None, claims=None)).axes[0]
    assert list(panel.get_xticks()) == []
    assert texts(panel) == ["missing", "missing"]


def test_the_same_bytes_twice(make_table, tmp_path):
    table = make_table(title="Costs $1, or $x_1$")
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    draw_chart(table, first)
    draw_chart(table, second)
    assert first.read_bytes() == second.read_bytes()
    assert imread(first).shape[2] == 4
    assert not any(word in first.read_bytes() for word in (b"tEXt", b"tIME"))


def test_many_rows_fit(make_table):
    """27 rows of 3 columns: no label, title or verdict leaves the picture or touches its neighbour."""
    rows = tuple(f"a row with the number {number}" for number in range(27))
    columns = tuple(Column(f"column {name}", name, "a", "both") for name in ("accuracy", "f1", "recall"))
    claims = Claims("D0", {rows[3]: {"column f1": 70.0}})
    table = make_table(
        lambda run: {"a": {column.measure: 0.5 + 0.01 * run.seed for column in columns}},
        rows=rows,
        columns=columns,
        rates=(0.001,),
        claims=claims,
    )
    figure = chart(table)
    figure.draw_without_rendering()
    labels = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    beside = [text.get_window_extent() for panel in figure.axes for text in panel.texts if text.get_text()]
    assert len(beside) == 3 * 26
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(labels))
    assert min(box.x0 for box in labels) >= 0
    assert max(box.x1 for box in beside) <= figure.bbox.x1
    for panel, following in pairwise(figure.axes):
        edge = following.get_window_extent().x0
        assert all(text.get_window_extent().x1 < edge for text in panel.texts)


def test_matplotlib_is_read_only_to_draw():
    code = "import sys, iamm.table.write.chart; sys.exit('matplotlib' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
