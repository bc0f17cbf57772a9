from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

import pytest

from iamm.config.simplex import expanded, grid
from iamm.errors import ConfigError


def test_by_hand():
    assert list(grid(2, 4)) == [(1.0, 0.0), (0.75, 0.25), (0.5, 0.5), (0.25, 0.75), (0.0, 1.0)]
    assert list(grid(3, 1)) == [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
    assert expanded("weighting.values=simplex(2, 2)") == "weighting.values=[1.0, 0.0],[0.5, 0.5],[0.0, 1.0]"


@pytest.mark.parametrize(("scenes", "parts"), [(2, 10), (3, 10), (5, 3)])
def test_all_points_and_each_once(scenes, parts):
    """Those of the cube of multiples whose sum is the whole; 66 for 3 scenes at a tenth."""
    naive = {
        tuple(n / parts for n in point) for point in product(range(parts + 1), repeat=scenes) if sum(point) == parts
    }
    found = list(grid(scenes, parts))
    assert set(found) == naive
    assert len(found) == len(naive) == math.comb(parts + scenes - 1, scenes - 1)


@pytest.mark.parametrize("word", ["+experiment=multiscene", "seed=0,1", "a=simple", "a=b(simplex(2,3))", "-m"])
def test_other_words_stay(word):
    assert expanded(word) == word


@pytest.mark.parametrize(
    "call", ["simplex", "simplex()", "simplex(3)", "simplex(1,5)", "simplex(2,0)", "simplex(2,0.1)"]
)
def test_refuses_what_is_no_grid(call):
    with pytest.raises(ConfigError, match=r"^`simplex\(S,N\)` takes S scenes, at least 2, .* Found 'weighting.values="):
        expanded(f"weighting.values={call}")


def test_refuses_a_sweep_without_end():
    with pytest.raises(ConfigError, match=r"at most 10,000 points\. Found 53,130 in"):
        expanded("weighting.values=simplex(6,20)")


def test_a_sweep_over_the_grid(process, small):
    """Three weights, three runs, each with its own weights in the record; the corners train one scene's head only."""
    answer = process("-m", *small, "weighting=fixed", "weighting.values=simplex(2,2)", "output_dir=out", "steps=1")
    assert (answer.code, answer.err) == (0, "")
    results = [json.loads(path.read_text()) for path in Path("out").glob("*/result.json")]
    assert sorted(found["config"]["weighting"]["values"] for found in results) == [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]


def test_a_typo_is_said_in_one_line(process):
    answer = process("-m", "weighting=fixed", "weighting.values=simplex(2)")
    assert answer.code == 2
    assert answer.err.startswith("iamm-train: `simplex(S,N)` takes")
    assert answer.err.count("\n") == 1
