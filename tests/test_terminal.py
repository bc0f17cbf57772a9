from __future__ import annotations

import io

import pytest
from rich.console import Console

from iamm.terminal import blocks, print_table

HEADS = ["scene", "accuracy", "precision", "loss"]
ROWS = [["pictures of digits", "59.05", "67.82", "1.5730"], ["b", "1.00", "–", "0.5000"]]


def printed(width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_table(console, "test", HEADS, ROWS)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("room", "expected"),
    [(26, [[0, 1, 2]]), (25, [[0, 1], [2]]), (9, [[0], [1], [2]]), (1, [[0], [1], [2]])],
)
def test_columns_that_fit_stand_side_by_side(room, expected):
    assert list(blocks([8, 8, 6], room)) == expected  # 8 + 2 + 8 + 2 + 6 = 26


@pytest.mark.parametrize("width", [160, 80, 40, 24])
def test_no_figure_is_cut_at_any_width(width):
    text = printed(width)
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())
    words = text.split()
    for figure in ("accuracy", "precision", "loss", "59.05", "67.82", "1.5730", "1.00", "0.5000"):
        assert words.count(figure) == 1, figure


def test_each_block_repeats_the_labels():
    heads = [line.split() for line in printed(40).splitlines() if "scene" in line]
    assert heads == [["scene", "accuracy"], ["scene", "precision", "loss"]]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (80, ["model  dataset  settings     digits accuracy", "cnn    digits   fusion=none            91.11"]),
        (40, ["model dataset settings   digits", "accuracy", "cnn digits fusion=none     91.11"]),
    ],
)
def test_where_not_all_fits_heads_are_folded_and_labels_are_one_column(width, expected):
    console = Console(file=io.StringIO(), width=width)
    rows = [["cnn", "digits", "fusion=none", "91.11"]]
    print_table(console, "runs", ["model", "dataset", "settings", "digits accuracy"], rows, labels=3)
    title, *lines = [line.strip() for line in console.file.getvalue().splitlines() if line.strip(" ─")]
    assert (title, lines) == ("runs", expected)
