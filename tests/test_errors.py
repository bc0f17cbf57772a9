from __future__ import annotations

import re
from pathlib import Path

import pytest

from iamm.errors import DEPENDENCIES, missing_package


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
