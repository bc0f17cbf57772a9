"""`iamm-runs`: what it lists, in which order, and what it refuses."""

from __future__ import annotations

import pytest

from iamm.cli.runs import main
from iamm.record.checksummed import write_checksummed
from tests.cli.conftest import in_process


@pytest.fixture
def runs(monkeypatch, capfd, tmp_path):
    for number, fusion in enumerate(("none", "shared", "none")):
        folder = tmp_path / "outputs" / f"run-0000000{number}"
        folder.mkdir(parents=True)
        result = {
            **{"test": {"digits": {"accuracy": number / 10}}, "quality": {"digits": number / 10}},
            **{"validation_quality": 1 - number / 10, "choices": {"model": "iamm", "dataset": "digits"}, "seed": 0},
            **{"seconds": 1.0, "settings": {"fusion": fusion, "dim": 8}},
        }
        write_checksummed(folder / "result.json", result)
    return in_process("iamm-runs", main, monkeypatch, capfd)


def test_filter_and_order(runs):
    rows = [line.split() for line in runs().out.splitlines()]
    assert rows[0] == ["3", "runs"]
    assert [row[0] for row in rows if "1.0" in row] == ["none", "shared", "none"]
    rows = [line.split() for line in runs("fusion=none", "sort=accuracy").out.splitlines()]
    assert [row[1] for row in rows if "1.0" in row] == ["20.00", "0.00"]
    assert runs("output=all.csv").code == 0
    assert runs("output=all.csv").out == ""


@pytest.mark.parametrize(
    ("word", "code", "expected"),
    [
        ("fusio=none", 2, 'Found fusio. Did you mean "fusion"?'),
        ("sort=acuracy", 2, 'Found acuracy. Did you mean "accuracy"?'),
        ("output_dir=nowhere", 66, "Found none in nowhere"),
    ],
)
def test_mistakes(runs, word, code, expected):
    answer = runs(word)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.count("\n") == 1
    assert expected in answer.err
