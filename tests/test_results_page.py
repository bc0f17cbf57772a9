"""Built tables are put into docs/results.md by scripts/results."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

import pytest

SCRIPT = run_path(str(Path(__file__).parent.parent / "scripts" / "results"))
PAGE = """# Results

## `one`: One

Run by `iamm-table table=one seeds=[0]`, in an hour.

Old.

## `other`: Other

Run by `iamm-table table=other`.

Text.
"""
BUILT = """# One, better

About.

| a |

## Notices

- None.

## Runs

- [0](../../run)
"""


@pytest.fixture
def folder(tmp_path: Path):
    def build(name: str) -> Path:
        (tmp_path / name).mkdir()
        (tmp_path / name / "table.md").write_text(BUILT, encoding="utf-8")
        return tmp_path / name

    return build


def test_the_section_of_the_same_name_is_replaced(folder) -> None:
    built = folder("one")
    found = SCRIPT["pasted"](PAGE, built)
    body = "About.\n\n| a |\n\n**Notices**\n\n- None."
    start = "# Results\n\n## `one`: One, better\n\nRun by `iamm-table table=one seeds=[0]`, in an hour.\n\n"
    assert found == start + body + PAGE[PAGE.index("\n\n## `other`") :]
    assert SCRIPT["pasted"](found, built) == found


def test_a_new_section_stands_at_the_end(folder) -> None:
    found = SCRIPT["pasted"](PAGE, folder("new"))
    assert found.startswith(PAGE)
    assert found[len(PAGE) :].startswith("\n## `new`: One, better\n\nRun by `iamm-table table=new`.\n\nAbout.")
