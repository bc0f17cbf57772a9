"""File and line, or the command line, of what a mistake is about."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("words", "line", "place"),
    [
        ("", "epochs: 0\n", "From: epochs, mine/experiment/mine.yaml, line 3."),
        ("", "dataset:\n  shapes:\n    train: -1\n", "From: dataset.shapes.train, mine/experiment/mine.yaml, line 5."),
        ("epochs=0", "", "From: epochs, the command line."),
        ("attention.heads=3", "", "From: dim, configs/train.yaml, line "),
        ("attention.heads=3", "", "; attention.heads, the command line."),
        ("dim=10", "", "From: dim, the command line; attention.heads, configs/attention/multi_head.yaml, line 10."),
        ("weighting=nash", "defaults:\n  - override /fusion: none\n", "; fusion, mine/experiment/mine.yaml, line 4."),
        ("weighting=nash", "defaults:\n  - override /fusion: none\n", "From: weighting, the command line; "),
        ("", "epohcs: 3\n", 'Did you mean "epochs"? From: epohcs, mine/experiment/mine.yaml, line 3.'),
        (
            "",
            "optimizer:\n  lrr: 3\n",
            'Did you mean "optimizer.lr"? From: optimizer.lrr, mine/experiment/mine.yaml, line 4.',
        ),
    ],
)
@pytest.mark.parametrize("multirun", [(), ("-m",)], ids=["one", "sweep"])
def test_where_a_value_comes_from(words, line, place, multirun, command):
    folder = Path("mine") / "experiment"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(f"# @package _global_\n# A preset of one's own.\n{line}", encoding="utf-8")
    answer = command(*multirun, "--config-dir", "mine", "+experiment=mine", *words.split())
    assert place in answer.err
    assert answer.code == (3 if multirun else 2)
