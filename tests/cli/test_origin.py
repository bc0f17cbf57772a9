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
    assert answer.code == 2


def test_the_file_that_sets_a_value_last_is_named(tmp_path, monkeypatch):
    """An experiment's key is set anew by the user's file; a data set under a name of its own keeps its file."""
    from iamm.config.check.origin import origins

    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\ndefaults:\n  - multiscene\n\nepochs: 0\n")
    monkeypatch.setattr("sys.argv", ["iamm-train", "--config-dir", str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    assert origins(["epochs"], ["+experiment=mine"]) == " From: epochs, experiment/mine.yaml, line 5."
    named = ["dataset=[]", "+dataset@dataset.mail=text_file"]
    (place,) = origins(["dataset.mail.path"], named).split(", ", 1)[1:]
    assert place.startswith("configs/dataset/text_file.yaml, line ")
    assert origins(["epochs", "no.such.key"], ["epochs=0"], "the table") == " From: epochs, the table."
