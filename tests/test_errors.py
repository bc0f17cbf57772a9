from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from iamm.errors import DEPENDENCIES, closest, missing_package


def test_dependencies_are_those_of_the_project():
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    listed = project.partition("dependencies = [")[2].partition("]")[0]
    assert sorted(DEPENDENCIES.values()) == sorted(re.findall(r'"([\w-]+)>=', listed))


def test_a_missing_dependency_says_what_to_install():
    error = ModuleNotFoundError("No module named 'sklearn.metrics'", name="sklearn.metrics")
    found = missing_package(error)
    assert found.exit_code == 69
    assert str(found) == (
        "`iamm` needs scikit-learn. Found: No module named 'sklearn.metrics'. Install it with: pip install scikit-learn"
    )


def test_a_broken_one_is_installed_anew_also_where_another_error_tells_of_it():
    try:
        try:
            raise ImportError("libscipy.so: cannot\nopen", name="scipy._lib")
        except ImportError as error:
            raise RuntimeError("no target") from error
    except RuntimeError as error:
        found = missing_package(error)
    assert str(found) == (
        "`iamm` needs scipy. Found: libscipy.so: cannot open. Install it with: pip install --force-reinstall scipy"
    )


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        ImportError("no name"),
        ModuleNotFoundError("No module named 'iamm.fusion.mine'", name="iamm.fusion.mine"),
        ModuleNotFoundError("No module named 'mine'", name="mine"),
        None,
    ],
)
def test_other_errors_are_none_of_its(error):
    assert missing_package(error) is None


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("stpes", ["seed", "steps", "epochs", "patience"], "steps"),
        ("epcohs", ["seed", "steps", "epochs", "patience"], "epochs"),
        ("batch_size", ["seed", "steps", "epochs", "patience"], None),
        ("multi", ["mixed", "multi_head"], "multi_head"),
        ("dmi", ["seed", "dim"], "dim"),
        ("ab", ["abc", "abd"], "abc"),  # the first of equals
        ("x", [], None),
        ("", ["dim"], None),
    ],
)
def test_the_word_that_was_meant(word, known, meant):
    assert closest(word, known) == meant


def test_one_slip_is_always_corrected():
    draw = random.Random(0)
    words = ["attention", "weighting", "schedule", "interest_guidance", "convolutional", "dropout"]
    for _ in range(300):
        word = draw.choice(words)
        place = draw.randrange(len(word))
        assert closest(word[:place] + draw.choice("qxz") + word[place + 1 :], words) == word
